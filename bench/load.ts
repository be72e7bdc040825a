/** Runs load.c: how much work a pair of pods gets done. */
import { availableParallelism } from 'node:os';
import type { Ground } from './nodes.ts';
import type { Pair } from './wiring.ts';

export type LoadKind = 'bulk' | 'crr' | 'rr' | 'datagrams' | 'answered';

/** Work in a CPU-second. Client and server share one CPU, so what softirqs do for them runs in their own time. */
export async function take(
  ground: Ground,
  load: string,
  pair: Pair,
  kind: LoadKind,
  milliseconds: number,
): Promise<number> {
  const cpu = availableParallelism() - 1;
  const namespaces = [pair.server, pair.client].map((name) => `/run/netns/${name}`);
  const argv = [load, ...namespaces, pair.address, '7000', kind, String(milliseconds), String(cpu)];
  const result = await ground.box.exec(argv, { timeoutMs: 20_000 });
  const [work = Number.NaN, nanoseconds = Number.NaN] = result.stdout.trim().split(' ').map(Number);
  if (result.code !== 0)
    throw new Error(`${argv.join(' ')}: ${result.stderr.trim() || `exit ${result.code}`}`);
  return (work / nanoseconds) * 1e9;
}
