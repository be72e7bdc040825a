/** Reads NetworkPolicies (networking.k8s.io/v1). */
import type { NetworkPolicy } from '#api/policies.ts';
import { auditAnnotation, readAudit } from './audit.ts';
import { readBlock } from './ipblock.ts';
import type { PolicyDirection, PolicyModel, PolicyPeer, PolicyPort, PolicyRule } from './policy.ts';
import { isPort, protocolOf } from './port.ts';
import { collectProblems, originOf, type Read, type Refuse } from './problem.ts';
import { fieldsOf, type Raw, rawOf, shown, strangersOf } from './raw.ts';
import { podsOf, readSelector } from './selector.ts';

/**
 * A bad peer or port is left out of its rule, a bad rule accepts nothing: the pods stay as isolated as their author wants them. Without
 * a usable podSelector nobody knows which pods, and the policy isn't used.
 */
export function readNetworkPolicy(object: NetworkPolicy): Read<PolicyModel> {
  // As kubectl has it: whoever names no namespace means the one called default.
  const namespace = object.metadata.namespace ?? 'default';
  const origin = { ...originOf(object), namespace };
  const { problems, refuse } = collectProblems(origin);
  const spec = rawOf(object.spec ?? {}) ?? refuse('spec', 'Required', 'is no object');
  if (spec === undefined) return { value: undefined, problems };
  for (const stranger of strangersOf(spec, ['podSelector', 'policyTypes', 'ingress', 'egress']))
    refuse(`spec.${stranger}`, 'NotSupported', 'is not known to this release and has no effect');
  const pods = readSelector(spec['podSelector'] ?? {}, 'spec.podSelector', refuse);
  const directions = readTypes(spec, refuse);
  if (pods === undefined || directions === undefined) return { value: undefined, problems };
  const value: PolicyModel = {
    origin,
    key: `NetworkPolicy/${namespace}/${object.metadata.name}`,
    tier: 'network',
    priority: 0,
    audit: readAudit(object.metadata.annotations?.[auditAnnotation], refuse),
    subject: podsOf(namespace, pods),
    ...(directions.includes('ingress') ? { ingress: readRules(spec, 'ingress', namespace, refuse) } : {}),
    ...(directions.includes('egress') ? { egress: readRules(spec, 'egress', namespace, refuse) } : {}),
  };
  return { value, problems };
}

/** An empty list counts as absent: ingress, and egress where there is a rule for it. */
function readTypes(spec: Raw, refuse: Refuse): readonly PolicyDirection[] | undefined {
  const given: unknown = spec['policyTypes'] ?? [];
  if (!Array.isArray(given)) return refuse('spec.policyTypes', 'NotSupported', `${shown(given)} is no list`);
  const { ingress, egress } = spec;
  const hasEgress = Array.isArray(egress) ? egress.length > 0 : egress !== undefined && egress !== null;
  if (given.length === 0) return hasEgress ? ['ingress', 'egress'] : ['ingress'];
  const directions = given.flatMap((type, index): readonly PolicyDirection[] => {
    if (type === 'Ingress') return ['ingress'];
    if (type === 'Egress') return ['egress'];
    refuse(`spec.policyTypes[${index}]`, 'NotSupported', `${shown(type)} is neither Ingress nor Egress`);
    return [];
  });
  if (directions.length === 0) return undefined;
  const idle = (direction: PolicyDirection, rules: unknown) =>
    Array.isArray(rules) && rules.length > 0 && !directions.includes(direction);
  if (idle('ingress', ingress))
    refuse('spec.ingress', 'WithoutEffect', 'has no effect: spec.policyTypes has no Ingress');
  if (idle('egress', egress))
    refuse('spec.egress', 'WithoutEffect', 'has no effect: spec.policyTypes has no Egress');
  return directions;
}

function readRules(
  spec: Raw,
  direction: PolicyDirection,
  namespace: string,
  refuse: Refuse,
): readonly PolicyRule[] {
  const rules: unknown = spec[direction] ?? [];
  if (!Array.isArray(rules)) {
    refuse(`spec.${direction}`, 'NotSupported', `${shown(rules)} is no list of rules; nothing is accepted`);
    return [];
  }
  return rules.map((rule, index) =>
    readRule(rule, `spec.${direction}[${index}]`, direction === 'ingress' ? 'from' : 'to', namespace, refuse),
  );
}

function readRule(
  value: unknown,
  field: string,
  peersField: 'from' | 'to',
  namespace: string,
  refuse: Refuse,
): PolicyRule {
  const nothing: PolicyRule = { field, action: 'accept', peers: [] };
  const raw = rawOf(value);
  if (raw === undefined) {
    refuse(field, 'NotSupported', `${shown(value)} is no rule; it accepts nothing`);
    return nothing;
  }
  const [stranger] = strangersOf(raw, [peersField, 'ports']);
  if (stranger !== undefined) {
    refuse(`${field}.${stranger}`, 'NotSupported', 'is not known to this release; the rule accepts nothing');
    return nothing;
  }
  const peers = readItems(raw[peersField], `${field}.${peersField}`, refuse, (peer, where) =>
    readPeer(peer, where, namespace, refuse),
  );
  const ports = readItems(raw['ports'], `${field}.ports`, refuse, (port, where) =>
    readPort(port, where, refuse),
  );
  return {
    field,
    action: 'accept',
    ...(peers === undefined ? {} : { peers }),
    ...(ports === undefined ? {} : { ports }),
  };
}

/** Absent and empty mean everything; a list of which nothing can be used means nothing. */
function readItems<T>(
  value: unknown,
  field: string,
  refuse: Refuse,
  read: (item: Raw, field: string) => T | undefined,
): readonly T[] | undefined {
  const items: unknown = value ?? [];
  if (!Array.isArray(items)) {
    refuse(field, 'NotSupported', `${shown(items)} is no list; the rule accepts nothing`);
    return [];
  }
  if (items.length === 0) return undefined;
  return items.flatMap((item, index) => {
    const where = `${field}[${index}]`;
    const raw = rawOf(item);
    if (raw === undefined) return refuse(where, 'Required', `${shown(item)} is no object`) ?? [];
    return read(raw, where) ?? [];
  });
}

function readPeer(raw: Raw, field: string, namespace: string, refuse: Refuse): PolicyPeer | undefined {
  const [stranger] = strangersOf(raw, ['podSelector', 'namespaceSelector', 'ipBlock']);
  if (stranger !== undefined)
    return refuse(
      `${field}.${stranger}`,
      'NotSupported',
      'is not known to this release; the peer is left out',
    );
  const fields = fieldsOf(raw);
  if (fields.length === 0) return refuse(field, 'Required', 'names no peer and is left out');
  if (fields.includes('ipBlock')) {
    if (fields.length === 1) return readBlock(raw['ipBlock'], `${field}.ipBlock`, refuse);
    return refuse(field, 'NotSupported', 'an ipBlock stands alone: with selectors beside it, it is left out');
  }
  const namespaces = fields.includes('namespaceSelector')
    ? readSelector(raw['namespaceSelector'], `${field}.namespaceSelector`, refuse)
    : namespace;
  const pods = readSelector(raw['podSelector'] ?? {}, `${field}.podSelector`, refuse);
  if (namespaces === undefined || pods === undefined) return undefined;
  return { kind: 'pods', select: podsOf(namespaces, pods) };
}

/** Without a protocol TCP, without a port all of it. */
function readPort(raw: Raw, field: string, refuse: Refuse): PolicyPort | undefined {
  const bad = (name: string, message: string) =>
    refuse(`${field}.${name}`, 'InvalidPort', `${message}; it is left out`);
  const [stranger] = strangersOf(raw, ['protocol', 'port', 'endPort']);
  if (stranger !== undefined)
    return refuse(
      `${field}.${stranger}`,
      'NotSupported',
      'is not known to this release; the port is left out',
    );
  const protocol = protocolOf(raw['protocol'] ?? 'TCP');
  if (protocol === undefined)
    return refuse(
      `${field}.protocol`,
      'InvalidProtocol',
      `${shown(raw['protocol'])} is none of TCP, UDP and SCTP`,
    );
  const port = raw['port'] ?? undefined;
  const last = raw['endPort'] ?? port;
  if (port === undefined) {
    if (last !== undefined) return bad('endPort', 'needs a port where the range starts');
    return { protocol, first: 0, last: 65_535 };
  }
  if (isPortName(port)) {
    if (last !== port) return bad('endPort', 'goes with a number, not with the name of a port');
    return { name: port, protocol };
  }
  if (!isPort(port))
    return bad('port', `${shown(port)} is neither a port from 1 to 65535 nor the name of one`);
  if (!isPort(last) || last < port) return bad('endPort', `${shown(last)} is no port from ${port} to 65535`);
  return { protocol, first: port, last };
}

/** IANA_SVC_NAME: 1 to 15 lower-case letters, digits and single hyphens inside, a letter among them. */
function isPortName(value: unknown): value is string {
  return (
    typeof value === 'string' &&
    /^[a-z0-9]([a-z0-9-]{0,13}[a-z0-9])?$/.test(value) &&
    /[a-z]/.test(value) &&
    !value.includes('--')
  );
}
