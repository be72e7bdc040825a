/** What a namespace says of its pods' connections where no policy does: `netloom.dev/isolation`. */
import type { Origin } from '#intent/origin.ts';
import { baselineAdminPriority } from './adminnetworkpolicy.ts';
import { readAudit } from './audit.ts';
import { isolationAnnotation, type NamespaceModel } from './namespace.ts';
import type { PodsSelector, PolicyModel, PolicyPort, PolicyRule } from './policy.ts';
import { collectProblems, type Read, type Refuse } from './problem.ts';
import { shown } from './raw.ts';
import { isLabelKey } from './selector.ts';

/** Asked last of all, so that whatever opens a connection before it has the say. */
const posturePriority = baselineAdminPriority + 1;

/** Where every cluster has its DNS. */
const systemNamespace = 'kube-system';
const dns: readonly PolicyPort[] = [
  { protocol: 'udp', first: 53, last: 53 },
  { protocol: 'tcp', first: 53, last: 53 },
];

const field = `metadata.annotations[${isolationAnnotation}]`;

/**
 * `namespace`: its pods exchange connections with pods of their own namespace only; the cluster's DNS and all that is no pod stay
 * reachable, and may reach them. `tenant=LABEL`: the same among all namespaces with the same value of that label. Who writes anything
 * else wants isolation, and gets the closest.
 */
export function namespacePosture(namespace: NamespaceModel): Read<readonly PolicyModel[]> {
  const origin: Origin = { kind: 'Namespace', name: namespace.name };
  const { problems, refuse } = collectProblems(origin);
  const audit = readAudit(namespace.audit, refuse);
  if (namespace.isolation === undefined) return { value: [], problems };
  const own = readTenant(namespace.isolation.trim(), namespace, refuse);
  const rule = (
    name: string,
    action: PolicyRule['action'],
    select: PodsSelector,
    ports?: readonly PolicyPort[],
  ) => ({
    field: `${field} (${name})`,
    action,
    peers: [{ kind: 'pods' as const, select }],
    ...(ports === undefined ? {} : { ports }),
  });
  const same = rule('own pods', 'accept', { namespaces: own });
  const others = rule('other pods', 'deny', { namespaces: {} });
  const asked = rule('DNS for all', 'accept', { namespaces: {} }, dns);
  const asks = rule('cluster DNS', 'accept', { namespaces: systemNamespace }, dns);
  const value: PolicyModel = {
    origin,
    key: `Namespace/${namespace.name}`,
    tier: 'baseline',
    priority: posturePriority,
    audit,
    subject: { namespaces: namespace.name },
    ingress: namespace.name === systemNamespace ? [same, asked, others] : [same, others],
    egress: [same, asks, others],
  };
  return { value: [value], problems };
}

/** A namespace without the tenant's label is a tenant of its own. */
function readTenant(text: string, namespace: NamespaceModel, refuse: Refuse): PodsSelector['namespaces'] {
  if (text === 'namespace') return namespace.name;
  const label = /^tenant=(.*)$/.exec(text)?.[1];
  if (label === undefined || !isLabelKey(label)) {
    const message = `${shown(text)} is neither namespace nor tenant=LABEL; the namespace is isolated for itself`;
    refuse(field, 'InvalidAnnotation', message);
    return namespace.name;
  }
  const value = Object.hasOwn(namespace.labels, label) ? namespace.labels[label] : undefined;
  return value === undefined ? namespace.name : { matchLabels: { [label]: value } };
}
