/** Random intents and changes for this folder's property tests: few names and addresses, so that entries often meet. */
import fc from 'fast-check';
import { emptyIntent, type IntentChange, type NodeIntent } from '#intent/node.ts';

const origin = { kind: 'Test', name: 'arbitrary' };
const address4 = fc.integer({ min: 1, max: 6 }).map((n) => `10.244.1.${n}`);
const address6 = fc.integer({ min: 1, max: 6 }).map((n) => `fd10:244:0:1::${n}`);
const underlay = fc.constantFrom('192.168.66.11', '192.168.66.12', '192.168.66.13', 'fd66::12', 'fd66::13');
const cidr = fc.constantFrom(
  '10.244.0.0/16',
  '10.245.0.0/16',
  '10.244.8.0/24',
  'fd10:244::/56',
  'fd10:245::/56',
);
const block = fc.constantFrom(
  '10.244.1.0/24',
  '10.244.1.0/26',
  '10.244.2.7/32',
  'fd10:244:0:1::/64',
  'fd10:244::1/128',
);
const mode = fc.constantFrom('overlay' as const, 'routed' as const, 'underlay' as const);

const self = fc.record({
  origin: fc.constant(origin),
  node: fc.constant('self'),
  nodeUID: fc.constant('uid'),
  addresses: fc.constantFrom(['192.168.66.11'], ['192.168.66.11', 'fd66::11'], ['fd66::11'], []),
  blocks: fc.constant([]),
  tunnelAddresses: fc.constant([]),
  assignUntil: fc.constant(0),
});

const sources = fc.array(
  fc.constantFrom('192.168.66.200/32', '192.168.66.0/24', 'fd66::/64', 'fd66::200/128', '0.0.0.0/0', '::/0'),
  { maxLength: 3 },
);
const subnet = fc.record(
  {
    origin: fc.constant(origin),
    cidrs: fc.uniqueArray(cidr, { maxLength: 3 }),
    mode,
    masquerade: fc.boolean(),
    allowFrom: sources,
    excluded: fc.subarray([
      '10.244.0.0/24',
      '10.244.8.7/32',
      '10.245.255.0/24',
      'fd10:244::/64',
      'fd10:245::1/128',
    ]),
    onlyFrom: sources,
  },
  { requiredKeys: ['origin', 'cidrs', 'mode', 'masquerade', 'allowFrom', 'excluded'] },
);

const peer = fc.record({
  origin: fc.constant(origin),
  addresses: fc.uniqueArray(underlay, { maxLength: 2 }),
  tunnelAddresses: fc.uniqueArray(fc.oneof(address4, address6), { maxLength: 2 }),
  blocks: fc.array(fc.record({ cidr: block, subnet: fc.constant('s'), mode }), { maxLength: 4 }),
});

const service = fc.boolean().chain((six) => {
  const place = (address: fc.Arbitrary<string>, ports: number[]) =>
    fc.record({ address, port: fc.constantFrom(...ports) });
  const virtual = fc.integer({ min: 1, max: 3 }).map((n) => (six ? `fd10:96::${n}` : `10.96.0.${n}`));
  return fc.record(
    {
      origin: fc.constant(origin),
      protocol: fc.constantFrom('tcp' as const, 'udp' as const, 'sctp' as const),
      frontends: fc.array(place(virtual, [53, 80]), { maxLength: 3 }),
      backends: fc.array(place(six ? address6 : address4, [53, 8080]), { maxLength: 4 }),
      affinitySeconds: fc.constantFrom(1, 10_800),
      unserved: fc.constant('dropped' as const),
      published: fc.record(
        {
          localBackends: fc.array(place(six ? address6 : address4, [53, 8080]), { maxLength: 3 }),
          sources: fc.array(
            fc.constantFrom('0.0.0.0/0', '192.168.66.0/24', '192.168.66.200/32', '::/0', 'fd66::/64'),
            {
              maxLength: 3,
            },
          ),
        },
        { requiredKeys: [] },
      ),
    },
    { requiredKeys: ['origin', 'protocol', 'frontends', 'backends'] },
  );
});

const endpoint = fc.record({
  origin: fc.constant(origin),
  device: fc.constantFrom('nlp1', 'nlp2', 'nlp3'),
  ifindex: fc.constant(7),
  mac: fc.constant('02:00:00:00:00:01'),
  addresses: fc.uniqueArray(fc.oneof(address4, address6), { maxLength: 2 }),
  subnet: fc.constant('s'),
  mode,
});

const entries: {
  readonly [D in Exclude<
    keyof NodeIntent,
    | 'namespaces'
    | 'pods'
    | 'healthChecks'
    | 'bandwidth'
    | 'bgpNeighbors'
    | 'policySubjects'
    | 'policyDecisions'
    | 'policyAddresses'
    | 'policyPrefixes'
  >]: fc.Arbitrary<NodeIntent[D][string]>;
} = {
  self,
  subnets: subnet,
  peers: peer,
  services: service,
  endpoints: endpoint,
};

const change: fc.Arbitrary<IntentChange> = fc
  .record({
    replace: fc.boolean(),
    domains: fc.record(
      Object.fromEntries(
        Object.entries(entries).map(([domain, entry]) => {
          const key = domain === 'self' ? fc.constant('self') : fc.constantFrom('a', 'b', 'c');
          return [
            domain,
            fc.record({
              put: fc.dictionary(key, entry as fc.Arbitrary<unknown>, { maxKeys: 3, noNullPrototype: true }),
              remove: fc.uniqueArray(fc.constantFrom('a', 'b', 'c'), { maxLength: 2 }),
            }),
          ];
        }),
      ),
    ),
  })
  .map(({ replace, domains }) => {
    const pick = (part: 'put' | 'remove') =>
      Object.fromEntries(Object.entries(domains).map(([domain, each]) => [domain, each[part]]));
    return {
      generation: 0,
      replace,
      put: pick('put'),
      remove: replace ? {} : pick('remove'),
    } as IntentChange;
  });

/** The first change is the whole intent, as an agent's first is. */
export const changes: fc.Arbitrary<readonly IntentChange[]> = fc
  .array(change, { minLength: 1, maxLength: 6 })
  .map((all) => all.map((each, index) => (index === 0 ? { ...each, replace: true, remove: {} } : each)));

/** The plain meaning of a sequence of changes. */
export function lastState(all: readonly IntentChange[]): NodeIntent {
  const state: Record<string, Record<string, unknown>> = structuredClone(emptyIntent) as never;
  for (const { replace, put, remove } of all) {
    for (const domain of Object.keys(emptyIntent) as (keyof NodeIntent)[]) {
      if (replace && domain !== 'endpoints') state[domain] = {};
      for (const key of remove[domain] ?? []) delete state[domain]![key];
      Object.assign(state[domain]!, put[domain] ?? {});
    }
  }
  return state as unknown as NodeIntent;
}

/** One change that says all. */
export function wholeOf(intent: NodeIntent): IntentChange {
  return { generation: 0, replace: true, put: intent, remove: {} };
}
