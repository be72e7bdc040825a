/** Whether all that one rule or selector takes is taken by another, as far as their texts tell. `false` may also mean: not known. */
import type { PodsSelector, PolicyPeer, PolicyPort, PolicyProtocol, PolicyRule } from '#model/policy.ts';
import { nameMatches } from '#net/domain.ts';
import { prefixContains, prefixesOverlap } from '#net/prefix.ts';
import { requirementsOf } from './features.ts';

export function ruleContains(outer: PolicyRule, inner: PolicyRule): boolean {
  return peersContain(outer.peers, inner.peers) && portsContain(outer.ports, inner.ports);
}

export function podsContain(outer: PodsSelector, inner: PodsSelector): boolean {
  return (
    requiresAtMost(placeOf(outer), placeOf(inner)) &&
    requiresAtMost(requirementsOf(outer.pods ?? {}), requirementsOf(inner.pods ?? {}))
  );
}

function peersContain(outer: PolicyRule['peers'], inner: PolicyRule['peers']): boolean {
  if (outer === undefined || outer.some(({ kind }) => kind === 'everybody')) return true;
  if (inner === undefined || inner.length === 0) return false;
  return inner.every((each) => outer.some((other) => peerContains(other, each)));
}

function peerContains(outer: PolicyPeer, inner: PolicyPeer): boolean {
  if (outer.kind === 'pods' && inner.kind === 'pods') return podsContain(outer.select, inner.select);
  if (outer.kind === 'nodes' && inner.kind === 'nodes')
    return requiresAtMost(requirementsOf(outer.select), requirementsOf(inner.select));
  if (outer.kind === 'name' && inner.kind === 'name')
    return outer.pattern === inner.pattern || nameMatches(outer.pattern, inner.pattern);
  if (outer.kind !== 'cidr' || inner.kind !== 'cidr') return false;
  return (
    prefixContains(outer.prefix, inner.prefix) &&
    outer.except
      .filter((each) => prefixesOverlap(each, inner.prefix))
      .every((each) => inner.except.some((other) => prefixContains(other, each)))
  );
}

/** Who asks for less takes more. */
function requiresAtMost(outer: readonly string[], inner: readonly string[]): boolean {
  return outer.every((each) => inner.includes(each));
}

function placeOf({ namespaces }: PodsSelector): readonly string[] {
  return requirementsOf(
    typeof namespaces === 'string'
      ? { matchLabels: { 'kubernetes.io/metadata.name': namespaces } }
      : namespaces,
  );
}

type Range = { readonly first: number; readonly last: number };

function portsContain(outer: PolicyRule['ports'], inner: PolicyRule['ports']): boolean {
  if (outer === undefined) return true;
  if (inner === undefined || inner.length === 0) return false;
  const ranges = (protocol: PolicyProtocol) => joined(outer.flatMap((port) => rangeOf(port, protocol)));
  const whole = (protocol: PolicyProtocol) =>
    ranges(protocol).some(({ first, last }) => first === 0 && last === 65535);
  return inner.every((port) => {
    if (!('name' in port))
      return ranges(port.protocol).some(({ first, last }) => first <= port.first && port.last <= last);
    const protocols: readonly PolicyProtocol[] =
      port.protocol === undefined ? ['tcp', 'udp', 'sctp'] : [port.protocol];
    const named = (protocol: PolicyProtocol) =>
      outer.some(
        (other) => 'name' in other && other.name === port.name && (other.protocol ?? protocol) === protocol,
      );
    return protocols.every((protocol) => whole(protocol) || named(protocol));
  });
}

function rangeOf(port: PolicyPort, protocol: PolicyProtocol): Range[] {
  return 'name' in port || port.protocol !== protocol ? [] : [port];
}

function joined(ranges: readonly Range[]): Range[] {
  const merged: Range[] = [];
  for (const range of [...ranges].sort((a, b) => a.first - b.first)) {
    const last = merged.at(-1);
    if (last !== undefined && range.first <= last.last + 1)
      merged[merged.length - 1] = { first: last.first, last: Math.max(last.last, range.last) };
    else merged.push(range);
  }
  return merged;
}
