/** The other end of one flow, and why a rule's peers and ports don't take it. Serves the oracle only. */
import type { NodeModel } from '#model/node.ts';
import type { PodModel } from '#model/pod.ts';
import type { PolicyPeer, PolicyPort, PolicyRule } from '#model/policy.ts';
import { selects } from '#model/selector.ts';
import { type Addr, parseAddr } from '#net/addr.ts';
import { nameMatches } from '#net/domain.ts';
import { formatPrefix, prefixHas } from '#net/prefix.ts';
import { holderOf, inPodPrefixes, toldAddresses } from './holders.ts';
import { isPolicyPod, takesNamespace, takesPod } from './order.ts';
import type { PolicyEnd, PolicyFlow, PolicySnapshot } from './snapshot.ts';

export type FlowPeer = {
  /** For people. */
  readonly text: string;
  /** As the packet has it; absent: of a pod that has none of this family. */
  readonly address?: string;
  readonly pod?: PodModel;
  /** Name of the node whose address it is. */
  readonly node?: string;
  /** By a tunnel address of it. */
  readonly tunnel?: true;
  /** The subject, through a Service. */
  readonly itself?: true;
  /** In a pod Subnet, and nobody's that we know. */
  readonly unknownPod?: true;
};

/** A pod on the node's network is its node's address; one that ended is nobody. */
export function flowPeer(snapshot: PolicySnapshot, end: PolicyEnd, family: 4 | 6): FlowPeer {
  const pod = end.kind === 'pod' ? snapshot.pods.get(end.key) : undefined;
  const ofFamily = (list: readonly string[]) => list.find((each) => parseAddr(each)?.family === family);
  if (end.kind === 'pod') {
    const text = `pod ${end.key}`;
    if (pod === undefined) return { text, unknownPod: true };
    const address = ofFamily(pod.addresses);
    if (isPolicyPod(pod)) return { text, pod, ...(address === undefined ? {} : { address }) };
    const node = pod.hostNetwork ? snapshot.nodes.get(pod.node ?? '') : undefined;
    const stand = ofFamily(node?.addresses ?? []) ?? address;
    return stand === undefined ? { text, unknownPod: true } : atAddress(snapshot, stand);
  }
  return atAddress(snapshot, end.address);
}

function atAddress(snapshot: PolicySnapshot, address: string): FlowPeer {
  const holder = holderOf(snapshot, address);
  if (holder?.kind === 'node')
    return {
      text: `${address} of node ${holder.node.name}`,
      address,
      node: holder.node.name,
      ...(holder.tunnel ? { tunnel: true } : {}),
    };
  if (holder?.kind === 'pod') return { text: `pod ${holder.key}`, address, pod: holder.pod };
  const unknown = inPodPrefixes(snapshot.podPrefixes, address);
  return { text: address, address, ...(unknown ? { unknownPod: true } : {}) };
}

/** Why none of the rule's peers is this one; `undefined`: one is. */
export function peerMiss(snapshot: PolicySnapshot, rule: PolicyRule, peer: FlowPeer): string | undefined {
  if (rule.peers === undefined) return undefined;
  const misses = rule.peers.map((each) => missOf(snapshot, each, rule.action === 'deny', peer));
  if (misses.includes(undefined)) return undefined;
  return misses.length === 0 ? 'it has no peer that can be used' : [...new Set(misses)].join('; ');
}

function missOf(
  snapshot: PolicySnapshot,
  peer: PolicyPeer,
  denies: boolean,
  at: FlowPeer,
): string | undefined {
  switch (peer.kind) {
    case 'everybody':
      return undefined;
    case 'pods': {
      // Whoever it is, a rule that denies some pod may mean it.
      if (at.unknownPod && denies) return undefined;
      if (at.pod === undefined) return `${at.text} is no pod that is known`;
      if (takesPod(peer.select, at.pod, snapshot.namespaces)) return undefined;
      const { namespace } = at.pod;
      return takesNamespace(peer.select, namespace, snapshot.namespaces)
        ? `labels of ${at.text} are not selected`
        : `namespace ${namespace} is not selected`;
    }
    case 'nodes': {
      if (at.node === undefined) return `${at.text} is no node`;
      const labels = snapshot.nodes.get(at.node)?.labels ?? {};
      return selects(peer.select, labels) ? undefined : `labels of node ${at.node} are not selected`;
    }
    case 'cidr':
      return cidrMiss(snapshot, peer, denies, at);
    case 'name': {
      if (at.itself) return `${at.text} is itself, and needs no name`;
      if (toldAs(snapshot, peer, at).length > 0) return undefined;
      return snapshot.names === undefined
        ? `whether pods were told ${at.text} for ${peer.pattern} is known on their node only`
        : `no pod was told ${at.text} for ${peer.pattern}`;
    }
  }
}

function toldAs(
  { names }: PolicySnapshot,
  { pattern }: PolicyPeer & { readonly kind: 'name' },
  { address = '' }: FlowPeer,
): string[] {
  return [...(names ?? [])].flatMap(([name, addresses]) =>
    nameMatches(pattern, name) && addresses.has(address) ? [name] : [],
  );
}

/** The names by which alone a rule takes this peer: pods were told its address for them. None where it is taken without. */
export function namesTaking(snapshot: PolicySnapshot, rule: PolicyRule, peer: FlowPeer): readonly string[] {
  const peers = rule.peers ?? [];
  const byName = peers.flatMap((each) => (each.kind === 'name' ? toldAs(snapshot, each, peer) : []));
  const others = peers.filter(({ kind }) => kind !== 'name');
  if (
    byName.length === 0 ||
    (others.length > 0 && peerMiss(snapshot, { ...rule, peers: others }, peer) === undefined)
  )
    return [];
  return [...new Set(byName)].sort();
}

/**
 * A pod reaches itself with either family and gets one answer for both: a rule that denies needs one of its addresses, any other
 * rule all of them.
 */
function cidrMiss(
  snapshot: PolicySnapshot,
  peer: PolicyPeer & { readonly kind: 'cidr' },
  denies: boolean,
  at: FlowPeer,
): string | undefined {
  const node = at.tunnel ? snapshot.nodes.get(at.node ?? '') : undefined;
  const own = at.itself ? (at.pod?.addresses ?? []) : at.address === undefined ? [] : [at.address];
  const addresses = addrsOf(own);
  const inside = (addr: Addr) => inCidr(peer, addr);
  const matches =
    node !== undefined
      ? addresses.some((addr) => hasNode(peer, node, addr, denies))
      : at.itself && !denies
        ? addresses.length > 0 && addresses.every(inside)
        : addresses.some(inside);
  if (matches) return undefined;
  const meant = node === undefined ? addresses : addrsOf(toldAddresses(node));
  const exception = peer.except.find((each) => meant.some((addr) => prefixHas(each, addr)));
  const who = node === undefined ? at.text : `node ${node.name} (${at.address} is its tunnel's)`;
  return exception === undefined
    ? `${who} is not in ${formatPrefix(peer.prefix)}`
    : `${who} is in the exception ${formatPrefix(exception)}`;
}

export function inCidr(peer: PolicyPeer & { readonly kind: 'cidr' }, addr: Addr): boolean {
  return prefixHas(peer.prefix, addr) && !peer.except.some((each) => prefixHas(each, addr));
}

/**
 * Whether a block has the node whose tunnel address this is. The tunnel hides by which of its addresses the node would have come: a rule
 * that denies needs one of them, any other rule all InternalIPs, and none that is excepted. Of a family in which its Node has no address,
 * the node is in the block of everybody.
 */
export function hasNode(
  peer: PolicyPeer & { readonly kind: 'cidr' },
  node: NodeModel,
  tunnel: Addr,
  denies: boolean,
): boolean {
  const ofFamily = (texts: readonly string[]) =>
    addrsOf(texts).filter(({ family }) => family === tunnel.family);
  const told = ofFamily(toldAddresses(node));
  const inside = (addr: Addr) => inCidr(peer, addr);
  if (denies) return [tunnel, ...told].some(inside);
  if (told.length === 0) return peer.prefix.length === 0 && inside(tunnel);
  const internal = ofFamily([...node.addresses, ...(node.moreInternal ?? [])]);
  const isExcepted = told.some((addr) => peer.except.some((each) => prefixHas(each, addr)));
  return !isExcepted && (internal.length > 0 ? internal : told).every(inside);
}

function addrsOf(texts: readonly string[]): readonly Addr[] {
  return texts.flatMap((text) => parseAddr(text) ?? []);
}

/** Why none of the rule's ports is the flow's; `destination`: whose named ports count. */
export function portMiss(
  rule: PolicyRule,
  flow: Pick<PolicyFlow, 'protocol' | 'port'>,
  destination: FlowPeer,
): string | undefined {
  const { protocol, port } = flow;
  if (rule.ports === undefined) return undefined;
  if (protocol === 'other') return 'a rule with ports covers tcp, udp and sctp only';
  const takes = (wanted: PolicyPort): boolean => {
    if (wanted.protocol !== undefined && wanted.protocol !== protocol) return false;
    if (!('name' in wanted)) return wanted.first <= port && port <= wanted.last;
    if (destination.unknownPod) return rule.action === 'deny';
    return (destination.pod?.namedPorts ?? []).some(
      (each) => each.name === wanted.name && each.protocol === protocol && each.port === port,
    );
  };
  if (rule.ports.some(takes)) return undefined;
  if (rule.ports.length === 0) return 'it has no port that can be used';
  return `${protocol}/${port} is not among ${rule.ports.map((each) => portText(each, destination)).join(', ')}`;
}

function portText(port: PolicyPort, destination: FlowPeer): string {
  if (!('name' in port))
    return port.first === 0 && port.last === 65535
      ? port.protocol
      : `${port.protocol}/${port.first === port.last ? port.first : `${port.first}-${port.last}`}`;
  const found = (destination.pod?.namedPorts ?? []).filter(
    (each) => each.name === port.name && (port.protocol === undefined || each.protocol === port.protocol),
  );
  if (found.length === 0) return `${port.name} (which ${destination.text} doesn't have)`;
  return found.map((each) => `${port.name} (${each.protocol}/${each.port})`).join(', ');
}
