/** Endpoints that pods of a gateway found not to answer, asked by way of an API server. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { intentOf } from '#engines/nginx/cases.ts';
import { createClient } from '#kube/client.ts';
import { createRegistry } from '#telemetry/metrics.ts';
import { askPods, readUnhealthy } from './gateway-health.ts';

const ends: (() => unknown)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

/** As programs/gateway says it. */
const metricsOf = (...endpoints: readonly string[]): string => {
  const registry = createRegistry();
  const gauge = registry.gauge({
    name: 'netloom_gateway_unhealthy_endpoints',
    help: '',
    labels: ['namespace', 'service', 'endpoint'],
  });
  for (const endpoint of endpoints) gauge.set(1, { namespace: 'shop', service: 'web:80/http', endpoint });
  return registry.text();
};

test('what pods say is read as they say it', () => {
  expect(readUnhealthy(metricsOf('10.0.0.1:80', '[fd00::1]:80'))).toEqual([
    { backend: 'shop/web:80/http', endpoint: '10.0.0.1:80' },
    { backend: 'shop/web:80/http', endpoint: '[fd00::1]:80' },
  ]);
  expect(readUnhealthy('')).toEqual([]);
});

test('each endpoint is told once, with how many pods say so; a pod that does not answer is told, too', async () => {
  const pods: Record<string, string> = {
    one: metricsOf('10.0.0.1:80', '10.0.0.2:80'),
    two: metricsOf('10.0.0.1:80'),
  };
  const server = createServer(({ url = '' }, response) => {
    const { pathname, searchParams } = new URL(url, 'http://api');
    if (pathname === '/api/v1/namespaces/shop/pods') {
      expect(searchParams.get('labelSelector')).toBe('gateway.networking.k8s.io/gateway-name=edge');
      const items = ['one', 'two', 'three'].map((name) => ({ metadata: { name } }));
      response.setHeader('Content-Type', 'application/json');
      return void response.end(JSON.stringify({ items, metadata: {} }));
    }
    const pod = /^\/api\/v1\/namespaces\/shop\/pods\/(\w+):9475\/proxy\/metrics$/.exec(pathname)?.[1] ?? '';
    response.statusCode = pods[pod] === undefined ? 500 : 200;
    response.setHeader('Content-Type', 'text/plain');
    response.end(pods[pod] ?? 'no');
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const client = createClient({ server: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
  ends.push(
    () => client.close(),
    () => server.close(),
  );
  const intent = intentOf({ backends: { 'shop/web:80/http': [] }, routes: {} });
  const told: string[] = [];
  expect(await askPods(client, { key: 'shop/edge', intent }, (line) => void told.push(line))).toEqual([
    'Service shop/shop/web:80/http: 10.0.0.1:80 does not answer its health check (2 of 3 pods)',
    'Service shop/shop/web:80/http: 10.0.0.2:80 does not answer its health check (1 of 3 pods)',
  ]);
  expect(told).toEqual([expect.stringMatching(/pod shop\/three can't be asked for the health of endpoints/)]);
});
