/** What a record of the audit group says: which connection of which pod would be dropped, and because of what. Pure. */
import { rowOf } from '#compile/policy/lookup.ts';
import { readAuditPrefix } from '#engines/nftables/audit-prefix.ts';
import type { FlowEnd, WouldDrop } from '#intent/handover.ts';
import type { EndpointIntent, NodeIntent } from '#intent/node.ts';
import { policyIdentities } from '#intent/policy.ts';
import { ipProtocols, type PacketStart, readPacketStart } from '#net/packet.ts';
import type { Whois } from './whois.ts';

/** One that was seen, of what is told. */
export type AuditedFlow = Omit<WouldDrop, 'at' | 'times'>;

type Record = { readonly prefix: string; readonly packet: Uint8Array };
type Intent = Pick<NodeIntent, 'policyDecisions' | 'endpoints'>;

/**
 * Undefined for what is no record of ours. The class is that of the record, not the pod's of now; where it says something else by now
 * the flow has no policy.
 */
export function auditedFlow(
  { prefix, packet }: Record,
  intent: Intent,
  whois: Pick<Whois, 'of'>,
): AuditedFlow | undefined {
  const said = readAuditPrefix(prefix);
  const start = readPacketStart(packet);
  if (said === undefined || start === undefined) return undefined;
  const { direction, policyClass } = said;
  const [own, other] =
    direction === 'egress' ? [start.source, start.destination] : [start.destination, start.source];
  const protocol = protocolOf(start.protocol);
  const port = start.ports?.destination;
  const isPorted = protocol === 'tcp' || protocol === 'udp' || protocol === 'sctp';
  const row = rowOf(intent, {
    class: policyClass,
    identity: own === other ? policyIdentities.itself : whois.of(other).identity,
    protocol: isPorted ? protocol : 'other',
    port: port ?? 0,
  });
  const policy = row?.verdict === 'audit' ? row.origin : undefined;
  return {
    ...(policy === undefined ? {} : { policy }),
    direction,
    pod: endOf(own, intent, whois),
    peer: endOf(other, intent, whois),
    protocol,
    ...(port === undefined ? {} : { port }),
  };
}

function endOf(address: string, { endpoints }: Pick<Intent, 'endpoints'>, whois: Pick<Whois, 'of'>): FlowEnd {
  const own = Object.values(endpoints).find((endpoint) => endpoint.addresses.includes(address));
  const name = own === undefined ? ownerName(whois.of(address).owner) : podName(own);
  return { address, ...(name === undefined ? {} : { name }) };
}

function podName({ origin }: Pick<EndpointIntent, 'origin'>): string {
  return `${origin.namespace ?? ''}/${origin.name}`;
}

function ownerName(owner: string | undefined): string | undefined {
  return owner?.replace(/^(pod|name) /, '');
}

function protocolOf(number: PacketStart['protocol']): WouldDrop['protocol'] {
  const known = Object.entries(ipProtocols).find(([, value]) => value === number)?.[0];
  return (known as keyof typeof ipProtocols | undefined) ?? `protocol ${number}`;
}
