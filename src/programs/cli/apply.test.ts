/** What Netloom's manifests do to a cluster that has kinds of the Network Policy API already; and that our example of policy is one. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { serviceType } from '#api/core.ts';
import { crdOf } from '#api/crd.ts';
import { clusterNetworkPolicyKind } from '#api/kinds/clusternetworkpolicy.ts';
import { gatewayKind } from '#api/kinds/gateway.ts';
import { gatewayGroup } from '#api/kinds/gatewayparts.ts';
import { httpRouteKind } from '#api/kinds/httproute.ts';
import { ipAddressPoolKind } from '#api/kinds/ipaddresspool.ts';
import { metallbGroup } from '#api/kinds/metallbparts.ts';
import { subnetKind } from '#api/kinds/subnet.ts';
import { kinds } from '#api/kinds.ts';
import type { KubeObject, ResourceType } from '#api/object.ts';
import {
  type ClusterNetworkPolicy,
  clusterNetworkPolicyType,
  type NetworkPolicy,
  networkPolicyType,
} from '#api/policies.ts';
import { type Client, createClient } from '#kube/client.ts';
import { type TestServer, testServer } from '#lab/apiserver/testing.ts';
import { readClusterNetworkPolicy } from '#model/clusternetworkpolicy.ts';
import { readGateway } from '#model/gateway/gateway.ts';
import { readRoute } from '#model/gateway/route.ts';
import { readNetworkPolicy } from '#model/networkpolicy.ts';
import { applyObjects } from './cluster.ts';

const crdType: ResourceType = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  kind: 'CustomResourceDefinition',
  plural: 'customresourcedefinitions',
  namespaced: false,
};
const ours = crdOf(clusterNetworkPolicyKind);
const { name } = ours.metadata;

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

/** Applies, and gives what was said and what the cluster has then. */
async function apply(object: KubeObject): Promise<{ said: string[]; found: KubeObject }> {
  const said: string[] = [];
  await applyObjects(client, [object], (line) => said.push(line));
  return { said, found: await client.get(crdType, object.metadata.name) };
}

const columns = (crd: KubeObject) => {
  const { versions } = crd['spec'] as { versions: { additionalPrinterColumns?: { name: string }[] }[] };
  return (versions[0]?.additionalPrinterColumns ?? []).map((column) => column.name);
};

/** The definition as another release, or somebody else, has it: with other columns. */
function changed(crd: KubeObject, metadata: Partial<KubeObject['metadata']>): KubeObject {
  const spec = crd['spec'] as { versions: object[] };
  const versions = spec.versions.map((version) => ({ ...version, additionalPrinterColumns: [] }));
  return { ...crd, metadata: { ...crd.metadata, ...metadata }, spec: { ...spec, versions } };
}

const given = ours.metadata.annotations;

test('what is missing is installed, what an earlier release of Netloom installed is brought up to date', async () => {
  const earlier = changed(ours, {});
  await client.create(crdType, earlier);
  const { said, found } = await apply(ours);
  expect(said).toEqual([]);
  expect(columns(found)).toEqual(['Tier', 'Priority', 'Ready', 'Reason', 'Age']);
  await client.delete(crdType, name);
  expect(columns((await apply(ours)).found)).toContain('Tier');
  await client.delete(crdType, name);
});

test.each([
  ['installed by somebody else', { labels: {} }],
  [
    'replaced by upstream’s own',
    { annotations: { ...given, 'policy.networking.k8s.io/bundle-version': 'v0.2.0' } },
  ],
])('a definition %s is left as it is', async (_, metadata) => {
  await client.create(crdType, changed(ours, metadata));
  const { said, found } = await apply(ours);
  expect(said).toEqual([`${name}: there already and not Netloom's, left as it is`]);
  expect(columns(found)).toEqual([]);
  await client.delete(crdType, name);
});

test.each([
  ['has installed', { labels: {} }],
  ['has put over ours', { annotations: { 'controller-gen.kubebuilder.io/version': 'v0.19.0' } }],
])('a definition that MetalLB %s is left as it is', async (_, metadata) => {
  const pool = crdOf(ipAddressPoolKind);
  await client.create(crdType, changed(pool, metadata));
  const { said, found } = await apply(pool);
  expect(said).toEqual([`${pool.metadata.name}: there already and not Netloom's, left as it is`]);
  expect(columns(found)).toEqual([]);
  await client.delete(crdType, pool.metadata.name);
});

test('kinds of netloom.dev are always Netloom’s', async () => {
  const subnet = crdOf(subnetKind);
  await client.create(crdType, changed(subnet, { labels: {} }));
  const { said, found } = await apply(subnet);
  expect(said).toEqual([]);
  expect(columns(found)).not.toEqual([]);
});

test('examples/policy.yaml is taken by the API server, and read without a problem', async () => {
  const text = readFileSync(new URL('../../../examples/policy.yaml', import.meta.url), 'utf8');
  const objects = parseAllDocuments(text).map((document) => document.toJS() as KubeObject);
  await applyObjects(client, [ours, ...objects]);
  const [cluster] = (await client.list<ClusterNetworkPolicy>(clusterNetworkPolicyType)).items;
  const [network] = (await client.list<NetworkPolicy>(networkPolicyType)).items;
  expect(readClusterNetworkPolicy(cluster!)).toMatchObject({
    problems: [],
    value: {
      ingress: [{ field: 'spec.ingress[0] (monitoring)' }],
      egress: [{ field: 'spec.egress[0] (metadata-service)' }],
    },
  });
  expect(readNetworkPolicy(network!)).toMatchObject({
    problems: [],
    value: { subject: { namespaces: 'shop' } },
  });
});

test.each(['l2', 'bgp'])('examples/loadbalancer-%s.yaml is taken by the API server as it is', async (way) => {
  const url = new URL(`../../../examples/loadbalancer-${way}.yaml`, import.meta.url);
  const objects = parseAllDocuments(readFileSync(url, 'utf8')).map(
    (document) => document.toJS() as KubeObject,
  );
  await applyObjects(client, [...kinds.filter(({ group }) => group === metallbGroup).map(crdOf), ...objects]);
  const of = (kind: string) => objects.find((object) => object.kind === kind)?.metadata.name ?? '';
  const pool = await client.get(ipAddressPoolKind, of('IPAddressPool'), 'metallb-system');
  expect(pool['spec']).toMatchObject({ autoAssign: true });
  const service = await client.get(serviceType, of('Service'), 'default');
  expect(service['spec']).toMatchObject({ type: 'LoadBalancer' });
});

test.each([
  ['an earlier release of Netloom', 'v1.6.0', 'experimental', 'v1.6.0 experimental', true],
  ['upstream', 'v1.7.0', 'experimental', 'v1.6.1 experimental', false],
  ['upstream, of another channel,', 'v1.6.1', 'standard', 'v1.6.1 experimental', false],
])('a definition of Gateway API that %s has put there', async (_, bundle, channel, installed, isOurs) => {
  const gateway = crdOf(gatewayKind);
  const annotations = {
    ...gateway.metadata.annotations,
    [`${gatewayGroup}/bundle-version`]: bundle,
    [`${gatewayGroup}/channel`]: channel,
    'netloom.dev/installed-release': installed,
  };
  await client.create(crdType, changed(gateway, { annotations }));
  const { said, found } = await apply(gateway);
  expect(said).toHaveLength(isOurs ? 0 : 1);
  expect(found.metadata.annotations?.[`${gatewayGroup}/bundle-version`]).toBe(isOurs ? 'v1.6.1' : bundle);
  expect(columns(found).length > 0).toBe(isOurs);
  await client.delete(crdType, gateway.metadata.name);
});

test.each(['gateway', 'gateway-segment', 'gateway-tls', 'alb'])(
  'examples/%s.yaml is taken by the API server as it is',
  async (name) => {
    const url = new URL(`../../../examples/${name}.yaml`, import.meta.url);
    const objects = parseAllDocuments(readFileSync(url, 'utf8')).map(
      (document) => document.toJS() as KubeObject,
    );
    const needed = kinds.filter(
      ({ group, kind }) => group === gatewayGroup || group === metallbGroup || kind === 'ALB',
    );
    await applyObjects(client, [...needed.map(crdOf), ...objects]);
    const { name: found = '', namespace = 'default' } =
      objects.find(({ kind }) => kind === 'Gateway')?.metadata ?? {};
    expect(readGateway(await client.get(gatewayKind, found, namespace))).toMatchObject({ problems: [] });
    for (const route of (await client.list<KubeObject>(httpRouteKind)).items)
      expect(readRoute(route)).toMatchObject({ problems: [] });
  },
);
