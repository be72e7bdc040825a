/** The gateways of a cluster, asked of an API server: Secrets by name only. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { crdOf } from '#api/crd.ts';
import { gatewayKind } from '#api/kinds/gateway.ts';
import { gatewayClassKind } from '#api/kinds/gatewayclass.ts';
import { httpRouteKind } from '#api/kinds/httproute.ts';
import type { KubeObject } from '#api/object.ts';
import { explainRequest } from '#compile/answers/request.ts';
import { type Client, createClient } from '#kube/client.ts';
import { type TestServer, testServer } from '#lab/apiserver/testing.ts';
import { sourceRoot } from '#lab/paths.ts';
import { applyObjects } from '../cluster.ts';
import { readRequest } from '../why-request.ts';
import { clusterGateways } from './gateway-source.ts';

let api: TestServer;
let client: Client;

beforeAll(async () => {
  api = await testServer();
  const { authority, admin } = api.server.pki;
  client = createClient({
    server: api.url,
    ca: authority.certificate,
    cert: admin.certificate,
    key: admin.key,
  });
});

afterAll(async () => {
  client?.close();
  await api?.close();
});

const example = parseAllDocuments(readFileSync(join(sourceRoot, 'examples/gateway.yaml'), 'utf8'))
  .map((document) => document.toJS() as KubeObject)
  .filter(({ kind }) => kind !== 'Deployment');

const gatewayClass = {
  apiVersion: 'gateway.networking.k8s.io/v1',
  kind: 'GatewayClass',
  metadata: { name: 'netloom' },
  spec: { controllerName: 'netloom.dev/gateway' },
} as KubeObject;

/** Of the API server, which is as good a certificate as any. */
function secret(name: string): KubeObject {
  const { certificate, key } = api.server.pki.admin;
  const data = {
    'tls.crt': Buffer.from(certificate).toString('base64'),
    'tls.key': Buffer.from(key).toString('base64'),
  };
  const metadata = { name, namespace: 'default' };
  return { apiVersion: 'v1', kind: 'Secret', metadata, type: 'kubernetes.io/tls', data } as KubeObject;
}

test('a cluster without these kinds has none; then one that has', async () => {
  const progress: string[] = [];
  const found = () => clusterGateways(client, (line) => progress.push(line));
  expect(await found()).toMatchObject({ gateways: [], problems: [] });

  await applyObjects(client, [crdOf(gatewayClassKind), crdOf(gatewayKind), crdOf(httpRouteKind)]);
  await applyObjects(client, [gatewayClass, ...example]);
  const made = await client.get<KubeObject>(gatewayKind, 'edge', 'default');
  const addresses = [{ type: 'IPAddress', value: '192.0.2.7' }];
  await client.updateStatus(gatewayKind, { ...made, status: { addresses } });
  const { gateways } = await found();
  expect(gateways).toMatchObject([{ key: 'default/edge', addresses: ['192.0.2.7'] }]);
  const { outcome, backends } = explainRequest(
    'default/edge',
    gateways[0]!.intent,
    readRequest('http://shop.example/cart', {}),
  );
  // There are Services, but nobody makes pods here.
  expect(outcome).toBe('refused');
  expect(backends).toMatchObject([
    { share: 90, service: { name: 'shop' }, code: 503 },
    { share: 10, service: { name: 'shop-new' }, code: 503 },
  ]);
  expect(progress).toEqual([]);
});

test('a listener with a certificate is served once its Secret is there', async () => {
  const made = await client.get<KubeObject>(gatewayKind, 'edge', 'default');
  const tls = { certificateRefs: [{ name: 'tls' }] };
  const listeners = [{ name: 'https', port: 443, protocol: 'HTTPS', tls }];
  await client.update(gatewayKind, { ...made, spec: { gatewayClassName: 'netloom', listeners } });
  const ports = async () => {
    const { gateways } = await clusterGateways(client, () => undefined);
    return gateways.map(({ intent }) => Object.keys(intent.ports));
  };
  expect(await ports()).toEqual([[]]);
  await applyObjects(client, [secret('tls')]);
  expect(await ports()).toEqual([['tcp/443']]);
});
