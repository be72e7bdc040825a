/** Health checks: whom nginx is told of, by what real servers and made-up ones answer. */
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createHttp2Server } from 'node:http2';
import { type AddressInfo, createServer as createTcpServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import type { GatewayBackendIntent } from '#intent/gateway.ts';
import type { GatewayHealthCheck } from '#intent/gateway-policy.ts';
import { eventually } from '#lab/eventually.ts';
import { silentLog } from '#telemetry/log.ts';
import { createRegistry } from '#telemetry/metrics.ts';
import { backend, delta, scratch, whole } from '../testing.ts';
import { createHealthChecks } from './checks.ts';
import { type Probed, probe } from './probe.ts';
import { createTurns } from './turns.ts';
import { afterAnswer, presumed, type Verdict } from './verdicts.ts';

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

const check: GatewayHealthCheck = { protocol: 'http', interval: 100, timeout: 500, healthy: 1, unhealthy: 1 };

describe('a verdict', () => {
  test('changes by answers in a row', () => {
    const limits = { healthy: 2, unhealthy: 3 };
    const after = (answers: string): string => {
      let verdict: Verdict = presumed;
      return answers
        .split('')
        .map((one) => {
          verdict = afterAnswer(verdict, one === '+' ? undefined : 'no', limits);
          return verdict.healthy ? 'h' : 'u';
        })
        .join('');
    };
    expect(after('--+---+-++')).toBe('hhhhhuuuuh');
    expect(after('---')).toBe('hhu');
  });
});

test('who wants much waits, and others get their turn meanwhile', async () => {
  const turns = createTurns(3, 2);
  const began: string[] = [];
  const ending: (() => void)[] = [];
  const work = (name: string) => () => {
    began.push(name);
    return new Promise<void>((resolve) => ending.push(resolve));
  };
  const done = ['a', 'a', 'a', 'a', 'b', 'b', 'c'].map((party, at) =>
    turns.run(party, work(`${party}${at}`)),
  );
  const next = async () => {
    ending.shift()?.();
    await new Promise(setImmediate);
    return began.at(-1);
  };
  expect(began).toEqual(['a0', 'a1', 'b4']);
  expect([await next(), await next(), await next(), await next()]).toEqual(['a2', 'b5', 'c6', 'a3']);
  for (const end of ending) end();
  await Promise.all(done);
});

describe('a question', () => {
  const listening = async (server: Server, where?: string): Promise<string> => {
    await once(server.listen(where ?? { port: 0, host: '127.0.0.1' }), 'listening');
    ends.push(() => server.close());
    const address = server.address();
    return typeof address === 'string' ? address : `127.0.0.1:${(address as AddressInfo).port}`;
  };
  const answers: RequestListener = (request, response) => {
    const { url = '', headers } = request;
    response.statusCode =
      url === '/healthz' && (headers.host ?? headers[':authority']) !== 'wrong' ? 204 : 500;
    response.end('x'.repeat(100_000));
  };
  const ask = (asked: Partial<Probed> & { endpoint: string }, more: Partial<GatewayHealthCheck> = {}) =>
    probe({ protocol: 'http1', ...asked, check: { ...check, ...more } }, new AbortController().signal);

  test('is answered well or not, over HTTP/1.1, HTTP/2 and a socket of the originator', async () => {
    const { directory, remove } = scratch();
    ends.push(remove);
    const http1 = await listening(createServer(answers));
    const http2 = await listening(createHttp2Server(answers as never));
    const socket = await listening(createServer(answers), join(directory, 'tls.sock'));
    for (const asked of [
      { endpoint: http1 },
      { endpoint: http2, protocol: 'http2' as const },
      { endpoint: '10.0.0.1:1', socket },
    ]) {
      expect(await ask(asked, { path: '/healthz' })).toBeUndefined();
      expect(await ask(asked)).toBe('it answers 500');
      expect(
        await ask(asked, {
          codes: [
            [404, 404],
            [500, 599],
          ],
        }),
      ).toBeUndefined();
      expect(await ask(asked, { path: '/healthz', host: 'wrong' })).toBe('it answers 500');
    }
    expect(await ask({ endpoint: http1, protocol: 'http2' })).toBeDefined();
    expect(await ask({ endpoint: '127.0.0.1:1' })).toMatch(/ECONNREFUSED/);
    expect(await ask({ endpoint: http1 }, { path: '/a b' })).toMatch(/path/);
  });

  test('for a connection is answered by one, and by nobody in time', async () => {
    const silent = await listening(createTcpServer());
    expect(await ask({ endpoint: silent }, { protocol: 'tcp' })).toBeUndefined();
    expect(await ask({ endpoint: '127.0.0.1:1' }, { protocol: 'tcp' })).toMatch(/ECONNREFUSED/);
    expect(await ask({ endpoint: silent }, { timeout: 50 })).toBe('no answer within 50 ms');
  });
});

describe('what nginx is told', () => {
  const three = ['10.0.0.1:80', '10.0.0.2:80', '10.0.0.3:80'];
  const checkedBackend = (endpoints: readonly string[], more: Partial<GatewayBackendIntent> = {}) => ({
    ...backend(endpoints),
    health: check,
    ...more,
  });
  const open = () => {
    const bad = new Set<string>();
    const asked = new Set<string>();
    let changes = 0;
    let most = 0;
    let now = 0;
    const metrics = createRegistry();
    const checks = createHealthChecks({
      log: silentLog,
      metrics,
      random: () => 0,
      onChange: () => {
        changes += 1;
      },
      ask: async ({ endpoint }) => {
        asked.add(endpoint);
        now += 1;
        most = Math.max(most, now);
        await new Promise((resolve) => setTimeout(resolve, 1));
        now -= 1;
        return bad.has(endpoint) ? 'down' : undefined;
      },
    });
    ends.push(() => checks.close());
    const used = () => checks.backend('x/web:80')?.endpoints;
    return { checks, bad, asked, used, metrics, changes: () => changes, most: () => most };
  };

  test('leaves out who does not answer while others do', async () => {
    const { checks, bad, used, metrics, asked } = open();
    const held = whole(1, { backends: { 'x/web:80': checkedBackend(three), 'x/plain:80': backend(three) } });
    expect(checks.take(held, () => undefined)).toEqual(held);
    bad.add(three[1]!);
    await eventually(async () => expect(used()).toEqual([three[0], three[2]]));
    expect(checks.unhealthy()).toEqual([{ backend: 'x/web:80', endpoint: three[1], reason: 'down' }]);
    expect(metrics.text()).toContain(
      'netloom_gateway_unhealthy_endpoints{namespace="x",service="web:80",endpoint="10.0.0.2:80"} 1',
    );
    // A change of the controller's brings it back no more than it is well.
    const four = [...three, '10.0.0.4:80'];
    const change = checks.take(delta(2, { backends: { 'x/web:80': checkedBackend(four) } }), () => undefined);
    expect(change.put.backends?.['x/web:80']?.endpoints).toEqual([three[0], three[2], four[3]]);
    // If nobody answers, it is the check that is wrong.
    for (const endpoint of four) bad.add(endpoint);
    await eventually(async () => expect(checks.unhealthy()).toHaveLength(4));
    expect(used()).toEqual(four);
    bad.delete(three[1]!);
    await eventually(async () => expect(used()).toEqual([three[1]]));
    // Without the check all are used; of what is gone nobody is asked.
    checks.take(delta(3, { backends: { 'x/web:80': backend(three) } }), () => undefined);
    expect(used()).toBeUndefined();
    expect(checks.unhealthy()).toEqual([]);
    expect(metrics.text()).not.toContain('service="web:80"');
    expect(asked).not.toContain('10.0.0.9:80');
  });

  test('calls endpoints by TLS by their own names, and never asks more than so many at once', async () => {
    const { checks, bad, asked, most, used } = open();
    const names = Array.from({ length: 200 }, (_, at) => `10.0.1.${at}:443`);
    const paths = names.map((_, at) => `unix:/s/${at}.sock`);
    checks.take(whole(1, { backends: { 'x/web:80': checkedBackend(paths) } }), () => checkedBackend(names));
    bad.add(names[7]!);
    await eventually(async () => expect(asked.size).toBe(200));
    await eventually(async () => expect(used()).toHaveLength(199));
    expect(used()).not.toContain(paths[7]);
    expect(checks.unhealthy()).toMatchObject([{ endpoint: names[7] }]);
    expect(most()).toBeLessThanOrEqual(16);
  });
});
