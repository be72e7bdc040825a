/** `netloom lab exec`: a program of the node image on one machine of the lab. */
import { machineEnvironment, openLab } from '#lab/client.ts';
import { enterArguments } from '#lab/machine.ts';
import { type Invocation, UsageError } from './command.ts';
import { labName } from './lab-options.ts';
import { passThrough } from './passthrough.ts';

export async function run(invocation: Invocation): Promise<number> {
  const [machine, ...argv] = invocation.operands;
  if (machine === undefined || argv.length === 0)
    throw new UsageError('netloom lab exec takes MACHINE PROGRAM [ARGUMENT…]');
  const lab = await openLab(labName(invocation));
  const term = process.env.TERM;
  return passThrough([...enterArguments(await lab.pidOf(machine)), ...argv], {
    ...machineEnvironment,
    ...(term === undefined ? {} : { TERM: term }),
  });
}
