/** The real nginx with all of its configuration, in a sandbox, with backends behind it and the engine before it. For tests. */
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import type { GatewayIntent } from '#intent/gateway.ts';
import { buildRouter, buildStream } from '#router/build.ts';
import type { RunOptions, RunResult } from '#system/process.ts';
import { paths } from '#system/registry.ts';
import { createNginxEngine, type NginxEngine } from './driver.ts';
import type { Echo } from './testing-backend.ts';

/** A machine of its own that has nginx (a sandbox of the lab). */
export type Box = {
  readonly pid: number;
  exec(argv: readonly string[], options?: RunOptions): Promise<RunResult>;
  spawn(argv: readonly string[]): ChildProcessWithoutNullStreams;
};

export type Answer = {
  readonly status: number;
  /** Names in lower case; several lines of one name joined by ` | `. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
};

export type Ask = {
  readonly host?: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Port of a listening socket. Default: the first for HTTP. */
  readonly port?: number;
  /** More of curl's arguments. */
  readonly curl?: readonly string[];
};

export type TestGateway = {
  readonly engine: NginxEngine;
  /** Replaces all. */
  hold(intent: Partial<GatewayIntent>): Promise<void>;
  ask(path: string, ask?: Ask): Promise<Answer>;
  /** What the backend says it was asked; throws when it wasn't the backend that answered. */
  echo(path: string, ask?: Ask): Promise<Echo>;
  backends(...backends: readonly string[]): Promise<() => void>;
  sh(line: string): Promise<string>;
  /** Starts nginx and waits until it answers. */
  start(): Promise<void>;
  /** Ends nginx by a signal and waits for its end. */
  stop(signal: string): Promise<void>;
  /** What nginx logged. */
  errors(): string;
  /** What it told on standard output. */
  events(): string;
  /** What it wrote to its standard output. */
  output(): string;
  close(): Promise<void>;
};

/** `environment`: of nginx, as `NAME=VALUE`. */
export async function openTestGateway(box: Box, environment: readonly string[] = []): Promise<TestGateway> {
  await buildRouter();
  await buildStream();
  const directory = `/proc/${box.pid}/root${paths.gatewayDirectory.value}`;
  const engine = createNginxEngine({ directory });
  let log = '';
  let output = '';
  let nginx: ChildProcessWithoutNullStreams | undefined;
  let generation = 0;

  const sh = async (line: string): Promise<string> => {
    const { code, stdout, stderr } = await box.exec(['sh', '-ec', line], { timeoutMs: 30_000 });
    if (code !== 0) throw new Error(`${line}: ${stderr}${stdout}`);
    return stdout;
  };
  const start = async () => {
    const started = box.spawn(['/usr/bin/env', ...environment, '/opt/netloom/src/engines/nginx/run.sh', '2']);
    nginx = started;
    started.stderr.on('data', (text) => {
      log += String(text);
    });
    started.stdout.on('data', (text) => {
      output += String(text);
    });
    let ended = false;
    started.on('exit', () => {
      ended = true;
    });
    await until(
      async () => {
        if (ended) throw new Error(`nginx ended: ${log}`);
        return engine.status().then(
          () => true,
          () => false,
        );
      },
      () => `nginx doesn't answer: ${log}`,
    );
  };
  const stop = async (signal: string) => {
    const ended = new Promise((resolve) => nginx?.once('exit', resolve));
    await sh(`kill -${signal} $(cat ${paths.gatewayDirectory.value}/nginx.pid)`);
    await ended;
  };
  const ask = async (path: string, options: Ask = {}): Promise<Answer> => {
    const { host = 'any.test', method, headers = {}, body, port = 10_000, curl = [] } = options;
    const { code, stdout, stderr } = await box.exec(
      [
        'curl',
        '-sS',
        '-i',
        '--path-as-is',
        '--max-time',
        '20',
        '-H',
        `Host: ${host}`,
        ...(method === undefined ? [] : method === 'HEAD' ? ['-I'] : ['-X', method]),
        ...Object.entries(headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`]),
        ...(body === undefined ? [] : ['--data-binary', '@-']),
        ...curl,
        `http://127.0.0.1:${port}${path}`,
      ],
      { timeoutMs: 30_000, ...(body === undefined ? {} : { input: body }) },
    );
    if (code !== 0) throw new Error(`curl ${path}: ${code} ${stderr}`);
    return parse(stdout);
  };
  await start();
  return {
    engine,
    hold: async (intent) => {
      generation += 1;
      const { problems } = await engine.apply({
        generation,
        after: 0,
        replace: true,
        put: intent,
        remove: {},
      });
      if (problems.length > 0) throw new Error(JSON.stringify(problems));
    },
    ask,
    echo: async (path, options) => {
      const answer = await ask(path, options);
      if (answer.headers['x-backend'] === undefined) throw new Error(`${answer.status} ${answer.body}`);
      return JSON.parse(answer.body) as Echo;
    },
    backends: async (...backends) => {
      const program = '/opt/netloom/src/engines/nginx/testing-backend.ts';
      const started = box.spawn(['/opt/node/bin/node', program, ...backends]);
      let said = '';
      for (const stream of [started.stdout, started.stderr])
        stream.on('data', (text) => {
          said += String(text);
        });
      await until(
        async () => said.includes('ready'),
        () => `backends don't start: ${said}`,
      );
      return () => started.kill('SIGKILL');
    },
    sh,
    start,
    stop,
    errors: () => log,
    events: () => output,
    output: () => output,
    close: () => engine.close(),
  };
}

function parse(text: string): Answer {
  // Informational answers (100, 101, 103) come before the one that counts.
  let rest = text;
  for (;;) {
    const end = rest.indexOf('\r\n\r\n');
    const head = rest.slice(0, end).split('\r\n');
    const status = Number(head[0]?.split(' ')[1]);
    rest = rest.slice(end + 4);
    if (status < 200 && rest.startsWith('HTTP/')) continue;
    const headers: Record<string, string> = {};
    for (const line of head.slice(1)) {
      const colon = line.indexOf(':');
      const name = line.slice(0, colon).toLowerCase();
      const value = line.slice(colon + 1).trim();
      headers[name] = headers[name] === undefined ? value : `${headers[name]} | ${value}`;
    }
    return { status, headers, body: rest };
  }
}

export async function until(
  condition: () => Promise<boolean>,
  explain: () => string,
  timeoutMs = 15_000,
): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(explain());
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

/** Status, what came back for `one` and `two`, and grpc-status, of a call in which both sides speak before the other is done. */
export async function callBothWays(box: Box, host: string): Promise<string> {
  const script = `
    const http2 = require('node:http2');
    const session = http2.connect('http://127.0.0.1:10000');
    const call = session.request({ ':method': 'POST', ':path': '/x.Y/Stream', ':authority': '${host}', 'content-type': 'application/grpc', te: 'trailers' });
    let heard = '';
    call.on('response', (headers) => { heard += headers[':status'] + ' '; call.write('one'); });
    call.on('data', (text) => { heard += text + ' '; if (String(text) === 'one') call.end('two'); });
    call.on('trailers', (trailers) => { heard += trailers['grpc-status']; });
    call.on('close', () => { console.log(heard); session.close(); });
    setTimeout(() => process.exit(), 4000).unref();
  `;
  const { stdout } = await box.exec(['/opt/node/bin/node', '-e', script], { timeoutMs: 8_000 });
  return stdout.trim();
}
