/** What is wrong with MetalLB's kinds for BGP, judged for the cluster, and what their conditions say. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { crdOf } from '#api/crd.ts';
import { bgpAdvertisementKind } from '#api/kinds/bgpadvertisement.ts';
import { bgpPeerKind } from '#api/kinds/bgppeer.ts';
import { communityKind } from '#api/kinds/community.ts';
import { kinds } from '#api/kinds.ts';
import type { Condition, KubeObject, ResourceType } from '#api/object.ts';
import { type Client, createClient } from '#kube/client.ts';
import { type LabServer, startLabServer } from '#kube/testing/labserver.ts';
import { eventually } from '#lab/eventually.ts';
import type { NodeModel } from '#model/node.ts';
import { createLog } from '#telemetry/log.ts';
import { type BGPCaches, bgpProblems, reconcileBGPKinds, startBGPCaches } from './bgp-kinds.ts';

let api: LabServer;
let client: Client;
let caches: BGPCaches;
const namespace = 'default';
const log = createLog({ write: () => {} });
const crdType: ResourceType = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  kind: 'CustomResourceDefinition',
  plural: 'customresourcedefinitions',
  namespaced: false,
};
const node: NodeModel = {
  origin: { kind: 'Node', name: 'n1' },
  name: 'n1',
  uid: 'u',
  addresses: ['192.168.66.11'],
  labels: {},
};
const pool = {
  origin: { kind: 'IPAddressPool', namespace, name: 'p' },
  name: 'p',
  created: '',
  labels: {},
  ranges: [{ family: 4 as const, first: 0x0a09_0000n, last: 0x0a09_00ffn }],
  autoAssign: true,
  avoidsBuggyAddresses: false,
};
const make = (type: ResourceType, name: string, spec: object | undefined) =>
  client.create(type, {
    metadata: { name, namespace },
    ...(spec === undefined ? {} : { spec }),
  } as unknown as KubeObject);
/** One pass, and then the condition Ready. */
const ready = async (type: ResourceType, name: string): Promise<Partial<Condition> | undefined> => {
  const problems = bgpProblems(caches, [], [pool], [node]);
  await reconcileBGPKinds(client, caches, [node], problems, new Date(), log);
  const found = await client.get<KubeObject & { status?: { conditions?: Condition[] } }>(
    type,
    name,
    namespace,
  );
  return found.status?.conditions?.find(({ type: each }) => each === 'Ready');
};
const says = (type: ResourceType, name: string, condition: Partial<Condition>) =>
  eventually(async () => expect(await ready(type, name)).toMatchObject(condition));

beforeAll(async () => {
  api = await startLabServer();
  client = createClient(api.config);
  for (const kind of kinds.filter(({ group }) => group === 'metallb.io'))
    await client.create(crdType, crdOf(kind));
  await eventually(() => client.list(bgpPeerKind));
  caches = startBGPCaches(client, log);
  await Promise.all(Object.values(caches).map((cache) => cache.synced));
});
afterAll(async () => {
  for (const cache of Object.values(caches ?? {})) cache.stop();
  client?.close();
  await api?.close();
});

test('a BGPPeer: what is wrong with it, else whether its sessions stand; of either version', async () => {
  await make({ ...bgpPeerKind, version: 'v1beta1' }, 'old', {
    myASN: 64_512,
    peerASN: 65_000,
    peerAddress: '192.168.66.1',
  });
  await says(bgpPeerKind, 'old', {
    status: 'False',
    reason: 'SessionDown',
    message: 'no session on n1 (not told of yet)',
  });
  await client.patch(
    bgpPeerKind,
    { name: 'old', namespace, subresource: 'status' },
    {
      kind: 'merge',
      body: { status: { sessions: { n1: { state: 'Established' }, gone: { state: 'Established' } } } },
    },
  );
  await says(bgpPeerKind, 'old', { status: 'True', reason: 'Established' });
  await eventually(async () => {
    const { status } = await client.get<KubeObject & { status: { sessions: object } }>(
      bgpPeerKind,
      'old',
      namespace,
    );
    expect(Object.keys(status.sessions)).toEqual(['n1']);
  });
  await make(bgpPeerKind, 'second', { myASN: 64_512, peerASN: 65_000, peerAddress: '192.168.66.1' });
  await says(bgpPeerKind, 'second', {
    status: 'False',
    reason: 'Overlap',
    message: 'spec.peerAddress: is the address of BGPPeer default/old, which is older',
  });
  await make(bgpPeerKind, 'bad', { myASN: 64_512, peerAddress: 'x' });
  await says(bgpPeerKind, 'bad', {
    status: 'False',
    reason: 'InvalidAddress',
    message:
      'spec.peerAddress: "x" is not an IP address; spec.peerASN: needs the peer\'s AS number, or dynamicASN',
  });
});

test('a BGPAdvertisement and a Community', async () => {
  await make(bgpAdvertisementKind, 'all', undefined);
  await says(bgpAdvertisementKind, 'all', { status: 'True', reason: 'InEffect' });
  await make(bgpAdvertisementKind, 'named', { communities: ['near'] });
  await says(bgpAdvertisementKind, 'named', { status: 'False', reason: 'InvalidCommunity' });
  await make(communityKind, 'names', { communities: [{ name: 'near', value: '65000:1' }] });
  await says(bgpAdvertisementKind, 'named', { status: 'True' });
  await says(communityKind, 'names', { status: 'True' });
  await make(bgpAdvertisementKind, 'short', { aggregationLength: 16 });
  await says(bgpAdvertisementKind, 'short', { status: 'False', reason: 'InvalidRange' });
  await make(bgpAdvertisementKind, 'preferring', { localPref: 200 });
  await says(bgpAdvertisementKind, 'preferring', {
    status: 'False',
    reason: 'PreferenceConflict',
    message:
      'spec.localPref: BGPAdvertisement default/all, which is older, says no local preference of addresses of IPAddressPool p to the same routers; what this one says of it is left out',
  });
  await make(communityKind, 'bad', { communities: [{ name: 'far', value: 'large:1:2' }] });
  await says(communityKind, 'bad', { status: 'False', reason: 'InvalidCommunity' });
});
