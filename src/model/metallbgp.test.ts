/** MetalLB's kinds for BGP: what is read out of them, and that each refusal names object, field and reason. */
import { describe, expect, test } from 'vitest';
import type { BGPAdvertisement } from '#api/kinds/bgpadvertisement.ts';
import type { BGPPeer } from '#api/kinds/bgppeer.ts';
import { readBGPAdvertisement } from './bgpadvertisement.ts';
import { readBGPPeer } from './bgppeer.ts';
import { parseCommunity, readCommunity } from './community.ts';
import { parseDuration } from './duration.ts';

const metadata = { name: 'x', namespace: 'metallb-system', creationTimestamp: '2026-01-01T00:00:00Z' };
type PeerSpec = NonNullable<BGPPeer['spec']>;
const least: PeerSpec = { myASN: 64_512, peerASN: 65_000, peerAddress: '10.0.0.1' };
const peer = (spec: PeerSpec | undefined) =>
  readBGPPeer({ apiVersion: 'metallb.io/v1beta2', kind: 'BGPPeer', metadata, spec });

describe('readBGPPeer', () => {
  test('the least', () => {
    expect(peer(least)).toEqual({
      problems: [],
      value: {
        origin: { kind: 'BGPPeer', namespace: 'metallb-system', name: 'x' },
        name: 'x',
        namespace: 'metallb-system',
        created: '2026-01-01T00:00:00Z',
        nodeSelectors: [],
        session: {
          address: '10.0.0.1',
          port: 179,
          localASN: 64_512,
          peerASN: 65_000,
          families: [4],
          multiHop: false,
          importPrefixes: [],
          gracefulRestart: false,
          servicesOnly: true,
        },
      },
    });
  });

  test('everything', () => {
    const { value, problems } = peer({
      ...least,
      localASN: 64_600,
      sourceAddress: '10.0.0.9',
      peerPort: 1179,
      holdTime: '1m30s',
      connectTime: '10s',
      routerID: '9.9.9.9',
      passwordSecret: { name: 's', namespace: 'metallb-system' },
      bfdProfile: 'fast',
      enableGracefulRestart: true,
      ebgpMultiHop: true,
      vrf: 'red',
      dualStackAddressFamily: true,
    });
    expect(problems).toEqual([]);
    expect(value).toMatchObject({
      password: {
        namespace: 'metallb-system',
        name: 's',
        key: 'password',
        type: 'kubernetes.io/basic-auth',
      },
      bfdProfile: 'metallb-system/fast',
      session: {
        shownASN: 64_600,
        sourceAddress: '10.0.0.9',
        port: 1179,
        timers: { hold: 90, keepalive: 30 },
        connectTime: 10,
        routerID: '9.9.9.9',
        gracefulRestart: true,
        multiHop: true,
        vrf: 'red',
        families: [4, 6],
      },
    });
  });

  test('unnumbered, and v1beta1', () => {
    const { peerAddress: _, peerASN: __, ...rest } = least;
    const { value } = peer({ ...rest, dynamicASN: 'external', interface: 'eth1' });
    expect(value?.session).toMatchObject({
      address: '',
      interface: 'eth1',
      peerASN: 'external',
      families: [4, 6],
    });
    expect(
      peer({ ...rest, dynamicASN: 'internal', interface: 'eth1', disableMP: true }).value?.session,
    ).toMatchObject({ families: [4], peerASN: 'internal' });
    expect(peer({ ...least, peerPort: 0 }).value?.session.port).toBe(179);
  });

  test('times', () => {
    const timers = (spec: Partial<PeerSpec>) => peer({ ...least, ...spec }).value?.session.timers;
    expect(timers({ holdTime: '0s' })).toEqual({ hold: 0, keepalive: 0 });
    expect(timers({ keepaliveTime: '5s' })).toEqual({ hold: 90, keepalive: 5 });
    expect(timers({ holdTime: '10s', keepaliveTime: '10s' })).toEqual({ hold: 10, keepalive: 10 });
    expect(parseDuration('1h2m3.5s')).toBe(3_723_500);
    expect(['', '5', '-1s', '1d', '1s ', 's'].map(parseDuration)).toEqual(Array(6).fill(undefined));
  });

  test.each<[Partial<PeerSpec>, string, string]>([
    [{ peerAddress: '' }, 'spec.peerAddress', 'Required'],
    [{ interface: 'eth1' }, 'spec.interface', 'NotSupported'],
    [{ peerAddress: 'router' }, 'spec.peerAddress', 'InvalidAddress'],
    [{ peerAddress: '127.0.0.1' }, 'spec.peerAddress', 'InvalidAddress'],
    [{ myASN: 0 }, 'spec.myASN', 'InvalidASN'],
    [{ peerASN: 0 }, 'spec.peerASN', 'Required'],
    [{ dynamicASN: 'internal' }, 'spec.dynamicASN', 'NotSupported'],
    [{ localASN: 64_512 }, 'spec.localASN', 'InvalidASN'],
    [{ localASN: 65_000 }, 'spec.localASN', 'InvalidASN'],
    [{ localASN: 64_600, peerASN: 64_512 }, 'spec.localASN', 'NotSupported'],
    [{ ebgpMultiHop: true, peerASN: 64_512 }, 'spec.ebgpMultiHop', 'NotSupported'],
    [{ disableMP: true, dualStackAddressFamily: true }, 'spec.disableMP', 'NotSupported'],
    [{ sourceAddress: 'fd00::1' }, 'spec.sourceAddress', 'WrongFamily'],
    [{ sourceAddress: 'x' }, 'spec.sourceAddress', 'InvalidAddress'],
    [{ holdTime: '2s' }, 'spec.holdTime', 'InvalidTimeout'],
    [{ holdTime: 'soon' }, 'spec.holdTime', 'InvalidTimeout'],
    [{ holdTime: '9s', keepaliveTime: '10s' }, 'spec.keepaliveTime', 'InvalidTimeout'],
    [{ connectTime: '1500ms' }, 'spec.connectTime', 'InvalidTimeout'],
    [{ routerID: '0.0.0.0' }, 'spec.routerID', 'InvalidAddress'],
    [{ password: 'two words' }, 'spec.password', 'PasswordUnusable'],
    [{ password: 'a', passwordSecret: { name: 's' } }, 'spec.passwordSecret', 'NotSupported'],
    [{ passwordSecret: { name: 's', namespace: 'other' } }, 'spec.passwordSecret.namespace', 'NotSupported'],
    [{ passwordSecret: { namespace: 'other' } }, 'spec.passwordSecret.name', 'Required'],
    [{ vrf: 'red blue' }, 'spec.vrf', 'InvalidInterface'],
    [{ interface: 'a/b', peerAddress: '' }, 'spec.interface', 'InvalidInterface'],
    [
      { nodeSelectors: [{ matchExpressions: [{ key: 'a', operator: 'Near' }] }] },
      'spec.nodeSelectors[0].matchExpressions[0].operator',
      'InvalidSelector',
    ],
  ])('%j is refused at %s', (spec, field, code) => {
    const { value, problems } = peer({ ...least, ...spec });
    expect(value).toBeUndefined();
    expect(problems.map((each) => [each.field, each.code])).toEqual([[field, code]]);
    expect(problems[0]?.object).toEqual({ kind: 'BGPPeer', namespace: 'metallb-system', name: 'x' });
  });

  test('without a spec', () => {
    expect(peer(undefined).problems).toMatchObject([{ field: 'spec', code: 'Required' }]);
  });
});

describe('readBGPAdvertisement', () => {
  const ad = (spec: BGPAdvertisement['spec']) =>
    readBGPAdvertisement({ apiVersion: 'metallb.io/v1beta1', kind: 'BGPAdvertisement', metadata, spec });

  test('without a spec it takes everything, address by address', () => {
    expect(ad(undefined)).toMatchObject({
      problems: [],
      value: { pools: [], peers: [], communities: [], lengths: { 4: 32, 6: 128 } },
    });
  });

  test.each<[NonNullable<BGPAdvertisement['spec']>, string, string]>([
    [{ aggregationLength: 33 }, 'spec.aggregationLength', 'InvalidRange'],
    [{ aggregationLengthV6: 0 }, 'spec.aggregationLengthV6', 'InvalidRange'],
    [{ localPref: -1 }, 'spec.localPref', 'InvalidRange'],
    [{ aggregationLength: 24, serviceSelectors: [{}] }, 'spec.serviceSelectors', 'NotSupported'],
    [
      { nodeSelectors: [{ matchExpressions: [{ key: 'a', operator: 'In' }] }] },
      'spec.nodeSelectors[0].matchExpressions[0].values',
      'InvalidSelector',
    ],
  ])('%j is refused at %s', (spec, field, code) => {
    expect(ad(spec).value).toBeUndefined();
    expect(ad(spec).problems.map((each) => [each.field, each.code])).toEqual([[field, code]]);
  });
});

test('readCommunity: names, and what they stand for', () => {
  const { value, problems } = readCommunity({
    apiVersion: 'metallb.io/v1beta1',
    kind: 'Community',
    metadata,
    spec: {
      communities: [
        { name: 'near', value: '65000:0100' },
        { name: 'far', value: 'large:65000:1:2' },
        { name: 'near', value: '1:1' },
        { name: 'bad', value: '65536:1' },
        { name: '1:2', value: '1:1' },
        { value: '1:1' },
      ],
    },
  });
  expect([...value!.values]).toEqual([
    ['near', '65000:100'],
    ['far', '65000:1:2'],
  ]);
  expect(problems.map(({ field, code }) => `${field} ${code}`)).toEqual([
    'spec.communities[2].name DuplicateName',
    'spec.communities[3].value InvalidCommunity',
    'spec.communities[4].name WrongName',
    'spec.communities[5].name Required',
  ]);
  expect(['large:1:2', '1:2:3', 'large:4294967296:1:1', '1:', 'no-export'].map(parseCommunity)).toEqual(
    Array(5).fill(undefined),
  );
});
