/** The program as it runs in a pod, beside an nginx that only remembers: killed, started again, and ended. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { eventually } from '#lab/eventually.ts';
import { connectFeed, type FeedClient } from './client.ts';
import { backend, delta, identity, scratch, whole } from './testing.ts';

const key = '0123456789abcdef'.repeat(4);
const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

function place(): string {
  const { directory, remove } = scratch();
  ends.push(remove);
  mkdirSync(join(directory, 'run'));
  writeFileSync(join(directory, 'key'), `${key}\n`);
  return directory;
}

type Running = { readonly child: ChildProcess; readonly lines: () => string; ended: Promise<number | null> };

function run(file: string, ...argv: readonly string[]): Running {
  const child = spawn(process.execPath, [join(import.meta.dirname, file), ...argv], { stdio: 'pipe' });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (part: Buffer) => {
      text += part.toString();
    });
  }
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  ends.push(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  return { child, lines: () => text, ended };
}

async function startNginx(directory: string): Promise<Running> {
  const nginx = run('testing-nginx.ts', join(directory, 'run'));
  await eventually(() => expect(nginx.lines()).toContain('listening'));
  return nginx;
}

type Program = Running & { readonly client: FeedClient; readonly metricsPort: number };

async function startProgram(directory: string): Promise<Program> {
  const program = run(
    'main.ts',
    '--identity',
    'x/gw',
    '--directory',
    join(directory, 'run'),
    '--key-file',
    join(directory, 'key'),
    '--feed-port',
    '0',
    '--metrics-port',
    '0',
    '--metrics-address',
    '127.0.0.1',
    '--drain-seconds',
    '20',
  );
  const [, feed, metrics] = await eventually(() => {
    const match = /"listening".* feed=(\d+) metrics=(\d+)/.exec(program.lines());
    if (match === null) throw new Error(`not listening: ${program.lines()}`);
    return match;
  });
  const client = connectFeed({ address: '127.0.0.1', port: Number(feed), key, identity: 'x/gw' });
  ends.push(() => client.close());
  return { ...program, client, metricsPort: Number(metrics) };
}

function get(target: { readonly port: number } | { readonly socketPath: string }, path: string) {
  return new Promise<{ code: number; text: string }>((resolve, reject) => {
    const outgoing = request({ host: '127.0.0.1', ...target, path, agent: false }, (answer) => {
      let text = '';
      answer.setEncoding('utf8');
      answer.on('data', (part: string) => {
        text += part;
      });
      answer.on('end', () => resolve({ code: answer.statusCode ?? 0, text }));
    });
    outgoing.once('error', reject);
    outgoing.end();
  });
}

const dump = async (directory: string) =>
  JSON.parse((await get({ socketPath: join(directory, 'run/nginx.sock') }, '/dump')).text) as string[];
const authority = (certificates: string) => ({ authorities: { a: { certificates } } });

test('ready once a generation is held and nginx has it; metrics of both are at one place', async () => {
  const directory = place();
  const { client, metricsPort: port } = await startProgram(directory);
  expect((await get({ port }, '/readyz')).code).toBe(503);
  expect((await get({ port }, '/healthz')).code).toBe(200);
  const change = client.change(whole(1, authority('one')));
  expect((await get({ port }, '/readyz')).text).toContain('[-]nginx failed');
  await startNginx(directory);
  expect(await change).toEqual({ answer: { generation: 1, problems: [] } });
  expect((await get({ port }, '/readyz')).code).toBe(200);
  const { text } = await get({ port }, '/metrics');
  expect(text).toContain('netloom_gateway_generation 1');
  expect(text).toContain('netloom_gateway_nginx_connections{state="active"} 0');
});

test('killed again and again, it loses nothing that it acknowledged', async () => {
  const directory = place();
  await startNginx(directory);
  let acknowledged = 0;
  for (let round = 0; round < 5; round++) {
    const { client, child, ended } = await startProgram(directory);
    const { generation } = await client.status();
    expect(generation).toBeGreaterThanOrEqual(acknowledged);
    if (generation > 0)
      await eventually(async () =>
        expect(await dump(directory)).toContain(`authorities/a {"certificates":"${generation}"}`),
      );
    let next = generation + 1;
    const killed = setTimeout(() => child.kill('SIGKILL'), 150 + 70 * round);
    ends.push(() => clearTimeout(killed));
    for (;;) {
      const put = {
        ...authority(`${next}`),
        backends: { [`b${next % 20}`]: backend([`10.0.0.${next % 250}:443`], 'i') },
        ...(next % 10 === 1 ? { identities: { i: identity(`${next}.example`) } } : {}),
      };
      const outcome = await client
        .change(next === 1 ? whole(1, put) : delta(next, put))
        .catch(() => undefined);
      if (outcome === undefined) break;
      expect(outcome).toMatchObject({ answer: { generation: next } });
      acknowledged = next;
      next++;
    }
    await ended;
  }
  expect(acknowledged).toBeGreaterThan(5);
});

test('nginx that is started alone is told all again', async () => {
  const directory = place();
  const first = await startNginx(directory);
  const { client, lines } = await startProgram(directory);
  await client.change(whole(1, authority('one')));
  first.child.kill('SIGQUIT');
  await first.ended;
  await startNginx(directory);
  await eventually(async () =>
    expect(await dump(directory)).toEqual(['authorities/a {"certificates":"one"}']),
  );
  await eventually(() => expect(lines()).toContain('nginx was told all'));
});

test('told to end, it serves on until nginx has ended', async () => {
  const directory = place();
  const nginx = await startNginx(directory);
  const { client, child, ended, metricsPort: port, lines } = await startProgram(directory);
  await client.change(whole(1, authority('one')));
  child.kill('SIGTERM');
  await eventually(async () => expect((await get({ port }, '/readyz')).text).toContain('[-]stay failed'));
  expect(await client.change(delta(2, authority('two')))).toMatchObject({ answer: { generation: 2 } });
  expect(child.exitCode).toBeNull();
  nginx.child.kill('SIGQUIT');
  expect(await ended).toBe(0);
  expect(lines()).toContain('"stopped" all=true');
});

test('what is wrong with its flags is said', async () => {
  const directory = place();
  const program = run('main.ts', '--directory', directory, '--identity', 'x');
  expect(await program.ended).not.toBe(0);
  expect(program.lines()).toContain('NAMESPACE/GATEWAY is needed');
});
