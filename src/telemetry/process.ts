/** The process's own metrics, by the names that every dashboard knows (`process_*`), and who it is. */
import { readdirSync, readFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Registry } from './metrics.ts';

export type ProcessMetricsOptions = {
  /** Name and version for `netloom_build_info`. */
  readonly program: string;
  readonly version: string;
  /** Watches the event loop by a timer each 10 ms and reports its longest stall since the last scrape. Costs wake-ups. */
  readonly stalls?: boolean | undefined;
};

export function registerProcessMetrics(registry: Registry, options: ProcessMetricsOptions): void {
  const gauge = (name: string, help: string) => registry.gauge({ name, help });
  const cpu = registry.counter({
    name: 'process_cpu_seconds_total',
    help: 'User and system CPU time.',
  });
  const resident = gauge('process_resident_memory_bytes', 'Resident memory.');
  const heap = gauge('process_heap_bytes', 'JavaScript heap in use.');
  const files = gauge('process_open_fds', 'Open file descriptors.');
  const maxFiles = gauge('process_max_fds', 'Most file descriptors that may be open.');
  gauge('process_start_time_seconds', 'Start time, Unix seconds.').set(Date.now() / 1000 - process.uptime());
  registry
    .gauge({
      name: 'netloom_build_info',
      help: 'Always 1; who this is.',
      labels: ['program', 'version', 'node'],
    })
    .set(1, { program: options.program, version: options.version, node: process.version });

  let counted = 0;
  registry.onCollect(() => {
    const { user, system } = process.cpuUsage();
    const seconds = (user + system) / 1e6;
    cpu.inc(undefined, seconds - counted);
    counted = seconds;
    const memory = process.memoryUsage();
    resident.set(memory.rss);
    heap.set(memory.heapUsed);
    files.set(readdirSync('/proc/self/fd').length);
    const limit = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
    if (limit !== undefined) maxFiles.set(Number(limit));
  });
  if (options.stalls === true) registerStalls(registry);
}

function registerStalls(registry: Registry): void {
  const stall = registry.gauge({
    name: 'process_event_loop_stall_seconds',
    help: 'Longest time the event loop was held since the last scrape.',
  });
  const resolution = 10;
  const delay = monitorEventLoopDelay({ resolution });
  delay.enable();
  registry.onCollect(() => {
    stall.set(Math.max(0, delay.max / 1e9 - resolution / 1000));
    delay.reset();
  });
}
