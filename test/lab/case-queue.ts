/** Cases that share a cluster, some at a time. What didn't hold beside others is asked once more, alone: see docs/decisions/0015. */
import { isLong } from './cluster.ts';

type Named = { readonly name: string };

/** By the case's name: what did not hold, a line each. */
export type Results = ReadonlyMap<string, Promise<readonly string[]>>;

/** `run` is given the place of the case, which is another one at the second try: nothing is left of the first. */
export function runQueue<C extends Named>(
  cases: readonly C[],
  atOnce: number,
  run: (given: C, place: number) => Promise<readonly string[]>,
): Results {
  const results = new Map(cases.map(({ name }) => [name, Promise.withResolvers<readonly string[]>()]));
  for (const { promise } of results.values()) promise.catch(() => {});
  const queue = [...cases.entries()];
  const again: (readonly [number, C])[] = [];
  const worker = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const [place, given] = next;
      const wrong = await linesOf(run(given, place));
      if (wrong.length === 0 || isLong) results.get(given.name)?.resolve(wrong);
      else {
        process.stderr.write(`${given.name} is asked once more: ${wrong.join('; ')}\n`);
        again.push([cases.length + place, given]);
      }
    }
  };
  const all = async (): Promise<void> => {
    await Promise.all(Array.from({ length: atOnce }, worker));
    for (const [place, given] of again) {
      await run(given, place).then(results.get(given.name)?.resolve, results.get(given.name)?.reject);
    }
  };
  void all();
  return new Map([...results].map(([name, { promise }]) => [name, promise]));
}

async function linesOf(running: Promise<readonly string[]>): Promise<readonly string[]> {
  try {
    return await running;
  } catch (error) {
    return [String(error)];
  }
}
