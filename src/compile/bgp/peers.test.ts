/** BGPPeers beside BGPNeighbors: which session each is, what is refused, and on whose word. */
import { describe, expect, test } from 'vitest';
import type { BGPPeer } from '#api/kinds/bgppeer.ts';
import { readBFDProfile } from '#model/bfdprofile.ts';
import type { BGPNeighborModel } from '#model/bgpneighbor.ts';
import { type BGPPeerModel, readBGPPeer } from '#model/bgppeer.ts';
import type { NodeModel } from '#model/node.ts';
import { compileBGP, type Password } from './compile.ts';
import { conflicts } from './conflicts.ts';

const node: NodeModel = {
  origin: { kind: 'Node', name: 'a' },
  name: 'a',
  uid: 'u',
  addresses: ['192.168.66.11', 'fd66::11'],
  labels: { rack: 'r1' },
};
const neighbor: BGPNeighborModel = {
  origin: { kind: 'BGPNeighbor', name: 'tor' },
  name: 'tor',
  created: '2026-01-01T00:00:00Z',
  address: '192.168.66.1',
  port: 179,
  localASN: 64_512,
  peerASN: 65_000,
  families: [4],
  multiHop: false,
  importPrefixes: [],
};
const peer = (name: string, spec: Partial<NonNullable<BGPPeer['spec']>> = {}, created = 2): BGPPeerModel => {
  const { value, problems } = readBGPPeer({
    apiVersion: 'metallb.io/v1beta2',
    kind: 'BGPPeer',
    metadata: { name, namespace: 'm', creationTimestamp: `2026-01-0${created}T00:00:00Z` },
    spec: { myASN: 64_512, peerASN: 65_000, peerAddress: '192.168.66.2', ...spec },
  });
  expect(problems).toEqual([]);
  return value!;
};
const profile = (name: string, spec: object) => {
  const { value } = readBFDProfile({
    apiVersion: 'metallb.io/v1beta1',
    kind: 'BFDProfile',
    metadata: { name, namespace: 'm' },
    spec,
  });
  return [value!.key, value!] as const;
};
const compiled = (
  peers: readonly BGPPeerModel[],
  profiles: readonly (readonly [string, ReturnType<typeof profile>[1]])[] = [],
  passwords: ReadonlyMap<string, Password> = new Map(),
) => compileBGP({ neighbors: [neighbor], peers, profiles: new Map(profiles), nodes: [node], passwords }, 'a');
const told = ({ problems }: Pick<ReturnType<typeof compiled>, 'problems'>) =>
  problems.map(
    ({ object, field, code, message }) => `${object.kind} ${object.name} ${field} ${code}: ${message}`,
  );

test('a BGPPeer is a session beside that of a BGPNeighbor, and takes nothing', () => {
  const { value, problems } = compiled([peer('vip')]);
  expect(problems).toEqual([]);
  expect(Object.keys(value.bgpNeighbors)).toEqual(['BGPPeer/m/vip', 'tor']);
  expect(value.bgpNeighbors['BGPPeer/m/vip']).toMatchObject({
    origin: { kind: 'BGPPeer', namespace: 'm', name: 'vip' },
    address: '192.168.66.2',
    importPrefixes: [],
    gracefulRestart: false,
    servicesOnly: true,
  });
});

test('nodeSelectors: any of them', () => {
  const selectors = [{ matchLabels: { rack: 'r2' } }, { matchLabels: { rack: 'r1' } }];
  expect(Object.keys(compiled([peer('p', { nodeSelectors: selectors })]).value.bgpNeighbors)).toHaveLength(2);
  const none = compiled([peer('p', { nodeSelectors: selectors.slice(0, 1) })]);
  expect(Object.keys(none.value.bgpNeighbors)).toEqual(['tor']);
});

test.each<[string, readonly BGPPeerModel[], string]>([
  [
    'another AS for the node',
    [peer('p', { myASN: 64_513 })],
    'BGPPeer p spec.myASN ASNConflict: BGPNeighbor tor, which is older and on the same nodes, says AS 64512; this one is not used there',
  ],
  [
    'an address twice',
    [peer('p', { peerAddress: '192.168.66.1' })],
    'BGPPeer p spec.peerAddress Overlap: is the address of BGPNeighbor tor, which is older',
  ],
  [
    'another router ID for the node',
    [peer('p', { routerID: '1.1.1.1' }), peer('q', { routerID: '1.1.1.2', peerAddress: '192.168.66.3' }, 3)],
    'BGPPeer q spec.routerID RouterIDConflict: BGPPeer m/p, which is older and on the same nodes, says 1.1.1.1; this one is not used there',
  ],
])('refused, by node and by cluster: %s', (_, peers, problem) => {
  expect(told(compiled(peers))).toEqual([problem]);
  expect(told({ problems: conflicts([neighbor], [node], peers) })).toEqual([problem]);
});

test('a VRF is a table of its own: another AS, and the same address', () => {
  const { value, problems } = compiled([
    peer('p', { vrf: 'red', myASN: 64_600, peerAddress: '192.168.66.1' }),
  ]);
  expect(problems).toEqual([]);
  expect(value.bgpNeighbors['BGPPeer/m/p']).toMatchObject({ vrf: 'red', localASN: 64_600 });
});

describe('what it refers to', () => {
  test('a password from a Secret: no session without it', () => {
    const with1 = [peer('p', { passwordSecret: { name: 's' } })];
    const key = 'm/s/password kubernetes.io/basic-auth';
    expect(compiled(with1)).toMatchObject({ problems: [] });
    expect(Object.keys(compiled(with1).value.bgpNeighbors)).toEqual(['tor']);
    const missing = compiled(with1, [], new Map([[key, { missing: 'Secret m/s: does not exist' }]]));
    expect(told(missing)).toEqual([
      'BGPPeer p spec.passwordSecret PasswordMissing: Secret m/s: does not exist',
    ]);
    const there = compiled(with1, [], new Map([[key, { value: 'x' }]]));
    expect(there.value.bgpNeighbors['BGPPeer/m/p']?.password).toBe('x');
    expect(compiled([peer('p', { password: 'y' })]).value.bgpNeighbors['BGPPeer/m/p']?.password).toBe('y');
  });

  test('a BFDProfile: no session without it; what it can do for nobody is told', () => {
    const fast = profile('fast', { receiveInterval: 100, echoMode: true, passiveMode: true, minimumTtl: 9 });
    expect(told(compiled([peer('p', { bfdProfile: 'fast' })]))).toEqual([
      'BGPPeer p spec.bfdProfile ReferenceNotFound: BFDProfile m/fast does not exist',
    ]);
    const near = compiled([peer('p', { bfdProfile: 'fast' })], [fast]);
    expect(near.value.bgpNeighbors['BGPPeer/m/p']?.bfd).toEqual({
      receiveInterval: 100,
      transmitInterval: 300,
      detectMultiplier: 3,
      echoInterval: 50,
      passive: true,
    });
    expect(told(near)).toEqual([
      'BGPPeer p spec.bfdProfile WithoutEffect: BFDProfile m/fast has minimumTtl, which is left out: the peer is one hop away',
    ]);
    const far = compiled([peer('p', { bfdProfile: 'fast', ebgpMultiHop: true })], [fast]);
    expect(far.value.bgpNeighbors['BGPPeer/m/p']?.bfd).toMatchObject({ minimumTTL: 9 });
    expect(told(far)[0]).toContain('echoMode, which is left out: the peer may be several hops away');
    const six = compiled([peer('p', { bfdProfile: 'fast', peerAddress: 'fd66::1' })], [fast]);
    expect(told(six)[0]).toContain('echoMode, which is left out: the session is one of IPv6');
  });
});
