/** What tells one peer from another: the selectors, ports and facts that the policies of a node ask of it. */
import type { NodeModel } from '#model/node.ts';
import type { NamedPort, PodModel } from '#model/pod.ts';
import type { PodsSelector, PolicyDirection, PolicyModel, PolicyPeer, PolicyRule } from '#model/policy.ts';
import { type Addr, parseAddr } from '#net/addr.ts';
import { formatPrefix } from '#net/prefix.ts';
import { rulesOf } from './order.ts';
import { hasNode, inCidr } from './peer.ts';
import type { PeerView } from './rows.ts';

type LabelSelector = Exclude<PodsSelector['namespaces'], string>;

/** Facts that aren't in any rule. */
export const facts = {
  /** An address of this node. */
  own: 'own',
  /** A pod or node that nothing names, where unknown ones are treated otherwise. */
  known: 'known',
  /** In a pod Subnet, and nobody's that we know. */
  unknown: 'unknown',
} as const;

const texts = new WeakMap<PolicyPeer, string>();

/** Equal text, equal meaning. `everybody` needs no telling. Asked for each peer of each rule again and again, so it is kept. */
export function peerText(peer: PolicyPeer): string | undefined {
  const known = texts.get(peer);
  if (known !== undefined) return known;
  const text = writePeer(peer);
  if (text !== undefined) texts.set(peer, text);
  return text;
}

function writePeer(peer: PolicyPeer): string | undefined {
  switch (peer.kind) {
    case 'everybody':
      return undefined;
    case 'pods':
      return `pods ${podsText(peer.select)}`;
    case 'nodes':
      return `nodes ${selectorText(peer.select)}`;
    case 'name':
      return `name ${peer.pattern}`;
    case 'cidr': {
      const except = peer.except.map(formatPrefix).sort();
      return `cidr ${[formatPrefix(peer.prefix), ...except].join(' -')}`;
    }
  }
}

/** What only rules that deny take: of a block that may have a node, see `hasNode`. */
export function denyFeature(text: string): string {
  return `deny ${text}`;
}

/** The text of the peer that a feature is of. */
export function peerTextOf(feature: string): string {
  return feature.startsWith('deny ') ? feature.slice('deny '.length) : feature;
}

/** Of a block, for a tunnel address of a node. */
export function nodeCidrFeatures(
  [text, peer]: readonly [string, PolicyPeer & { readonly kind: 'cidr' }],
  node: NodeModel,
  address: Addr,
): readonly string[] {
  if (hasNode(peer, node, address, false)) return [text];
  return hasNode(peer, node, address, true) ? [denyFeature(text)] : [];
}

export function podsText({ namespaces, pods }: PodsSelector): string {
  const outer = typeof namespaces === 'string' ? JSON.stringify(namespaces) : selectorText(namespaces);
  return `${outer} ${pods === undefined ? '{}' : selectorText(pods)}`;
}

export function selectorText(selector: LabelSelector): string {
  return `{${requirementsOf(selector).join()}}`;
}

/** Sorted, all of which must hold. `matchLabels` is short for expressions with one value. */
export function requirementsOf({
  matchLabels = {},
  matchExpressions = [],
}: LabelSelector): readonly string[] {
  const equal = Object.entries(matchLabels).map(([key, value]) => [key, 'In', [value]]);
  const rest = matchExpressions.map(({ key, operator, values = [] }) => [
    key,
    operator,
    [...new Set(values)].sort(),
  ]);
  return [...new Set([...equal, ...rest].map((each) => JSON.stringify(each)))].sort();
}

/** A named port of a destination. */
export function portFeature({ name, protocol, port }: NamedPort): string {
  return `port ${name} ${protocol} ${port}`;
}

/** What policies of a direction ask of peers. */
export type Asked = {
  readonly peers: readonly PolicyPeer[];
  /** Of destinations: egress only. */
  readonly portNames: readonly string[];
  /** Whether one's own node is treated otherwise. */
  readonly own: boolean;
  /** Whether some pods are denied, so that one that nobody knows must be told from one that is known. */
  readonly strict: boolean;
};

export function askedBy(policy: PolicyModel, direction: PolicyDirection): Asked {
  const rules = rulesOf(policy, direction) ?? [];
  const isEgress = direction === 'egress';
  return {
    peers: rules.flatMap(({ peers = [] }) => peers),
    portNames: isEgress ? rules.flatMap(namesOf) : [],
    own: isEgress && policy.tier === 'network',
    strict: rules.some(
      (rule) =>
        rule.action === 'deny' &&
        ((rule.peers ?? []).some(({ kind }) => kind === 'pods') || (isEgress && namesOf(rule).length > 0)),
    ),
  };
}

function namesOf({ ports = [] }: PolicyRule): string[] {
  return ports.flatMap((port) => ('name' in port ? [port.name] : []));
}

/** Of a class: the ports that its rules name, as its pods have them. Pods of one class have the same. */
export function subjectPorts(
  policies: readonly PolicyModel[],
  direction: PolicyDirection,
  pod: PodModel,
): readonly NamedPort[] {
  if (direction === 'egress') return [];
  const names = new Set(policies.flatMap((policy) => (rulesOf(policy, direction) ?? []).flatMap(namesOf)));
  return pod.namedPorts
    .filter(({ name }) => names.has(name))
    .sort((a, b) => (portFeature(a) < portFeature(b) ? -1 : 1));
}

/** A peer of which these features are known. `idOf`: by what a peer of a rule stands among them. */
export function featureView(
  features: ReadonlySet<string>,
  direction: PolicyDirection,
  ports: readonly NamedPort[],
  idOf: (peer: PolicyPeer) => string | undefined,
): PeerView {
  const isUnknown = features.has(facts.unknown);
  const own = direction === 'egress' ? portsIn(features) : ports;
  const has = (text: string, denies: boolean) =>
    features.has(text) || (denies && features.has(denyFeature(text)));
  return {
    takes: (peer, denies) =>
      peer.kind === 'everybody' ||
      (isUnknown && denies && peer.kind === 'pods') ||
      has(idOf(peer) ?? '', denies),
    named: (name) =>
      isUnknown && direction === 'egress' ? 'unknown' : own.filter((each) => each.name === name),
    exempt: direction === 'egress' && features.has(facts.own),
  };
}

function portsIn(features: ReadonlySet<string>): NamedPort[] {
  return [...features].flatMap((feature) => {
    const [kind, name = '', protocol = '', port = ''] = feature.split(' ');
    return kind === 'port' ? [{ name, protocol: protocol as NamedPort['protocol'], port: Number(port) }] : [];
  });
}

/**
 * The pod itself, through a Service. It may come with either family and gets one answer for both: a rule with prefixes that denies
 * needs one of its addresses, any other rule all of them.
 */
export function selfView(pod: PodModel, takesPod: (selector: PodsSelector) => boolean): PeerView {
  const addresses = pod.addresses.flatMap((text) => parseAddr(text) ?? []);
  return {
    takes: (peer, denies) => {
      if (peer.kind === 'everybody') return true;
      if (peer.kind === 'pods') return takesPod(peer.select);
      if (peer.kind !== 'cidr') return false;
      const has = (addr: (typeof addresses)[number]) => inCidr(peer, addr);
      return denies ? addresses.some(has) : addresses.length > 0 && addresses.every(has);
    },
    named: (name) => pod.namedPorts.filter((port) => port.name === name),
    exempt: true,
  };
}
