/** The machine that figures come from. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism, loadavg, release, totalmem } from 'node:os';

export type Machine = {
  readonly cpu: string;
  readonly cpus: number;
  readonly memory: string;
  readonly kernel: string;
  readonly node: string;
  readonly commit: string;
  /** Of the last minute when the bench began: what else ran. */
  readonly load: number;
  /** RFC 3339. */
  readonly at: string;
};

export function describeMachine(): Machine {
  const cpu = /^model name\s*: (.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1] ?? process.arch;
  const directory = import.meta.dirname;
  return {
    cpu,
    cpus: availableParallelism(),
    memory: `${Math.round(totalmem() / 2 ** 30)} GiB`,
    kernel: release(),
    node: process.version,
    commit: execFileSync('git', ['-C', directory, 'rev-parse', '--short', 'HEAD'], {
      encoding: 'utf8',
    }).trim(),
    load: loadavg()[0]!,
    at: new Date().toISOString(),
  };
}
