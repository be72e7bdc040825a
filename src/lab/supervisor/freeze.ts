/**
 * Stops all processes of a machine, whatever PID namespace of it they are in, and lets them run on.
 *
 * Those go on that were entered from outside (`netloom lab exec`, the kubelet), but not what they started: nsenter stops itself when
 * its program is stopped, and whoever waits for it then waits for ever, even for the machine's end.
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

type Process = { readonly pid: number; readonly parent: number; readonly stopped: boolean };

/** `pid`: the machine's PID 1. `visitors`: the process whose programs come to their end in any case, since they serve other machines too. */
export function freezeProcesses(pid: number, visitors: number | undefined): void {
  // What was being forked during one pass is found by the next.
  for (let left = 100; left > 0; left--) {
    const running = processesOf(pid, visitors).filter(({ stopped }) => !stopped);
    if (running.length === 0) return;
    for (const process of running) signal(process.pid, 'SIGSTOP');
  }
  throw new Error('its processes fork faster than they can be stopped');
}

export function thawProcesses(pid: number): void {
  for (const process of processesOf(pid, undefined)) signal(process.pid, 'SIGCONT');
}

function processesOf(machine: number, visitors: number | undefined): Process[] {
  const all = new Map<number, Process>();
  for (const name of readdirSync('/proc')) {
    const process = /^\d+$/.test(name) ? read(Number(name)) : undefined;
    if (process !== undefined) all.set(process.pid, process);
  }
  const namespace = namespaceOf(machine);
  const inside = new Map<number, boolean>();
  const isInside = (pid: number): boolean => {
    const known = inside.get(pid);
    if (known !== undefined) return known;
    const parent = all.get(pid)?.parent ?? 0;
    const found = pid === machine || namespaceOf(pid) === namespace || (parent > 1 && isInside(parent));
    inside.set(pid, found);
    return found;
  };
  const isBelow = (pid: number, ancestor: number | undefined): boolean => {
    for (let at = all.get(pid)?.parent; at !== undefined && at > 1; at = all.get(at)?.parent)
      if (at === ancestor) return true;
    return false;
  };
  return [...all.values()].filter(
    ({ pid, parent }) => isInside(pid) && all.has(parent) && isInside(parent) && !isBelow(pid, visitors),
  );
}

function read(pid: number): Process | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const [state = '', parent = ''] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const stopped = 'TtZX'.includes(state) || (state === 'D' && isStopPending(pid));
    return { pid, parent: Number(parent), stopped };
  } catch {
    return undefined;
  }
}

/**
 * Who waits uninterruptibly stops before it does anything else. A shell that waits in vfork(2) for a child which was stopped before its
 * exec would never be seen stopped.
 */
function isStopPending(pid: number): boolean {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return [...status.matchAll(/^(?:SigPnd|ShdPnd):\s*([0-9a-f]+)$/gm)].some(
    ([, mask = '']) => (BigInt(`0x${mask}`) & stopBit) !== 0n,
  );
}

/** SIGSTOP is 19, and signal 1 the lowest bit (proc_pid_status(5)). */
const stopBit = 1n << 18n;

function namespaceOf(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/pid`);
  } catch {
    return undefined;
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // Ended meanwhile.
  }
}
