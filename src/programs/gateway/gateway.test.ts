/** Sockets of the originator around a change: there before nginx names them, and gone only once it no longer does. */
import { afterEach, expect, test } from 'vitest';
import type { GatewayAnswer, GatewayChange } from '#intent/gateway.ts';
import { silentLog } from '#telemetry/log.ts';
import { createRegistry } from '#telemetry/metrics.ts';
import { startGateway } from './gateway.ts';
import { backend, delta, identity, scratch, whole } from './testing.ts';

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

/** An nginx that takes a change when it is let, and a list of everything in order. */
async function start() {
  const { directory, remove } = scratch();
  ends.push(remove);
  const events: string[] = [];
  const open = new Set<string>();
  let named: readonly string[] = [];
  let isReady = false;
  let fail = 0;
  const gateway = await startGateway({
    instance: 'one',
    directory,
    sockets: '/s',
    originator: {
      async open({ path }) {
        open.add(path);
        return undefined;
      },
      leave(path) {
        events.push(`leave ${named.includes(`unix:${path}`) ? 'too early' : 'late enough'}`);
        open.delete(path);
      },
    },
    nginx: {
      async apply(change: GatewayChange): Promise<GatewayAnswer> {
        const endpoints = Object.values(change.put.backends ?? {}).flatMap((each) => each.endpoints);
        for (const endpoint of endpoints) {
          if (!open.has(endpoint.slice('unix:'.length))) events.push('named before it was there');
        }
        isReady = false;
        if (fail-- > 0) throw new Error('nginx is away');
        if (change.put.backends?.['web'] !== undefined || change.remove.backends !== undefined)
          named = endpoints;
        isReady = true;
        return { generation: change.generation, problems: [] };
      },
      ready: () => isReady,
    },
    nginxDeadlineMs: 100,
    log: silentLog,
    metrics: createRegistry(),
  });
  ends.push(() => gateway.close());
  return {
    gateway,
    events,
    open,
    named: () => named,
    failNext: () => {
      fail = 1;
    },
  };
}

const first = whole(1, {
  backends: { web: backend(['10.0.0.1:443', '10.0.0.2:443'], 'i') },
  identities: { i: identity('a.example') },
});

test('an edited identity gets new sockets, and the old ones go after nginx has the new', async () => {
  const { gateway, events, open, named } = await start();
  await gateway.accept(first);
  const before = [...open];
  await gateway.accept(delta(2, { identities: { i: identity('b.example') } }));
  expect(named()).toHaveLength(2);
  expect(open.size).toBe(2);
  expect(before.some((path) => open.has(path))).toBe(false);
  await gateway.accept(delta(3, {}, { backends: ['web'], identities: ['i'] }));
  expect(open.size).toBe(0);
  expect(events).toEqual(Array.from({ length: 4 }, () => 'leave late enough'));
});

test('while nginx is away it may still name the old ones: they stay until it has a later change', async () => {
  const { gateway, events, open, failNext } = await start();
  await gateway.accept(first);
  failNext();
  await expect(gateway.accept(delta(2, { identities: { i: identity('b.example') } }))).rejects.toThrow(
    'nginx does not answer',
  );
  expect(open.size).toBe(4);
  await gateway.accept(delta(3, { identities: { i: identity('a.example') } }));
  expect(open.size).toBe(2);
  expect(events).toEqual(['leave late enough', 'leave late enough']);
});
