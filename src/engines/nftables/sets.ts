/** The named sets and maps of the table: what each holds, and how its keys are written. */
import type { Family } from '#net/addr.ts';
import type { NamedSet } from './objects.ts';

/** What the packet path writes itself. Managed sets are the agent's; learnt ones survive every replacement. */
export const learntSets: ReadonlySet<string> = new Set(['affinity4', 'affinity6', 'dnsPorts']);

/** Learnt sets that only time takes elements from. */
export const timedSets: ReadonlySet<string> = new Set(['dnsPorts']);

/** More remembered clients than this and new ones are no longer remembered (they are served all the same). */
const affinityLimit = 262_144;

const families: readonly Family[] = [4, 6];

const set = (name: string, definition: string, ...flags: string[]): NamedSet => ({
  name,
  kind: 'set',
  definition,
  flags,
});

/** Leads to the counter of a rule. */
const counted = (name: string, key: string, ...flags: string[]): NamedSet => ({
  name,
  kind: 'map',
  definition: `typeof ${key} : counter`,
  flags,
});

/** Of both families. A pair of class and identity stands in the packet's priority. */
const policySets: readonly NamedSet[] = [
  counted('policyAllowedPorts', 'meta priority . meta l4proto . th dport'),
  counted('policyAllowed', 'meta priority'),
  counted('policyPlain', 'meta priority'),
  counted('policyMixed', 'meta priority'),
  counted('policyElse', 'meta priority'),
  counted('policyDeniedPorts', 'meta priority . meta l4proto . th dport'),
  counted('policyDeniedRanges', 'meta priority . meta l4proto . th dport', 'interval'),
  counted('policyAllowedRanges', 'meta priority . meta l4proto . th dport', 'interval'),
  counted('policyProtocols', 'meta priority . meta l4proto'),
  counted('policyOthers', 'meta priority'),
  counted('policyDeniedOthers', 'meta priority'),
  counted('policyOpen', 'meta priority'),
  set('policyAudited', 'typeof meta priority'),
  set('auditOthers', 'typeof meta priority'),
  set('auditProtocols', 'typeof meta priority . meta l4proto'),
  set('auditPorts', 'typeof meta priority . meta l4proto . th dport'),
  set('auditRanges', 'typeof meta priority . meta l4proto . th dport', 'interval'),
  set('dnsPorts', 'type inet_service', 'timeout'),
];

const familySets: readonly NamedSet[] = families.flatMap((family): NamedSet[] => {
  const ip = family === 4 ? 'ip' : 'ip6';
  const address = `ipv${family}_addr`;
  const frontend = `${address} . inet_proto . inet_service`;
  const typedFrontend = `${ip} daddr . meta l4proto . th dport`;
  // Names types and nothing else. With `th dport` here nft 1.1.3 refuses a later `dnat … map` ("conflicting protocols").
  const typedBackend = `ct original ${ip} daddr . ct original proto-dst`;
  const set = (name: string, type: string, ...flags: string[]): NamedSet => ({
    name: `${name}${family}`,
    kind: 'set',
    definition: type.includes('@') ? `typeof ${type}` : `type ${type}`,
    flags,
  });
  const map = (name: string, definition: string, ...flags: string[]): NamedSet => ({
    name: `${name}${family}`,
    kind: 'map',
    definition,
    flags,
  });
  return [
    set('nodes', address),
    set('podSubnets', address, 'interval'),
    set('routedSubnets', address, 'interval'),
    set('crossSubnets', address, 'interval'),
    set('masqueraded', address, 'interval'),
    set('bgpSpeakers', frontend),
    set('announced', address),
    set('aggregates', address, 'interval'),
    set('allowedFrom', `${address} . ${address}`, 'interval'),
    set('privateSubnets', address, 'interval'),
    set('privateFrom', `${address} . ${address}`, 'interval'),
    set('tunnelAddresses', address),
    set('podAddresses', `ifname . ${address}`),
    set('hairpin', `${address} . ${address}`),
    set('tunnelBlocks4in', `${ip} saddr . @th,336,32`),
    set('tunnelBlocks6in', `${ip} saddr . @th,304,128`),
    set('tunnelSources4in', `${ip} saddr . @th,336,32`, 'interval'),
    set('tunnelSources6in', `${ip} saddr . @th,304,128`, 'interval'),
    set('serviceAddresses', address),
    set('serviceRanges', address, 'interval'),
    map('services', `type ${frontend} : verdict`),
    map('backends', `typeof ${typedFrontend} . numgen random mod 65536 : ${typedBackend}`),
    map('learners', `type ${frontend} : verdict`),
    map('published', `type ${frontend} : verdict`),
    set('sourceRanges', `${frontend} . ${address}`, 'interval'),
    {
      ...map('affinity', `typeof ${typedFrontend} . ${ip} saddr : ${typedBackend}`, 'dynamic', 'timeout'),
      size: affinityLimit,
    },
    set('nameLearners', address),
    map('ingressClasses', `type ${address} : verdict`),
    map('egressClasses', `type ${address} : verdict`),
    map('identities', `typeof ${ip} saddr : meta priority`),
    map('identityPrefixes', `typeof ${ip} saddr : meta priority`, 'interval'),
  ];
});

export const namedSets: readonly NamedSet[] = [...familySets, ...policySets];

/** Sets that several intent entries may want the same element in; any other element has one owner. */
export const sharedSets: ReadonlySet<string> = new Set(
  families.flatMap((family) => [
    `nodes${family}`,
    `tunnelAddresses${family}`,
    `serviceAddresses${family}`,
    `podAddresses${family}`,
    `hairpin${family}`,
    `bgpSpeakers${family}`,
  ]),
);
