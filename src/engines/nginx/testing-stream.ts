/** The real nginx with the stream part, in a sandbox, with peers behind it. For tests. */
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { GatewayChange, GatewayIntent } from '#intent/gateway.ts';
import type { RunOptions, RunResult } from '#system/process.ts';
import { createStreamTable, type StreamProblem } from './stream.ts';
import { readStreamCounts, type StreamCount } from './stream-counts.ts';
import type { Peer } from './testing-peers.ts';

/** A machine of its own that has nginx and openssl (a sandbox of the lab), `router/build.ts` done. */
export type Box = {
  readonly pid: number;
  exec(argv: readonly string[], options?: RunOptions): Promise<RunResult>;
  spawn(argv: readonly string[]): ChildProcessWithoutNullStreams;
};

export type StreamGateway = {
  apply(put: Partial<GatewayIntent>): readonly StreamProblem[];
  change(change: GatewayChange): readonly StreamProblem[];
  peers(peers: readonly Peer[]): Promise<void>;
  /** Runs a line of shell in the box. */
  sh(line: string): Promise<RunResult>;
  /** Ends nginx as by SIGKILL and starts it anew. */
  restart(): Promise<void>;
  counts(): Promise<readonly StreamCount[]>;
  /** What nginx logged. */
  errors(): string;
};

const configuration = `
load_module /usr/lib/nginx/modules/ngx_stream_module.so;
load_module /usr/lib/nginx/modules/ngx_stream_js_module.so;
daemon off;
user root;
worker_processes 2;
error_log stderr notice;
pid /run/nginx.pid;
events { worker_connections 4096; }
include /opt/netloom/src/engines/nginx/stream.conf;
`;

export async function openStreamGateway(box: Box): Promise<StreamGateway> {
  const inside = (path: string) => `/proc/${box.pid}/root${path}`;
  const directory = inside('/run/netloom-gateway');
  mkdirSync(directory, { recursive: true });
  writeFileSync(inside('/run/nginx.conf'), configuration);
  const table = createStreamTable(join(directory, 'stream'));
  let log = '';
  let child = start();

  function start() {
    const started = box.spawn(['nginx', '-c', '/run/nginx.conf']);
    started.stderr.on('data', (text) => {
      log += String(text);
    });
    return started;
  }
  const sh = (line: string) => box.exec(['sh', '-c', line], { timeoutMs: 20_000 });
  const listening = () =>
    until(
      async () => Number((await sh('ss -lnt | grep -c 10363')).stdout) > 0,
      () => `nginx doesn't listen: ${log}`,
    );
  await listening();
  let generation = 0;
  return {
    apply: (put) => table.apply({ generation: ++generation, after: 0, replace: true, put, remove: {} }),
    change: (change) => table.apply(change),
    peers: async (peers) => {
      const program = '/opt/netloom/src/engines/nginx/testing-peers.ts';
      const started = box.spawn(['/opt/node/bin/node', program, JSON.stringify(peers)]);
      let said = '';
      started.stdout.on('data', (text) => {
        said += String(text);
      });
      started.stderr.on('data', (text) => {
        said += String(text);
      });
      await until(
        () => said.includes('ready'),
        () => `peers: ${said}`,
      );
    },
    sh,
    restart: async () => {
      await sh('kill -9 $(cat /run/nginx.pid) $(pgrep nginx); rm -f /run/netloom-gateway/*.sock');
      if (child.exitCode === null && child.signalCode === null)
        await new Promise((resolve) => child.once('exit', resolve));
      child = start();
      await listening();
    },
    counts: () => readStreamCounts(join(directory, 'counts.sock')),
    errors: () => log,
  };
}

async function until(done: () => boolean | Promise<boolean>, otherwise: () => string): Promise<void> {
  for (const deadline = Date.now() + 15_000; Date.now() < deadline; await sleep(25)) if (await done()) return;
  throw new Error(otherwise());
}
