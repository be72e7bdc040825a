/** Reads ClusterNetworkPolicies (policy.networking.k8s.io/v1alpha2). */
import type { ClusterNetworkPolicy } from '#api/policies.ts';
import { policyOf, portsBetween, readPriority } from './adminnetworkpolicy.ts';
import type { Dialect, Entry } from './adminrules.ts';
import type { PolicyModel, PolicyPort } from './policy.ts';
import { collectProblems, originOf, type Read, type Refuse } from './problem.ts';
import { fieldsOf, type Raw, rawOf, shown, strangersOf } from './raw.ts';

const dialect: Dialect = {
  actions: { Accept: 'accept', Deny: 'deny', Pass: 'pass' },
  ports: 'protocols',
  readPort: readProtocol,
  needsNamespaces: false,
  domainNames: true,
};

/** Without a usable subject, tier or priority it is not used at all. */
export function readClusterNetworkPolicy(object: ClusterNetworkPolicy): Read<PolicyModel> {
  const { problems, refuse } = collectProblems(originOf(object));
  const spec = rawOf(object.spec) ?? {};
  const tier = readTier(spec, refuse);
  const priority = readPriority(spec, refuse);
  const place = { tier: tier ?? 'admin', priority: priority ?? 0 };
  const value = policyOf(object, spec, ['tier', 'priority'], place, dialect, refuse);
  return { value: tier === undefined || priority === undefined ? undefined : value, problems };
}

function readTier(spec: Raw, refuse: Refuse): 'admin' | 'baseline' | undefined {
  if (spec['tier'] === 'Admin') return 'admin';
  if (spec['tier'] === 'Baseline') return 'baseline';
  const message = `${shown(spec['tier'])} is neither Admin nor Baseline; the policy is not in force`;
  return refuse('spec.tier', 'NotSupported', message);
}

/**
 * Exactly one of tcp, udp, sctp and destinationNamedPort. The text of the API has a protocol without a port for all of it, the schema
 * refuses that: here it is taken at its word, should it ever come.
 */
function readProtocol(raw: Raw, field: string, refuse: Refuse): Entry<PolicyPort> {
  const names = fieldsOf(raw);
  const [name = ''] = names;
  const { destinationNamedPort } = raw;
  if (names.length !== 1) return 'unknown';
  if (name === 'destinationNamedPort')
    return typeof destinationNamedPort === 'string' && destinationNamedPort !== ''
      ? [{ name: destinationNamedPort }]
      : 'unknown';
  const inner = rawOf(raw[name]);
  if ((name !== 'tcp' && name !== 'udp' && name !== 'sctp') || inner === undefined) return 'unknown';
  if (strangersOf(inner, ['destinationPort']).length > 0) return 'unknown';
  const port = inner['destinationPort'] ?? undefined;
  if (port === undefined) return [{ protocol: name, first: 0, last: 65_535 }];
  return readDestination(name, rawOf(port) ?? {}, `${field}.${name}.destinationPort`, refuse);
}

/** Exactly one of number and range. */
function readDestination(
  protocol: 'tcp' | 'udp' | 'sctp',
  raw: Raw,
  field: string,
  refuse: Refuse,
): Entry<PolicyPort> {
  const names = fieldsOf(raw);
  if (names.length !== 1) return 'unknown';
  const { number, range } = raw;
  if (names[0] === 'number') return portsBetween(protocol, number, number, `${field}.number`, refuse);
  const inner = rawOf(range);
  if (inner === undefined || strangersOf(inner, ['start', 'end']).length > 0) return 'unknown';
  return portsBetween(protocol, inner['start'], inner['end'], `${field}.range`, refuse);
}
