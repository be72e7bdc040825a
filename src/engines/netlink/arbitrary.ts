/** Random intents for the property tests: a small world, so that entries meet often. */
import fc from 'fast-check';
import type { AnnouncementIntent } from '#intent/loadbalancer.ts';
import type {
  EndpointIntent,
  IntentChange,
  NodeIntent,
  PeerIntent,
  SelfIntent,
  SubnetIntent,
  SubnetMode,
} from '#intent/node.ts';
import type { Facts } from './context.ts';

/** The machine that the random intents are for. */
export const facts: Facts = {
  ipv6: true,
  strictReversePath: false,
  devices: [
    {
      name: 'eth0',
      mtu: 1500,
      addresses: ['192.168.66.11/24', 'fd66::11/64'],
      reversePath: 1,
      acceptRouterAdvertisements: 0,
    },
  ],
};

const origin = (kind: string, name: string) => ({ kind, name });

const self: fc.Arbitrary<SelfIntent> = fc
  .record({
    addresses: fc.constantFrom(['192.168.66.11', 'fd66::11'], ['192.168.66.11'], ['fd66::11']),
    tunnelAddresses: fc.constantFrom([], ['10.244.1.0'], ['10.244.1.0', 'fd10:244:0:1::'], ['10.244.1.64']),
    assignUntil: fc.nat(5),
  })
  .map((fields) => ({ origin: origin('Node', 'a'), node: 'a', nodeUID: 'uid-a', blocks: [], ...fields }));

/** The underlay one has a prefix of the node's own network and one that is only on the wire, each with a gateway. */
const cidrs = {
  overlay: ['10.244.0.0/16', 'fd10:244::/56'],
  routed: ['10.245.0.0/16'],
  underlay: ['192.168.66.128/25', '10.50.0.0/24', 'fd10:50::/64'],
};

const subnets: Record<string, SubnetIntent> = Object.fromEntries(
  (['overlay', 'routed', 'underlay'] as const).map((mode) => [
    mode,
    {
      origin: origin('Subnet', mode),
      cidrs: cidrs[mode],
      ...(mode === 'underlay' ? { gateways: ['192.168.66.129', '10.50.0.254', 'fd10:50::fe'] } : {}),
      mode,
      masquerade: true,
      allowFrom: [],
      excluded: [],
    },
  ]),
);

const block = fc.constantFrom(
  { cidr: '10.244.2.0/24', subnet: 'overlay', mode: 'overlay' as const },
  { cidr: '10.244.3.0/26', subnet: 'overlay', mode: 'overlay' as const },
  { cidr: 'fd10:244:0:2::/64', subnet: 'overlay', mode: 'overlay' as const },
  { cidr: '10.245.2.0/24', subnet: 'routed', mode: 'routed' as const },
  { cidr: '10.245.3.0/24', subnet: 'routed', mode: 'routed' as const },
  { cidr: '10.50.0.64/26', subnet: 'underlay', mode: 'underlay' as const },
);

const peer: fc.Arbitrary<PeerIntent> = fc
  .tuple(
    fc.constantFrom(
      ['192.168.66.12', 'fd66::12'],
      ['192.168.66.13'],
      ['fd66::14'],
      ['192.168.99.1'],
      ['192.168.66.11'],
    ),
    fc.uniqueArray(block, { maxLength: 3, selector: ({ cidr }) => cidr }),
  )
  .map(([addresses, blocks]) => ({ origin: origin('Node', addresses[0]!), addresses, blocks }));

/** Index 9 is one that no device has. */
const endpoint = (index: number): fc.Arbitrary<EndpointIntent> =>
  fc
    .constantFrom<[SubnetMode, ...string[]]>(
      ['overlay', `10.244.1.${index}`],
      ['overlay', `10.244.1.${index}`, `fd10:244:0:1::${index}`],
      ['overlay', '10.244.1.7'],
      ['underlay', `10.50.0.${index}`, `fd10:50::${index}`],
      ['underlay', '192.168.66.140'],
    )
    .map(([mode, ...addresses]) => ({
      origin: origin('Pod', `p${index}`),
      device: `nlp0000000000${index}`,
      ifindex: 100 + index,
      mac: `02:00:00:00:00:0${index}`,
      addresses,
      subnet: mode,
      mode,
    }));

const announcement = fc.constantFrom<AnnouncementIntent>(
  { origin: origin('Service', 'web'), communities: [] },
  { origin: origin('Service', 'web'), communities: ['65000:1'] },
);

const orGone = <T>(entry: fc.Arbitrary<T>) => fc.option(entry, { nil: undefined, freq: 3 });

/** What a change says of each entry: undefined removes it; an absent key leaves it. */
type Step = {
  [D in 'self' | 'subnets' | 'peers' | 'announcements' | 'endpoints']: Record<
    string,
    NodeIntent[D][string] | undefined
  >;
};

const step: fc.Arbitrary<Step> = fc.record({
  self: fc.record({ a: self }, { requiredKeys: [] }),
  subnets: fc.record(
    Object.fromEntries(Object.entries(subnets).map(([name, each]) => [name, orGone(fc.constant(each))])),
    { requiredKeys: [] },
  ),
  peers: fc.record({ b: orGone(peer), c: orGone(peer), d: orGone(peer) }, { requiredKeys: [] }),
  announcements: fc.record(
    {
      '10.9.0.1/32': orGone(announcement),
      '10.9.1.0/24': orGone(announcement),
      'fd09::1/128': orGone(announcement),
    },
    { requiredKeys: [] },
  ),
  endpoints: fc.record(
    { 'c1/eth0': orGone(endpoint(1)), 'c2/eth0': orGone(endpoint(2)), 'c9/eth0': orGone(endpoint(9)) },
    { requiredKeys: [] },
  ),
});

function changeOf(current: Step, generation: number, replace: boolean): IntentChange {
  const put: Record<string, Record<string, unknown>> = {};
  const remove: Record<string, string[]> = {};
  for (const [domain, entries] of Object.entries(current)) {
    put[domain] = Object.fromEntries(Object.entries(entries).filter(([, entry]) => entry !== undefined));
    remove[domain] = Object.entries(entries).flatMap(([name, entry]) => (entry === undefined ? [name] : []));
  }
  return { generation, replace, put, remove } as IntentChange;
}

/** A sequence of changes that begins with a whole intent; now and then the agent starts again and sends a whole one. */
export const changes: fc.Arbitrary<IntentChange[]> = fc
  .array(fc.tuple(step, fc.nat(9)), { minLength: 1, maxLength: 8 })
  .map((steps) => steps.map(([each, dice], index) => changeOf(each, index + 1, index === 0 || dice === 0)));

/** The state after changes, and one change that says it at once. */
export function lastState(list: readonly IntentChange[]): IntentChange {
  const state: Record<string, Record<string, unknown>> = {
    self: {},
    subnets: {},
    peers: {},
    announcements: {},
    endpoints: {},
  };
  for (const change of list) {
    for (const domain of Object.keys(state)) {
      const key = domain as keyof IntentChange['put'];
      if (change.replace && domain !== 'endpoints') state[domain] = {};
      for (const name of change.remove[key] ?? [])
        if (!change.replace || domain === 'endpoints') delete state[domain]![name];
      Object.assign(state[domain]!, change.put[key]);
    }
  }
  return { generation: list.length, replace: true, put: state, remove: {} } as IntentChange;
}
