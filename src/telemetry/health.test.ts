/** The health server over real HTTP. */
import { afterEach, expect, test } from 'vitest';
import { type Check, type HealthServer, startHealthServer } from './health.ts';
import { createRegistry } from './metrics.ts';

const servers: HealthServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

async function open(checks: readonly Check[], more?: () => Promise<string>) {
  const registry = createRegistry();
  registry.gauge({ name: 'up', help: 'Up.' }).set(1);
  const server = await startHealthServer({ host: '127.0.0.1', port: 0, registry, checks, more });
  servers.push(server);
  return async (path: string, method = 'GET') => {
    const answer = await fetch(`http://127.0.0.1:${server.port}${path}`, { method });
    return `${answer.status} ${await answer.text()}`;
  };
}

test('readiness asks every check, liveness only those that a restart would mend', async () => {
  let synced = false;
  const get = await open([
    { name: 'loop', live: true, check: () => undefined },
    { name: 'synced', check: () => (synced ? undefined : 'nodes are not listed yet') },
  ]);
  expect(await get('/livez')).toBe('200 ok');
  expect(await get('/healthz?verbose')).toBe('200 [+]loop ok\nhealthz check passed\n');
  expect(await get('/readyz')).toBe(
    '503 [+]loop ok\n[-]synced failed: nodes are not listed yet\nreadyz check failed\n',
  );
  expect(await get('/readyz?exclude=synced')).toBe('200 ok');
  expect(await get('/readyz/loop')).toBe('200 ok');
  synced = true;
  expect(await get('/readyz')).toBe('200 ok');
});

test('a check that throws or hangs has failed', async () => {
  const get = await open([
    { name: 'throws', check: () => Promise.reject(new Error('no socket')) },
    { name: 'hangs', check: () => new Promise(() => {}) },
  ]);
  expect(await get('/readyz')).toBe(
    '503 [-]throws failed: no socket\n[-]hangs failed: no answer within a second\nreadyz check failed\n',
  );
});

test('what another process counts comes after the own; without it the own still come', async () => {
  let answer = (): Promise<string> => Promise.resolve('theirs 2\n');
  const get = await open([], () => answer());
  const own = '# HELP up Up.\n# TYPE up gauge\nup 1\n';
  expect(await get('/metrics')).toBe(`200 ${own}theirs 2\n`);
  answer = () => new Promise(() => {});
  expect(await get('/metrics')).toBe(`200 ${own}`);
  answer = () => Promise.reject(new Error('no socket'));
  expect(await get('/metrics')).toBe(`200 ${own}`);
});

test('metrics, and a clear answer to anything else', async () => {
  const get = await open([]);
  expect(await get('/metrics')).toContain('200 # HELP up Up.');
  expect(await get('/other')).toContain('404 try /metrics');
  expect(await get('/readyz/unknown')).toContain('404');
  expect(await get('/metrics', 'POST')).toBe('405 GET only\n');
});

test('a port that is taken is an error at start', async () => {
  await open([]);
  const taken = servers[0]?.port as number;
  const again = startHealthServer({ host: '127.0.0.1', port: taken, registry: createRegistry(), checks: [] });
  await expect(again).rejects.toThrow('EADDRINUSE');
});
