/** `netloom lab down`. */
import { labDown, labNames } from '#lab/lifecycle.ts';
import { exitCodes, type Invocation } from './command.ts';
import { labName } from './lab-options.ts';

export async function run(invocation: Invocation): Promise<number> {
  const names = invocation.values.all === true ? await labNames() : [labName(invocation)];
  for (const name of names) {
    const removed = await labDown(name);
    invocation.out(removed ? `lab ${name} is down` : `there is no lab ${name}`);
  }
  if (names.length === 0) invocation.out('there is no lab');
  return exitCodes.ok;
}
