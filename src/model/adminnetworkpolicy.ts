/** Reads AdminNetworkPolicies and BaselineAdminNetworkPolicies (policy.networking.k8s.io/v1alpha1). */
import type { AdminNetworkPolicy, BaselineAdminNetworkPolicy } from '#api/policies.ts';
import { type Dialect, type Entry, readAdminRules, readSubject } from './adminrules.ts';
import { auditAnnotation, readAudit } from './audit.ts';
import type { PolicyModel, PolicyPort } from './policy.ts';
import { isPort, protocolOf } from './port.ts';
import { collectProblems, originOf, type Read, type Refuse } from './problem.ts';
import { fieldsOf, type Raw, rawOf, shown, strangersOf } from './raw.ts';

/** The highest number, and so the last turn, that a policy can ask for. */
export const lastPriority = 1000;

/** The cluster's one BaselineAdminNetworkPolicy is asked after all policies that have a number. */
export const baselineAdminPriority = lastPriority + 1;

const dialect: Dialect = {
  actions: { Allow: 'accept', Deny: 'deny', Pass: 'pass' },
  ports: 'ports',
  readPort,
  needsNamespaces: true,
  domainNames: true,
};

const baselineDialect: Dialect = {
  ...dialect,
  actions: { Allow: 'accept', Deny: 'deny' },
  domainNames: false,
};

/** Without a usable subject or priority it is not used at all. */
export function readAdminNetworkPolicy(object: AdminNetworkPolicy): Read<PolicyModel> {
  const { problems, refuse } = collectProblems(originOf(object));
  const spec = rawOf(object.spec) ?? {};
  const priority = readPriority(spec, refuse);
  const value = policyOf(
    object,
    spec,
    ['priority'],
    { tier: 'admin', priority: priority ?? 0 },
    dialect,
    refuse,
  );
  return { value: priority === undefined ? undefined : value, problems };
}

/** There is one in a cluster, named `default`. */
export function readBaselineAdminNetworkPolicy(object: BaselineAdminNetworkPolicy): Read<PolicyModel> {
  const { problems, refuse } = collectProblems(originOf(object));
  const spec = rawOf(object.spec) ?? {};
  const named = object.metadata.name === 'default';
  if (!named)
    refuse(
      'metadata.name',
      'NotSupported',
      'the one BaselineAdminNetworkPolicy of a cluster is named default',
    );
  const place = { tier: 'baseline', priority: baselineAdminPriority } as const;
  const value = policyOf(object, spec, [], place, baselineDialect, refuse);
  return { value: named ? value : undefined, problems };
}

export function readPriority(spec: Raw, refuse: Refuse): number | undefined {
  const priority = spec['priority'];
  if (Number.isInteger(priority) && (priority as number) >= 0 && (priority as number) <= lastPriority)
    return priority as number;
  return refuse(
    'spec.priority',
    'InvalidPriority',
    `${shown(priority)} is no whole number from 0 to ${lastPriority}; the policy is not in force`,
  );
}

/** What all kinds for admins have in common, `fields` being those that one has besides. */
export function policyOf(
  object: Pick<AdminNetworkPolicy, 'kind' | 'metadata'>,
  spec: Raw,
  fields: readonly string[],
  place: Pick<PolicyModel, 'tier' | 'priority'>,
  words: Dialect,
  refuse: Refuse,
): PolicyModel | undefined {
  for (const stranger of strangersOf(spec, ['subject', 'ingress', 'egress', ...fields]))
    refuse(`spec.${stranger}`, 'NotSupported', 'is not known to this release and has no effect');
  const subject = readSubject(spec['subject'], words, refuse);
  const audit = readAudit(object.metadata.annotations?.[auditAnnotation], refuse);
  const ingress = readAdminRules(spec, 'ingress', words, refuse);
  const egress = readAdminRules(spec, 'egress', words, refuse);
  if (subject === undefined) return undefined;
  return {
    origin: originOf(object),
    key: `${object.kind}/${object.metadata.name}`,
    ...place,
    audit,
    subject,
    ...(ingress === undefined ? {} : { ingress }),
    ...(egress === undefined ? {} : { egress }),
  };
}

/** Exactly one of portNumber, portRange and namedPort. */
function readPort(raw: Raw, field: string, refuse: Refuse): Entry<PolicyPort> {
  const names = fieldsOf(raw);
  const [name = ''] = names;
  const { namedPort } = raw;
  if (names.length !== 1) return 'unknown';
  if (name === 'namedPort' && typeof namedPort === 'string' && namedPort !== '') return [{ name: namedPort }];
  const inner = rawOf(raw[name]);
  const inside = `${field}.${name}`;
  if (name === 'portNumber' && inner !== undefined)
    return readNumbers(inner, ['port', 'port'], inside, refuse);
  if (name === 'portRange' && inner !== undefined)
    return readNumbers(inner, ['start', 'end'], inside, refuse);
  return 'unknown';
}

function readNumbers(
  raw: Raw,
  [firstField, lastField]: readonly [string, string],
  field: string,
  refuse: Refuse,
): Entry<PolicyPort> {
  if (strangersOf(raw, ['protocol', firstField, lastField]).length > 0) return 'unknown';
  const protocol = protocolOf(raw['protocol'] ?? 'TCP');
  // The schema leaves the protocol open: a newer release may know more of them.
  if (protocol === undefined) return 'unknown';
  return portsBetween(protocol, raw[firstField], raw[lastField], field, refuse);
}

export function portsBetween(
  protocol: 'tcp' | 'udp' | 'sctp',
  first: unknown,
  last: unknown,
  field: string,
  refuse: Refuse,
): Entry<PolicyPort> {
  if (isPort(first) && isPort(last) && first <= last) return [{ protocol, first, last }];
  const text = first === last ? shown(first) : `${shown(first)} to ${shown(last)}`;
  refuse(field, 'InvalidPort', `${text} is no port from 1 to 65535, and no range of them`);
  return 'unusable';
}
