/** What a load balancer is told at a healthCheckNodePort. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { eventually } from '#lab/eventually.ts';
import { silentLog } from '#telemetry/log.ts';
import { createHealthChecks, type HealthChecks } from './health-checks.ts';

let checks: HealthChecks | undefined;
let serving = true;
afterEach(async () => {
  await checks?.close();
  serving = true;
});
const open = (nodePort?: number) => (checks = createHealthChecks(() => serving, silentLog, nodePort));

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen({ host: '127.0.0.1', port: 0 }, resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

const check = (port: number, localEndpoints: number) => ({
  origin: { kind: 'Service', namespace: 'shop', name: 'web' },
  addresses: ['127.0.0.1', '::1'],
  port,
  localEndpoints,
});
const ask = async (port: number, host = '127.0.0.1') => {
  const response = await fetch(`http://${host}:${port}/healthz`);
  return {
    status: response.status,
    weight: response.headers.get('x-load-balancing-endpoint-weight'),
    body: (await response.json()) as unknown,
  };
};

it('is 200 with endpoints here and 503 without, in both families', async () => {
  const port = await freePort();
  const mine = open();
  mine.set({ 'shop/web': check(port, 2) });
  for (const host of ['127.0.0.1', '[::1]']) {
    await eventually(async () =>
      expect(await ask(port, host)).toEqual({
        status: 200,
        weight: '2',
        body: { service: { namespace: 'shop', name: 'web' }, localEndpoints: 2, serviceProxyHealthy: true },
      }),
    );
  }
  mine.set({ 'shop/web': check(port, 0) });
  expect(await ask(port)).toMatchObject({ status: 503, weight: '0', body: { localEndpoints: 0 } });
  mine.set({ 'shop/web': check(port, 1) });
  expect(await ask(port)).toMatchObject({ status: 200 });
  serving = false;
  expect(await ask(port)).toMatchObject({ status: 503, body: { serviceProxyHealthy: false } });
  mine.set({});
  await eventually(() => expect(ask(port)).rejects.toThrow());
});

it('names the port that another program has', async () => {
  const port = await freePort();
  const other = createServer();
  await new Promise<void>((resolve) => other.listen({ host: '127.0.0.1', port }, resolve));
  try {
    const mine = open();
    mine.set({ 'shop/web': check(port, 1) });
    await eventually(() =>
      expect(mine.problems()).toEqual([
        {
          engine: 'datapath',
          entry: 'healthChecks/shop/web',
          reason: `can't listen on 127.0.0.1 ${port}: EADDRINUSE`,
        },
      ]),
    );
    await eventually(async () => expect(await ask(port, '[::1]')).toMatchObject({ status: 200 }));
  } finally {
    await new Promise((resolve) => other.close(resolve));
  }
});

it('sends new connections elsewhere while the node is leaving, and lives on', async () => {
  const port = await freePort();
  const mine = open(port);
  const status = async (path: string) => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`);
    return [response.status, await response.json()];
  };
  mine.setNode({ addresses: ['127.0.0.1'] });
  await eventually(async () => expect(await status('/healthz')).toEqual([200, { nodeEligible: true }]));
  mine.setNode({ addresses: ['127.0.0.1'], leaving: true });
  expect(await status('/healthz')).toEqual([503, { nodeEligible: false }]);
  expect(await status('/livez')).toEqual([200, { nodeEligible: false }]);
  serving = false;
  expect((await status('/livez'))[0]).toBe(503);
  expect(mine.problems()).toEqual([]);
});
