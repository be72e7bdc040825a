/** Being served before all ordinary threads: for an event loop with deadlines on a node whose CPUs are full. */
import { getScheduler, linux, setLimit, setScheduler } from './libc.ts';

/** The lowest: kernel threads and whoever else asked for more go first. */
const priority = 1;
/** A thread that computes for so long without ever sleeping is broken: the kernel ends its process (SIGXCPU), and it starts anew. */
const longestRunMicroseconds = 60_000_000n;

/**
 * Puts the calling thread, none of those that it starts and no child, ahead of all ordinary ones (SCHED_RR, sched(7)). The kernel
 * leaves 5 % of each CPU to the others whatever it does (sched_rt_runtime_us). Nice values would not do: they order only those of
 * one cgroup or session. Throws SystemError EPERM where this isn't allowed; then nothing has changed.
 */
export function becomeRealtime(): void {
  setScheduler(0, linux.SCHED_RR | linux.SCHED_RESET_ON_FORK, priority);
  setLimit(linux.RLIMIT_RTTIME, longestRunMicroseconds);
}

/** Puts a child whose answers the calling thread waits for ahead with it; does nothing when that is an ordinary thread. */
export function takeAlong(pid: number): void {
  if ((getScheduler() & ~linux.SCHED_RESET_ON_FORK) !== linux.SCHED_RR) return;
  setScheduler(pid, linux.SCHED_RR | linux.SCHED_RESET_ON_FORK, priority);
}
