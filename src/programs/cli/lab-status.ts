/** `netloom lab status`. */
import { labStatus } from '#lab/control.ts';
import type { LabStatus } from '#lab/lab.ts';
import { labNames } from '#lab/lifecycle.ts';
import { age, columns } from './columns.ts';
import { exitCodes, type Invocation } from './command.ts';
import { labName } from './lab-options.ts';

export async function run(invocation: Invocation): Promise<number> {
  const name = labName(invocation);
  const status = await labStatus(name);
  if (invocation.values.json === true) {
    invocation.out(JSON.stringify(status ?? { spec: { name }, phase: 'down', machines: [], processes: [] }));
  } else if (status !== undefined) {
    for (const line of statusLines(status, Date.now())) invocation.out(line);
  } else {
    const others = (await labNames()).filter((other) => other !== name);
    invocation.out(
      `lab ${name} is not running${others.length === 0 ? '' : `; there is ${others.join(', ')}`}`,
    );
  }
  return status?.phase === 'running' ? exitCodes.ok : exitCodes.failed;
}

/** What people read. */
export function statusLines({ spec, phase, error, machines, processes }: LabStatus, now: number): string[] {
  const machineRows = machines.map(({ name, running, pid, addresses, faults = [] }) => [
    name,
    running ? ['running', ...faults].join(', ') : 'down',
    running ? `${pid}` : '-',
    addresses.join(' '),
  ]);
  const processRows = processes.map(({ name, running, pid, restarts, startedAt, lastExit }) => [
    name,
    running ? 'running' : `down (${lastExit ?? 'not started'})`,
    running ? `${pid}` : '-',
    `${restarts}`,
    age(startedAt, now),
  ]);
  const why = error === undefined ? '' : ` (${error})`;
  return [
    `lab ${spec.name}: ${phase}${why}, ${spec.family}, MTU ${spec.mtu}, age ${age(spec.createdAt, now)}`,
    '',
    ...columns([['MACHINE', 'STATE', 'PID', 'ADDRESSES'], ...machineRows]),
    '',
    ...columns([['PROCESS', 'STATE', 'PID', 'RESTARTS', 'AGE'], ...processRows]),
  ];
}
