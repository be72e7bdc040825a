/** Ports cut where any rule begins or ends: inside of a segment every port has the same answer. */
import type { PodModel } from '#model/pod.ts';
import type { PolicyModel, PolicyProtocol } from '#model/policy.ts';

export type Segment = {
  readonly protocol: PolicyProtocol | 'other';
  readonly first: number;
  readonly last: number;
};

const protocols: readonly PolicyProtocol[] = ['tcp', 'udp', 'sctp'];

export const lastPort = 65535;

/** By protocol (tcp, udp, sctp, other), then by port. `extra`: single ports that must be a segment of their own. */
export function segmentsOf(
  policies: Iterable<PolicyModel>,
  pods: Iterable<PodModel>,
  extra: Iterable<{ readonly protocol: PolicyProtocol; readonly port: number }> = [],
): readonly Segment[] {
  const starts = new Map<string, Set<number>>(protocols.map((protocol) => [protocol, new Set([0])]));
  const cut = (protocol: string, first: number, last: number): void => {
    starts.get(protocol)?.add(first);
    if (last < lastPort) starts.get(protocol)?.add(last + 1);
  };
  const names = new Set<string>();
  for (const { ingress = [], egress = [] } of policies) {
    for (const { ports = [] } of [...ingress, ...egress]) {
      for (const port of ports) {
        if ('name' in port) names.add(port.name);
        else cut(port.protocol, port.first, port.last);
      }
    }
  }
  for (const { namedPorts } of pods) {
    for (const { name, protocol, port } of namedPorts) if (names.has(name)) cut(protocol, port, port);
  }
  for (const { protocol, port } of extra) cut(protocol, port, port);
  const segments = protocols.flatMap((protocol) => {
    const sorted = [...(starts.get(protocol) ?? [])].sort((a, b) => a - b);
    return sorted.map((first, index) => ({
      protocol,
      first,
      last: (sorted[index + 1] ?? lastPort + 1) - 1,
    }));
  });
  return [...segments, { protocol: 'other', first: 0, last: lastPort }];
}

/** Neighbours of one protocol joined. `indexes` in order. */
export function joined(segments: readonly Segment[], indexes: readonly number[]): readonly Segment[] {
  const ranges: Segment[] = [];
  for (const index of indexes) {
    const next = segments[index];
    const last = ranges.at(-1);
    if (next === undefined) continue;
    if (last !== undefined && last.protocol === next.protocol && last.last + 1 === next.first) {
      ranges[ranges.length - 1] = { ...last, last: next.last };
    } else ranges.push(next);
  }
  return ranges;
}

/** `tcp/80, udp/1000-2000`, `everything`, `everything but tcp/80`, whichever is shorter. */
export function formatRanges(ranges: readonly Segment[]): string {
  const rest = complement(ranges);
  if (rest.length === 0) return 'everything';
  const plain = ranges.map(formatRange).join(', ');
  return rest.length < ranges.length ? `everything but ${rest.map(formatRange).join(', ')}` : plain;
}

export function formatRange({ protocol, first, last }: Segment): string {
  if (protocol === 'other') return 'icmp and other protocols';
  if (first === 0 && last === lastPort) return protocol;
  return `${protocol}/${first === last ? first : `${first}-${last}`}`;
}

function complement(ranges: readonly Segment[]): readonly Segment[] {
  return [...protocols, 'other' as const].flatMap((protocol): Segment[] => {
    const own = ranges.filter((range) => range.protocol === protocol);
    if (protocol === 'other') return own.length > 0 ? [] : [{ protocol, first: 0, last: lastPort }];
    const rest: Segment[] = [];
    let at = 0;
    for (const { first, last } of own) {
      if (first > at) rest.push({ protocol, first: at, last: first - 1 });
      at = last + 1;
    }
    if (at <= lastPort) rest.push({ protocol, first: at, last: lastPort });
    return rest;
  });
}
