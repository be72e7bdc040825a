/** Reading: what is accepted, and that each refusal names object, field and reason. */
import { describe, expect, test } from 'vitest';
import type { Node } from '#api/core.ts';
import type { BlockClaim } from '#api/kinds/blockclaim.ts';
import type { Subnet } from '#api/kinds/subnet.ts';
import { readWishes } from './address-wishes.ts';
import { readBlockClaim } from './blockclaim.ts';
import { readIPPool } from './ippool.ts';
import { readNode } from './node.ts';
import type { PodModel } from './pod.ts';
import { selects } from './selector.ts';
import { readSubnet } from './subnet.ts';

const subnet = (spec: Subnet['spec']): Subnet => ({
  apiVersion: 'netloom.dev/v1alpha1',
  kind: 'Subnet',
  metadata: { name: 's' },
  spec,
});

describe('readSubnet', () => {
  test('defaults: overlay, blocks of /26 and /122, outbound as the node, nobody let in', () => {
    expect(readSubnet(subnet({ cidrs: ['fd10::/56', '10.0.0.0/16'] }))).toMatchObject({
      problems: [],
      value: {
        cidrs: ['10.0.0.0/16', 'fd10::/56'],
        mode: 'overlay',
        blockSizes: { ipv4: 26, ipv6: 122 },
        masquerade: true,
        allowFrom: [],
      },
    });
  });

  test.each<[Subnet['spec'], string, string]>([
    [{ cidrs: ['10.0.0.1/16'] }, 'spec.cidrs[0]', 'InvalidCIDR'],
    [{ cidrs: ['10.0.0.0/16', 'nonsense'] }, 'spec.cidrs[1]', 'InvalidCIDR'],
    [{ cidrs: ['10.0.0.0/16', '10.0.128.0/24'] }, 'spec.cidrs[1]', 'Overlap'],
    [{ cidrs: ['127.0.0.0/16'] }, 'spec.cidrs[0]', 'ReservedCIDR'],
    [{ cidrs: ['0.0.0.0/0'] }, 'spec.cidrs[0]', 'ReservedCIDR'],
    [{ cidrs: ['10.0.0.0/28'] }, 'spec.cidrs[0]', 'SmallerThanBlock'],
    [{ cidrs: [] }, 'spec.cidrs', 'Required'],
  ])('%j is refused: %s %s', (spec, field, code) => {
    const { value, problems } = readSubnet(subnet(spec));
    expect(value).toBeUndefined();
    expect(problems).toMatchObject([{ object: { kind: 'Subnet', name: 's' }, field, code }]);
  });

  test('an underlay Subnet keeps its pods’ addresses and lets everybody in, unless it says otherwise', () => {
    const cidrs = ['192.168.66.0/24', 'fd66::/64'];
    const read = (spec: Partial<Subnet['spec']>) => readSubnet(subnet({ cidrs, mode: 'underlay', ...spec }));
    expect(read({})).toMatchObject({
      problems: [],
      value: { mode: 'underlay', masquerade: false, allowFrom: ['0.0.0.0/0', '::/0'], excluded: [] },
    });
    expect(read({ allowInboundFrom: [], outboundAddress: 'Node' }).value).toMatchObject({
      masquerade: true,
      allowFrom: [],
    });
  });

  test('a gateway is one address of its prefix, and no pod gets it', () => {
    const { value, problems } = readSubnet(
      subnet({
        cidrs: ['192.168.66.0/24', 'fd66::/64'],
        mode: 'underlay',
        gateway: ['192.168.66.1', 'fd66::1', '192.168.66.2', '10.0.0.1', 'x', '192.168.66.255'],
      }),
    );
    expect(value).toMatchObject({
      gateways: ['192.168.66.1', 'fd66::1'],
      excluded: ['192.168.66.1/32', 'fd66::1/128'],
    });
    expect(problems.map(({ field, code }) => [field, code])).toEqual([
      ['spec.gateway[2]', 'InvalidGateway'],
      ['spec.gateway[3]', 'AddressOutside'],
      ['spec.gateway[4]', 'InvalidAddress'],
      ['spec.gateway[5]', 'InvalidGateway'],
    ]);
  });

  test('a bad excluded address is left out, the rest of the Subnet works', () => {
    const { value, problems } = readSubnet(
      subnet({
        cidrs: ['10.0.0.0/16'],
        excludedAddresses: ['10.0.0.1-10.0.0.3', 'x'],
        allowInboundFrom: ['y'],
      }),
    );
    expect(value?.excluded).toEqual(['10.0.0.1/32', '10.0.0.2/31']);
    expect(problems.map(({ field, code }) => [field, code])).toEqual([
      ['spec.excludedAddresses[1]', 'InvalidRange'],
      ['spec.allowInboundFrom[0]', 'InvalidCIDR'],
    ]);
  });
});

describe('the addresses of a Subnet', () => {
  test('several prefixes a family, IPv4 first, in the order given', () => {
    const cidrs = ['fd11::/64', '10.2.0.0/16', 'fd10::/64', '10.1.0.0/16'];
    expect(readSubnet(subnet({ cidrs })).value?.cidrs).toEqual([
      '10.2.0.0/16',
      '10.1.0.0/16',
      'fd11::/64',
      'fd10::/64',
    ]);
  });

  test('a gateway is kept free, one a prefix; reserved ranges are kept for those who ask', () => {
    const { value, problems } = readSubnet(
      subnet({
        cidrs: ['10.1.0.0/16', '10.2.0.0/16', 'fd10::/64'],
        gateway: ['10.1.0.1', '10.2.0.1', 'fd10::1'],
        reservedAddresses: ['10.1.0.8-10.1.0.9'],
      }),
    );
    expect(problems).toEqual([]);
    expect(value?.excluded).toEqual(['10.1.0.1/32', '10.2.0.1/32', 'fd10::1/128']);
    expect(value?.gateways).toEqual(['10.1.0.1', '10.2.0.1', 'fd10::1']);
    expect(value?.reserved).toEqual(['10.1.0.8/31']);
  });

  test.each([
    [['10.1.0.0'], 'spec.gateway[0]', 'InvalidGateway'],
    [['10.1.255.255'], 'spec.gateway[0]', 'InvalidGateway'],
    [['10.9.0.1'], 'spec.gateway[0]', 'AddressOutside'],
    [['10.1.0.1', '10.1.0.2'], 'spec.gateway[1]', 'InvalidGateway'],
    [['router'], 'spec.gateway[0]', 'InvalidAddress'],
  ])('gateway %j: %s %s, and the Subnet works without', (gateway, field, code) => {
    const { value, problems } = readSubnet(subnet({ cidrs: ['10.1.0.0/16'], gateway }));
    expect(value?.cidrs).toEqual(['10.1.0.0/16']);
    expect(problems).toMatchObject([{ field, code }]);
  });

  test('a private Subnet names Subnets and prefixes; without private they mean nothing, and that is said', () => {
    const allowSubnets = ['team-b', '192.0.2.0/24', '192.0.2.1/24'];
    const cidrs = ['10.1.0.0/16'];
    const read = readSubnet(subnet({ cidrs, private: true, allowSubnets }));
    expect(read.value?.private).toEqual({ subnets: ['team-b'], prefixes: ['192.0.2.0/24'] });
    expect(read.problems).toMatchObject([{ field: 'spec.allowSubnets[2]', code: 'InvalidCIDR' }]);
    expect(readSubnet(subnet({ cidrs, allowSubnets: ['x'] })).problems).toMatchObject([
      { field: 'spec.allowSubnets', code: 'WithoutEffect' },
    ]);
  });

  test('an edit that can not be leaves what was in effect', () => {
    const status = { cidrs: ['10.1.0.0/16'] };
    const { value, problems } = readSubnet({ ...subnet({ cidrs: ['10.1.0.0/16', 'x'] }), status });
    expect(value).toMatchObject({ cidrs: ['10.1.0.0/16'], recorded: ['10.1.0.0/16'] });
    expect(problems).toMatchObject([{ field: 'spec.cidrs[1]', code: 'InvalidCIDR' }]);
  });
});

describe('readNode', () => {
  const node = (...addresses: readonly (readonly [string, string])[]): Node => ({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: 'n', uid: 'u' },
    status: { addresses: addresses.map(([type, address]) => ({ type, address })) },
  });

  test('takes the first InternalIP of each family, IPv4 first, in canonical form', () => {
    const { value } = readNode(
      node(
        ['Hostname', 'n'],
        ['InternalIP', 'FD66:0::B'],
        ['InternalIP', '192.168.66.11'],
        ['InternalIP', 'fd66::c'],
      ),
    );
    expect(value?.addresses).toEqual(['192.168.66.11', 'fd66::b']);
    expect(value?.moreInternal).toEqual(['fd66::c']);
    expect(value?.external).toBeUndefined();
  });

  test('knows its other addresses, each once', () => {
    const { value } = readNode(
      node(
        ['ExternalIP', '192.168.66.11'],
        ['InternalIP', '192.168.66.11'],
        ['ExternalIP', '203.0.113.9'],
        ['InternalIP', '192.168.66.12'],
        ['ExternalIP', '203.0.113.9'],
      ),
    );
    expect(value).toMatchObject({
      addresses: ['192.168.66.11'],
      moreInternal: ['192.168.66.12'],
      external: ['203.0.113.9'],
    });
  });

  test('without an InternalIP it can not be reached', () => {
    expect(readNode(node(['ExternalIP', '203.0.113.9']))).toMatchObject({
      value: undefined,
      problems: [{ field: 'status.addresses', code: 'NoInternalAddress' }],
    });
  });
});

test('a claim keeps its CIDR in canonical form, and a bad one is refused', () => {
  const claim = (cidr: string): BlockClaim => ({
    apiVersion: 'netloom.dev/v1alpha1',
    kind: 'BlockClaim',
    metadata: { name: 'c', uid: 'u' },
    spec: { cidr, subnet: 's', node: 'n', nodeUID: 'x' },
  });
  expect(readBlockClaim(claim('FD10:0::/122')).value?.cidr).toBe('fd10::/122');
  expect(readBlockClaim(claim('10.0.0.3/26')).problems).toMatchObject([
    { field: 'spec.cidr', code: 'InvalidCIDR' },
  ]);
});

test('what a node says of addresses outside of its block counts for nothing', () => {
  const claim: BlockClaim = {
    apiVersion: 'netloom.dev/v1alpha1',
    kind: 'BlockClaim',
    metadata: { name: 'c', uid: 'u' },
    spec: { cidr: '10.0.0.0/26', subnet: 's', node: 'n', nodeUID: 'x' },
    status: { nodeAddresses: ['10.0.0.1', '10.0.1.1', 'fd10::1', 'x'] },
  };
  expect(readBlockClaim(claim).value?.nodeAddresses).toEqual(['10.0.0.1']);
});

describe('selects', () => {
  test.each([
    [{}, {}, true],
    [undefined, { a: '1' }, false],
    [{ matchLabels: { a: '1' } }, { a: '1', b: '2' }, true],
    [{ matchLabels: { a: '1' } }, { a: '2' }, false],
    [{ matchExpressions: [{ key: 'a', operator: 'NotIn', values: ['1'] }] }, {}, true],
    [{ matchExpressions: [{ key: 'a', operator: 'Exists' }] }, {}, false],
    [{ matchExpressions: [{ key: 'constructor', operator: 'Exists' }] }, {}, false],
    [{ matchExpressions: [{ key: 'a', operator: 'In', values: ['1', '2'] }] }, { a: '2' }, true],
  ] as const)('%j on %j: %s', (selector, labels, expected) => {
    expect(selects(selector, labels)).toBe(expected);
  });
});

describe('readWishes', () => {
  const pod = (given: Record<string, string>, extra: Partial<PodModel> = {}) => ({
    origin: { kind: 'Pod', namespace: 'shop', name: 'web-0' },
    name: 'web-0',
    annotations: Object.fromEntries(
      Object.entries(given).map(([key, value]) => [`netloom.dev/${key}`, value]),
    ),
    statefulSet: 'web',
    ...extra,
  });

  test('an ordinary pod wishes for nothing', () => {
    expect(readWishes(pod({}))).toEqual({ value: {}, problems: [] });
    const foreign = { ...pod({}), annotations: { 'example.com/addresses': 'x' } };
    expect(readWishes(foreign)).toEqual({ value: {}, problems: [] });
  });

  test('entries are separated by commas, families joined by +, each with its MAC', () => {
    const given = {
      addresses: 'fd00::0005 + 10.0.0.5, 10.0.0.6',
      'mac-address': '02-00-00-00-00-0A,02:00:00:00:00:0b',
    };
    expect(readWishes(pod(given)).value?.entries).toEqual([
      { addresses: ['10.0.0.5', 'fd00::5'], mac: '02:00:00:00:00:0a' },
      { addresses: ['10.0.0.6'], mac: '02:00:00:00:00:0b' },
    ]);
  });

  test('what is kept says for whom and how long', () => {
    expect(readWishes(pod({ 'keep-addresses': 'Pod' })).value).toMatchObject({
      keep: 'Pod:web-0',
      release: 'OnOwnerDeletion',
    });
    const vm = pod({ 'keep-addresses': 'VM:desk', 'release-addresses': '2h' }, {
      statefulSet: undefined,
    } as never);
    expect(readWishes(vm).value).toMatchObject({ keep: 'VM:desk', release: '7200s' });
  });

  test.each<[Record<string, string>, string, RegExp]>([
    [{ addresses: '10.0.0.300' }, 'addresses', /"10.0.0.300" is no address/],
    [{ addresses: '10.0.0.1+10.0.0.2' }, 'addresses', /two addresses of one family/],
    [{ addresses: '10.0.0.1,10.0.0.1' }, 'addresses', /has 10.0.0.1 twice/],
    [{ addresses: '' }, 'addresses', /is empty/],
    [
      { addresses: `${'10.0.0.1,'.repeat(256)}10.0.0.2` },
      'addresses',
      /more than 256 entries; make an IPPool/,
    ],
    [{ 'mac-address': '01:00:00:00:00:01' }, 'mac-address', /no MAC address of one station/],
    [
      { addresses: '10.0.0.1', 'mac-address': '02:00:00:00:00:01,02:00:00:00:00:02' },
      'mac-address',
      /2 MAC addresses for 1 entries/,
    ],
    [{ 'keep-addresses': 'Node' }, 'keep-addresses', /neither Pod nor VM:NAME/],
    [{ 'keep-addresses': 'VM:' }, 'keep-addresses', /neither Pod nor VM:NAME/],
    [{ 'keep-addresses': 'Pod', 'release-addresses': 'soon' }, 'release-addresses', /"soon" is neither/],
    [{ 'release-addresses': '10m' }, 'release-addresses', /keep-addresses is missing/],
  ])('%j is refused as a whole', (given, annotation, message) => {
    const { value, problems } = readWishes(pod(given));
    expect(value).toBeUndefined();
    expect(problems[0]).toMatchObject({
      field: `metadata.annotations[netloom.dev/${annotation}]`,
      code: 'InvalidAnnotation',
    });
    expect(problems[0]!.message).toMatch(message);
  });

  test('"Pod" needs something that makes the pod again, or a rule of its own', () => {
    const alone = { statefulSet: undefined } as never;
    expect(readWishes(pod({ 'keep-addresses': 'Pod' }, alone)).problems[0]?.message).toContain(
      'no StatefulSet owns this one',
    );
    expect(
      readWishes(pod({ 'keep-addresses': 'Pod', 'release-addresses': 'Never' }, alone)).problems,
    ).toEqual([]);
  });
});

test('an IPPool without one good address is not usable; a bad one beside others is left out', () => {
  const read = (addresses: string[]) =>
    readIPPool({
      apiVersion: 'netloom.dev/v1alpha1',
      kind: 'IPPool',
      metadata: { name: 'p' },
      spec: { subnet: 'default', addresses },
    });
  expect(read(['10.0.0.4-10.0.0.6', '10.0.0.7', 'x'])).toMatchObject({
    value: { prefixes: ['10.0.0.4/30'] },
    problems: [{ field: 'spec.addresses[2]', code: 'InvalidRange' }],
  });
  expect(read(['x']).value).toBeUndefined();
});

test('a node that is about to go', () => {
  const status = { addresses: [{ type: 'InternalIP', address: '192.0.2.1' }] };
  const leaving = (metadata: object, spec: object) =>
    readNode({ apiVersion: 'v1', kind: 'Node', metadata: { name: 'n', ...metadata }, spec, status } as Node)
      .value?.leaving;
  expect(leaving({}, {})).toBeUndefined();
  expect(leaving({}, { taints: [{ key: 'node.kubernetes.io/unschedulable' }] })).toBeUndefined();
  expect(leaving({}, { taints: [{ key: 'ToBeDeletedByClusterAutoscaler' }] })).toBe(true);
  expect(leaving({ deletionTimestamp: '2026-01-01T00:00:00Z' }, {})).toBe(true);
});
