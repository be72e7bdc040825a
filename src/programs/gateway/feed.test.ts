/** The feed over real TLS: who knows the key and the name is listened to, in order; everybody else is nobody. */

import { mkdirSync, writeFileSync } from 'node:fs';
import { type RequestOptions, request } from 'node:https';
import { connect as connectTCP } from 'node:net';
import { type ConnectionOptions, connect } from 'node:tls';
import { afterEach, expect, test } from 'vitest';
import { createEngine, type NginxEngine } from '#engines/nginx/driver.ts';
import { createFakeNginx, type FakeNginx } from '#engines/nginx/fake.ts';
import { eventually } from '#lab/eventually.ts';
import { createLog } from '#telemetry/log.ts';
import { createRegistry, type Registry } from '#telemetry/metrics.ts';
import { connectFeed, type FeedClient, type FeedOptions } from './client.ts';
import { type FeedServer, startFeedServer } from './feed-server.ts';
import { type Gateway, startGateway } from './gateway.ts';
import { createOriginator } from './originator/originator.ts';
import { pskOptions, readKey } from './psk.ts';
import { backend, delta, identity, scratch, whole } from './testing.ts';

const key = '0123456789abcdef'.repeat(4);
const other = 'fedcba9876543210'.repeat(4);

type Pod = {
  readonly server: FeedServer;
  readonly gateway: Gateway;
  readonly fake: FakeNginx;
  readonly engine: NginxEngine;
  readonly lines: string[];
  readonly metrics: Registry;
  dial(options?: Partial<FeedOptions>): FeedClient;
  end(): Promise<void>;
};

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function start(
  directory: string,
  more: { nginxDeadlineMs?: number; bodyLimit?: number; keyText?: () => string } = {},
): Promise<Pod> {
  const lines: string[] = [];
  const log = createLog({ write: (line) => void lines.push(line) });
  const metrics = createRegistry();
  const fake = createFakeNginx();
  const engine = createEngine(fake);
  const sockets = `${directory}/tls`;
  const originator = createOriginator({ directory: sockets, systemAuthorities: undefined, log, metrics });
  const gateway = await startGateway({
    instance: 'one',
    directory: `${directory}/held`,
    sockets,
    originator,
    nginx: engine,
    log,
    metrics,
    ...more,
  });
  const server = await startFeedServer({
    host: '127.0.0.1',
    port: 0,
    identity: 'x/gw',
    key: () => readKey((more.keyText ?? (() => key))()),
    gateway,
    log,
    metrics,
    ...more,
  });
  let ended = false;
  const end = async (): Promise<void> => {
    if (ended) return;
    ended = true;
    await server.close();
    await gateway.close();
    await engine.close();
    originator.close();
  };
  ends.push(end);
  return {
    server,
    gateway,
    fake,
    engine,
    lines,
    metrics,
    dial(options = {}) {
      const client = connectFeed({
        address: '127.0.0.1',
        port: server.port,
        key,
        identity: 'x/gw',
        ...options,
      });
      ends.push(() => client.close());
      return client;
    },
    end,
  };
}

function place(): string {
  const { directory, remove } = scratch();
  ends.push(remove);
  return directory;
}

const authority = (certificates: string) => ({ authorities: { a: { certificates } } });

test('one connection serves many requests', async () => {
  let handshakes = 0;
  const keyText = (): string => {
    handshakes++;
    return key;
  };
  const pod = await start(place(), { keyText });
  const client = pod.dial();
  await client.change(whole(1, {}));
  for (let generation = 2; generation < 10; generation++) await client.change(delta(generation, {}));
  expect(await client.status()).toMatchObject({ generation: 9 });
  expect(handshakes).toBe(1);
});

test('changes are taken in order, and what does not follow is refused with what is held', async () => {
  const pod = await start(place());
  const client = pod.dial();
  expect(await client.status()).toEqual({
    instance: 'one',
    generation: 0,
    problems: [],
    waiting: 'nothing is held yet',
  });
  expect(await client.change(delta(2, {}))).toEqual({
    refused: { error: 'a delta on generation 1 does not follow 0', generation: 0 },
  });
  expect(await client.change(whole(7, authority('one')))).toEqual({
    answer: { generation: 7, problems: [] },
  });
  expect(await client.change(delta(8, authority('two')))).toEqual({
    answer: { generation: 8, problems: [] },
  });
  expect(pod.fake.dump()).toEqual(['authorities/a {"certificates":"two"}']);
  expect(await client.change(delta(8, authority('three')))).toMatchObject({ refused: { generation: 8 } });
  expect(await client.change(delta(10, authority('three')))).toMatchObject({ refused: { generation: 8 } });
  expect(pod.fake.dump()).toEqual(['authorities/a {"certificates":"two"}']);
  expect(await client.status()).toEqual({ instance: 'one', generation: 8, problems: [] });

  // Two controllers, for a moment: each change is whole, and one of them comes first.
  const second = pod.dial();
  const both = await Promise.all([
    client.change(whole(20, authority('left'))),
    second.change(whole(30, authority('right'))),
    client.change(delta(21, authority('left again'))),
    second.change(delta(31, authority('right again'))),
  ]);
  expect(both.filter((each) => 'answer' in each).length).toBeGreaterThanOrEqual(3);
  const { generation } = await client.status();
  expect(pod.fake.dump()).toEqual([
    `authorities/a {"certificates":"${generation === 21 ? 'left again' : 'right again'}"}`,
  ]);
});

test('who does not know the key, or names another instance, is turned away; the log says so once', async () => {
  const pod = await start(place());
  for (const wrong of [{ key: other }, { identity: 'x/other' }, { identity: '' }]) {
    await expect(pod.dial(wrong).change(whole(1, {}))).rejects.toThrow();
    await expect(pod.dial(wrong).status()).rejects.toThrow();
  }
  // Without any key, and with a certificate or none of its own.
  await expect(
    new Promise((resolve, reject) => {
      const socket = connect({ port: pod.server.port, host: '127.0.0.1', rejectUnauthorized: false });
      socket.once('secureConnect', resolve);
      socket.once('error', reject);
      ends.push(() => socket.destroy());
    }),
  ).rejects.toThrow();
  await eventually(() => expect(pod.metrics.text()).toContain('netloom_gateway_feed_rejected_total 7'));
  expect(pod.lines.filter((line) => line.includes('does not know the key'))).toHaveLength(1);
  expect(pod.gateway.status().generation).toBe(0);
  expect(await pod.dial().status()).toMatchObject({ generation: 0 });
});

test('who opens connections and says nothing keeps the controller from nothing', async () => {
  const pod = await start(place());
  const mute = Array.from({ length: 300 }, () =>
    connectTCP({ port: pod.server.port, host: '127.0.0.1', localAddress: '127.0.0.2' }),
  );
  for (const socket of mute) {
    socket.on('error', () => {});
    ends.push(() => socket.destroy());
  }
  await eventually(() => expect(mute.filter(({ closed }) => closed).length).toBeGreaterThanOrEqual(284));
  expect(mute.filter(({ closed }) => closed)).toHaveLength(284);
  expect(await pod.dial().status()).toMatchObject({ generation: 0 });
  for (let at = 0; at < 40; at++) expect(await pod.dial().status()).toMatchObject({ generation: 0 });
});

test('a controller says nothing to a pod that does not know the key, whatever certificate it has', async () => {
  const { createAuthority } = await import('./testing.ts');
  const { createServer } = await import('node:tls');
  const authority = createAuthority(place(), 'ca');
  const { certificate, privateKey } = authority.sign('x', 'IP:127.0.0.1,DNS:localhost');
  const heard: string[] = [];
  const server = createServer({ cert: certificate, key: privateKey }, (socket) =>
    socket.on('data', (part: Buffer) => void heard.push(part.toString())),
  );
  ends.push(() => server.close());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  const client = connectFeed({ address: '127.0.0.1', port, key, identity: 'x/gw' });
  ends.push(() => client.close());
  await expect(client.status()).rejects.toThrow();
  expect(heard).toEqual([]);
});

test('a new key counts at once for new connections', async () => {
  let text = key;
  const pod = await start(place(), { keyText: () => text });
  const standing = pod.dial();
  await standing.status();
  text = `${other}\n`;
  await standing.status();
  await expect(pod.dial().status()).rejects.toThrow();
  await pod.dial({ key: other }).status();
});

test('a body that is too large, or no change, is refused and changes nothing', async () => {
  const pod = await start(place(), { bodyLimit: 10_000 });
  const client = pod.dial();
  await expect(client.change(whole(1, authority('x'.repeat(20_000))))).rejects.toThrow(
    /413|closed|hang up|EPIPE/,
  );
  await expect(pod.dial().change({ ...whole(1, {}), put: { pods: {} } } as never)).rejects.toThrow(
    /400: .*pods: no such domain/,
  );
  const answer = await new Promise<number | undefined>((resolve, reject) => {
    const options: RequestOptions & Pick<ConnectionOptions, 'pskCallback'> = {
      ...pskOptions,
      host: '127.0.0.1',
      port: pod.server.port,
      path: '/v1/else',
      pskCallback: () => ({ psk: readKey(key), identity: 'x/gw' }),
      agent: false,
    };
    const outgoing = request(options, (incoming) => resolve(incoming.resume().statusCode));
    outgoing.once('error', reject);
    outgoing.end();
  });
  expect(answer).toBe(404);
  expect(pod.gateway.status().generation).toBe(0);
});

test('while nginx is gone a change is held and not acknowledged; nginx gets it when it is back', async () => {
  const pod = await start(place(), { nginxDeadlineMs: 200 });
  const client = pod.dial();
  pod.fake.setRunning(false);
  await expect(client.change(whole(1, authority('one')))).rejects.toThrow(/503.*nginx does not answer/);
  expect(await client.status()).toMatchObject({ generation: 1, waiting: expect.stringContaining('nginx') });
  pod.fake.setRunning(true);
  await eventually(() => expect(pod.fake.dump()).toEqual(['authorities/a {"certificates":"one"}']));
  expect(await client.change(delta(2, authority('two')))).toEqual({
    answer: { generation: 2, problems: [] },
  });
});

test('a change that nginx misses for a moment is answered when nginx has it', async () => {
  const pod = await start(place());
  const client = pod.dial();
  await client.change(whole(1, authority('one')));
  pod.fake.setRunning(false);
  const answer = client.change(delta(2, authority('two')));
  await eventually(() => expect(pod.gateway.status().generation).toBe(2));
  pod.fake.restart();
  pod.fake.setRunning(true);
  expect(await answer).toEqual({ answer: { generation: 2, problems: [] } });
  expect(pod.fake.dump()).toEqual(['authorities/a {"certificates":"two"}']);
});

test('what is held outlives the process, with its generation, and nginx is told again', async () => {
  const directory = place();
  const first = await start(directory);
  const put = {
    ...authority('one'),
    backends: { plain: backend(['10.0.0.1:80']), tls: backend(['10.0.0.2:443'], 'i') },
    identities: { i: identity('web.example') },
  };
  await first.dial().change(whole(5, put));
  await first.dial().change(delta(6, authority('two')));
  const held = first.fake.dump();
  expect(held).toHaveLength(3);
  expect(held.join()).toContain(`unix:${directory}/tls/`);
  await first.end();

  const second = await start(directory);
  expect(second.gateway.status().generation).toBe(6);
  await eventually(() => expect(second.fake.dump()).toEqual(held));
  const client = second.dial();
  expect(await client.change(delta(7, authority('three')))).toEqual({
    answer: { generation: 7, problems: [] },
  });
  expect((await client.status()).waiting).toBeUndefined();
});

test('what was held and makes no sense any more is left, and the controller is asked for all', async () => {
  const directory = place();
  mkdirSync(`${directory}/held`, { recursive: true });
  const odd = whole(7, {
    backends: { web: { identity: 'i' } as never },
    identities: { i: identity('a.example') },
  });
  writeFileSync(`${directory}/held/changes`, `${JSON.stringify(odd)}\n`);
  const pod = await start(directory);
  expect(pod.lines.join()).toContain('can not be read');
  const client = pod.dial();
  expect(await client.change(delta(8, {}))).toMatchObject({ refused: { generation: 0 } });
  expect(await client.change(whole(9, authority('one')))).toMatchObject({ answer: { generation: 9 } });
});

test('what nginx and the originator can not hold is told, the rest is held', async () => {
  const pod = await start(place());
  pod.fake.refused.add('authorities/a');
  const client = pod.dial();
  const answer = await client.change(
    whole(1, { ...authority('one'), backends: { tls: backend(['10.0.0.2:443'], 'gone') } }),
  );
  expect(answer).toEqual({
    answer: {
      generation: 1,
      problems: [
        { entry: 'authorities/a', reason: 'no memory' },
        { entry: 'backends/tls', reason: 'no endpoints: there is no identity gone' },
      ],
    },
  });
  expect((await client.status()).problems).toHaveLength(2);
});

test('a pod that can not be reached, or is silent, is given up in time', async () => {
  const { createServer } = await import('node:net');
  const silent = createServer(() => {});
  ends.push(() => silent.close());
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  const { port } = silent.address() as { port: number };
  const client = connectFeed({ address: '127.0.0.1', port, key, identity: 'x/gw', deadlineMs: 200 });
  await expect(client.status()).rejects.toThrow(/within 0\.2 s/);
  client.close();
  expect(() => connectFeed({ address: '127.0.0.1', key: 'short', identity: 'x/gw' })).toThrow(
    '64 hexadecimal',
  );
});
