/** Random intents and changes for this folder's property tests: few names and addresses, so that entries often meet. */
import fc from 'fast-check';
import { emptyIntent, type IntentChange, type NodeIntent } from '#intent/node.ts';
import type { PolicyDecisionIntent, PolicyRowIntent } from '#intent/policy.ts';

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
      leaving: fc.array(place(six ? address6 : address4, [53, 8080]), { maxLength: 2 }),
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
  origin: fc.constantFrom('a', 'b', 'c').map((name) => ({ kind: 'Pod', namespace: 'd', name })),
  podUID: fc.constantFrom('u1', 'u2', ''),
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
    | 'virtualAddresses'
    | 'announcements'
    | 'policySubjects'
    | 'policyDecisions'
    | 'policyAddresses'
    | 'policyPrefixes'
    | 'policyNames'
  >]: fc.Arbitrary<NodeIntent[D][string]>;
} = {
  self,
  subnets: subnet,
  peers: peer,
  services: service,
  endpoints: endpoint,
};

const subject = fc.record(
  {
    origin: fc.constant(origin),
    uid: fc.constantFrom('u1', 'u1', 'u2', ''),
    ingress: fc.constantFrom(1, 2, 4_095),
    egress: fc.constantFrom(3, 4_094),
    names: fc.constant(['*.example.org']),
  },
  { requiredKeys: ['origin', 'uid'] },
);
const identity = fc.constantFrom(0, 1, 2, 16, 17, 0xf_ffff);

/** Rows of one protocol that cover it whole. */
function rowsOf(protocol: PolicyRowIntent['protocol']): fc.Arbitrary<readonly PolicyRowIntent[]> {
  const verdict = fc.constantFrom('allow' as const, 'deny' as const, 'audit' as const);
  const cut = fc.oneof(
    fc.constantFrom(1, 22, 23, 80, 81, 443, 30_000, 32_768, 65_535),
    fc.integer({ min: 1, max: 65_535 }),
  );
  const cuts = protocol === 'other' ? fc.constant([]) : fc.uniqueArray(cut, { maxLength: 5 });
  return fc.tuple(cuts, fc.array(verdict, { minLength: 6, maxLength: 6 })).map(([at, verdicts]) => {
    const firsts = [0, ...[...at].sort((a, b) => a - b)];
    return firsts.map((first, i) => ({
      protocol,
      first,
      last: (firsts[i + 1] ?? 65_536) - 1,
      verdict: verdicts[i]!,
    }));
  });
}

export const decision: fc.Arbitrary<PolicyDecisionIntent> = fc
  .tuple(rowsOf('tcp'), rowsOf('udp'), rowsOf('sctp'), rowsOf('other'))
  .map((all) => ({ rows: all.flat() }));

const announcedPrefixes = [
  '203.0.113.1/32',
  '203.0.113.0/24',
  '203.0.113.128/25',
  '2001:db8::1/128',
  '2001:db8::/64',
];

/** Each entry has addresses of its own, as the contract says; which one of two it is, is of the key. */
const policy = {
  announcements: fc.dictionary(
    fc.constantFrom(...announcedPrefixes),
    fc.constant({ origin, communities: [] }),
    { maxKeys: 4, noNullPrototype: true },
  ),
  policySubjects: fc.dictionary(fc.constantFrom('d/a', 'd/b', 'd/c'), subject, {
    maxKeys: 3,
    noNullPrototype: true,
  }),
  policyDecisions: fc.dictionary(
    fc.constantFrom('1/0', '1/16', '2/0', '3/0', '3/1', '3/16', '3/17', '4094/2', '4095/1048575'),
    decision,
    { maxKeys: 5, noNullPrototype: true },
  ),
  policyAddresses: fc
    .array(fc.record({ owner: fc.integer({ min: 1, max: 4 }), five: fc.boolean(), identity }), {
      maxLength: 4,
    })
    .map((all) =>
      Object.fromEntries(
        all.map(({ owner, five, identity }) => [
          `pod d/${owner}`,
          {
            identities: {
              [`10.244.1.${owner}`]: identity,
              ...(five ? { [`fd10:244:0:1::${owner}`]: identity } : {}),
            },
          },
        ]),
      ),
    ),
  policyPrefixes: fc.dictionary(
    fc.constantFrom('192.168.0.0/16', '10.0.0.0/9', '10.128.0.0/9', '203.0.113.7/32', 'fd00::/8', '2000::/3'),
    fc.record({ identity }),
    { maxKeys: 4, noNullPrototype: true },
  ),
};
const policyKeys = {
  announcements: announcedPrefixes,
  policySubjects: ['d/a', 'd/b', 'd/c'],
  policyDecisions: ['1/0', '3/0', '3/16', '4095/1048575'],
  policyAddresses: ['pod d/1', 'pod d/2', 'pod d/3'],
  policyPrefixes: ['192.168.0.0/16', '10.0.0.0/9', 'fd00::/8'],
};

const change: fc.Arbitrary<IntentChange> = fc
  .record({
    replace: fc.boolean(),
    domains: fc.record({
      ...Object.fromEntries(
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
      ...Object.fromEntries(
        (Object.keys(policy) as (keyof typeof policy)[]).map((domain) => [
          domain,
          fc.record({
            put: policy[domain] as fc.Arbitrary<Record<string, unknown>>,
            remove: fc.subarray(policyKeys[domain], { maxLength: 2 }),
          }),
        ]),
      ),
    }),
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
