/** A process for tests: appends changes as fast as it can, says each that it took, and is killed at any moment. */

import { loadChanges, openChanges } from './changes.ts';
import { createState } from './state.ts';
import { delta, whole } from './testing.ts';

const path = process.argv[2] as string;
const state = createState();
for (const change of loadChanges(path).changes) state.take(change);
// Small, so that most of the time it is being written anew.
const file = openChanges(path, state, (error) => process.stderr.write(`${String(error)}\n`), 2_000);
if (state.generation === 0) {
  const first = whole(1, {});
  state.take(first);
  file.append(first);
}
const turn = (): void => {
  const generation = state.generation + 1;
  const change = delta(
    generation,
    { authorities: { [`a${generation % 50}`]: { certificates: `${generation} `.repeat(40) } } },
    { authorities: [`a${(generation + 7) % 50}`] },
  );
  state.take(change);
  file.append(change);
  process.stdout.write(`${generation}\n`);
  setImmediate(turn);
};
turn();
