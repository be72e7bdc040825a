/** Prints what the fuzzer found as a file for test/corpus; pure. */
import { stringify } from 'yaml';
import type { PolicySnapshot } from '#compile/policy/snapshot.ts';
import type { PodsSelector, PolicyModel, PolicyPeer, PolicyPort, PolicyRule } from '#model/policy.ts';
import { formatPrefix } from '#net/prefix.ts';
import { podKeys } from './clusters.ts';
import { isPod } from './net.ts';
import type { Disagreement } from './rounds.ts';

/** With one probe a disagreement; addresses of pods as the corpus writes them. */
export function caseText(found: readonly Disagreement[], seed: string): string {
  const [first] = found;
  if (first === undefined) return '';
  const { snapshot } = first;
  const objects = [
    ...[...snapshot.namespaces.values()]
      .filter(({ labels }) => Object.keys(labels).length > 0)
      .map(({ name, labels }) => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } })),
    ...[...snapshot.policies.values()].map((policy) => objectOf(policy, snapshot)),
  ];
  const said = [...new Set(found.map(({ what }) => what))].join('; ');
  return [
    `# Found by the fuzzer (${seed}): ${said}.`,
    objects
      .map((object) => stringify(object, { flowCollectionPadding: false }))
      .join('---\n')
      .trimEnd(),
    '---- pods',
    ...[...snapshot.pods.values()].map((pod) =>
      [
        `${pod.namespace}/${pod.name}`,
        `@${(pod.node ?? 'n1').replace('n', 'node')}`,
        ...Object.entries(pod.labels).map(([key, value]) => `${key}=${value}`),
        ...pod.namedPorts.map(({ name, protocol, port }) => `${name}:${protocol}/${port}`),
        'tcp/53 udp/53',
      ].join(' '),
    ),
    '---- packets',
    ...new Set(found.flatMap(probeLine)),
    '',
  ].join('\n');
}

function probeLine({ way, protocol, port, verdict }: Disagreement): readonly string[] {
  if (way === undefined || protocol === undefined) return [];
  const carried = protocol === 'icmp' ? 'icmp' : `${protocol}/${port}`;
  const outcome = verdict === 'allow' ? 'allowed' : 'dropped';
  return [`${endText(way.from)} -> ${endText(way.to)} ${carried} ipv${way.family}: ${outcome}`];
}

function endText(name: string): string {
  if (isPod(name)) return podKeys.get(name) ?? name;
  return name === 'r' ? 'outside' : `node/${name.replace('n', 'node')}`;
}

function objectOf(policy: PolicyModel, snapshot: PolicySnapshot): object {
  const { origin, tier, priority, audit, ingress, egress } = policy;
  const annotations = audit ? { annotations: { 'netloom.dev/audit': 'true' } } : {};
  const rules = (list: readonly PolicyRule[] | undefined, direction: 'ingress' | 'egress') =>
    list === undefined
      ? {}
      : { [direction]: list.map((rule) => ruleOf(rule, direction, origin.kind, snapshot)) };
  if (origin.kind === 'NetworkPolicy') {
    const types = [
      ...(ingress === undefined ? [] : ['Ingress']),
      ...(egress === undefined ? [] : ['Egress']),
    ];
    return {
      apiVersion: 'networking.k8s.io/v1',
      kind: origin.kind,
      metadata: { name: origin.name, namespace: origin.namespace, ...annotations },
      spec: {
        podSelector: policy.subject.pods ?? {},
        policyTypes: types,
        ...rules(ingress, 'ingress'),
        ...rules(egress, 'egress'),
      },
    };
  }
  // A namespace's own word has no object of this form; the closest is a policy of the baseline.
  const isCluster = origin.kind === 'ClusterNetworkPolicy' || origin.kind === 'Namespace';
  return {
    apiVersion: `policy.networking.k8s.io/${isCluster ? 'v1alpha2' : 'v1alpha1'}`,
    kind: isCluster ? 'ClusterNetworkPolicy' : origin.kind,
    metadata: { name: origin.name, ...annotations },
    spec: {
      ...(isCluster ? { tier: tier === 'admin' ? 'Admin' : 'Baseline' } : {}),
      ...(origin.kind === 'BaselineAdminNetworkPolicy' ? {} : { priority: Math.min(priority, 1000) }),
      subject: selectOf(policy.subject),
      ...rules(ingress, 'ingress'),
      ...rules(egress, 'egress'),
    },
  };
}

function ruleOf(rule: PolicyRule, direction: string, kind: string, snapshot: PolicySnapshot): object {
  const isNetwork = kind === 'NetworkPolicy';
  const words = {
    accept: kind.startsWith('Cluster') || kind === 'Namespace' ? 'Accept' : 'Allow',
    deny: 'Deny',
    pass: 'Pass',
  };
  const side = direction === 'ingress' ? 'from' : 'to';
  const ports = kind.startsWith('Cluster') || kind === 'Namespace' ? 'protocols' : 'ports';
  return {
    ...(isNetwork ? {} : { action: words[rule.action] }),
    ...(rule.peers === undefined
      ? {}
      : { [side]: rule.peers.map((peer) => peerOf(peer, isNetwork, snapshot)) }),
    ...(rule.ports === undefined ? {} : { [ports]: rule.ports.map((port) => portOf(port, kind)) }),
  };
}

function peerOf(peer: PolicyPeer, isNetwork: boolean, snapshot: PolicySnapshot): object {
  switch (peer.kind) {
    case 'pods':
      return isNetwork
        ? {
            namespaceSelector: selectorOf(peer.select.namespaces),
            ...(peer.select.pods === undefined ? {} : { podSelector: peer.select.pods }),
          }
        : selectOf(peer.select);
    case 'cidr': {
      const cidr = prefixText(formatPrefix(peer.prefix), snapshot);
      const except = peer.except.map((each) => prefixText(formatPrefix(each), snapshot));
      return isNetwork
        ? { ipBlock: { cidr, ...(except.length === 0 ? {} : { except }) } }
        : { networks: [cidr] };
    }
    case 'nodes':
      return { nodes: peer.select };
    case 'name':
      return { domainNames: [peer.pattern] };
    case 'everybody':
      return { unknown: {} };
  }
}

function portOf(port: PolicyPort, kind: string): object {
  const isCluster = kind.startsWith('Cluster') || kind === 'Namespace';
  if ('name' in port) {
    if (kind === 'NetworkPolicy')
      return { protocol: (port.protocol ?? 'tcp').toUpperCase(), port: port.name };
    return isCluster ? { destinationNamedPort: port.name } : { namedPort: port.name };
  }
  const { protocol, first, last } = port;
  const upper = protocol.toUpperCase();
  if (kind === 'NetworkPolicy')
    return { protocol: upper, port: first, ...(last === first ? {} : { endPort: last }) };
  const isOne = first === last;
  if (isCluster)
    return {
      [protocol]: { destinationPort: isOne ? { number: first } : { range: { start: first, end: last } } },
    };
  return isOne
    ? { portNumber: { protocol: upper, port: first } }
    : { portRange: { protocol: upper, start: first, end: last } };
}

function selectOf({ namespaces, pods }: PodsSelector): object {
  const namespaceSelector = selectorOf(namespaces);
  return pods === undefined
    ? { namespaces: namespaceSelector }
    : { pods: { namespaceSelector, podSelector: pods } };
}

function selectorOf(namespaces: PodsSelector['namespaces']): object {
  return typeof namespaces === 'string'
    ? { matchLabels: { 'kubernetes.io/metadata.name': namespaces } }
    : namespaces;
}

/** A single pod's address is another one in another cluster. */
function prefixText(text: string, { pods }: PolicySnapshot): string {
  const [address = '', length] = text.split('/');
  const holder = [...pods].find(([, pod]) => pod.addresses.includes(address));
  if (holder !== undefined) return `$(${holder[0]}.${address.includes(':') ? 6 : 4})/${length}`;
  const node = /^(?:192\.168\.66\.1|fd66::1)([12])$/.exec(address)?.[1];
  return node === undefined ? text : `$(node${node}.${address.includes(':') ? 6 : 4})/${length}`;
}
