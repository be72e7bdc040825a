/** What policy says of a connection that stands: the same as the packet path says of a new one, from what the ledger holds. Pure. */
import { type PolicyDecisionIntent, policyIdentities } from '#intent/policy.ts';
import { protocolNumbers } from './lower-service.ts';
import type { PolicyDirection } from './policy-chains.ts';

/** What is known of this node's pods and of everybody's identity. */
export type PolicyTable = {
  /** This node's pods by address; absent: not restricted. */
  readonly pods: ReadonlyMap<string, Readonly<Record<PolicyDirection, number | 'closed' | undefined>>>;
  readonly identityOf: (address: string) => number;
  /** Whether `to` is an address that `from` was told once, for a name that rules of its still have. */
  readonly isLapsed: (from: string, to: string) => boolean;
  readonly decisionOf: (policyClass: number, identity: number) => PolicyDecisionIntent | undefined;
};

/** By its first packet, after translation of the destination and before that of the source. */
export type Connection = {
  readonly from: string;
  readonly to: string;
  /** IANA number. */
  readonly protocol: number;
  readonly port: number;
};

export type PolicyVerdict = 'allow' | 'deny' | 'audit';

/** `ofNode`: the node itself opened it, which no pod of it forbids. */
export function verdictOf(table: PolicyTable, connection: Connection, ofNode: boolean): PolicyVerdict {
  const { from, to } = connection;
  const egress = verdictOfClass(table, table.pods.get(from)?.egress, to, connection);
  if (egress === 'deny' || ofNode) return egress;
  const ingress = ingressOf(table, connection);
  return ingress === 'allow' ? egress : ingress;
}

/** Whether all that keeps a connection from standing is that the time of a DNS answer is over, which is that of new ones only. */
export function isLeftAlone(table: PolicyTable, connection: Connection): boolean {
  return table.isLapsed(connection.from, connection.to) && ingressOf(table, connection) !== 'deny';
}

function ingressOf(table: PolicyTable, connection: Connection): PolicyVerdict {
  const { from, to } = connection;
  return verdictOfClass(table, table.pods.get(to)?.ingress, from, connection);
}

function verdictOfClass(
  table: PolicyTable,
  policyClass: number | 'closed' | undefined,
  peer: string,
  { from, to, protocol, port }: Connection,
): PolicyVerdict {
  if (policyClass === undefined) return 'allow';
  if (policyClass === 'closed') return 'deny';
  const identity = from === to ? policyIdentities.itself : table.identityOf(peer);
  const decision =
    table.decisionOf(policyClass, identity) ?? table.decisionOf(policyClass, policyIdentities.other);
  const name = nameOf(protocol);
  const row = decision?.rows.find(
    (each) => each.protocol === name && (name === 'other' || (each.first <= port && port <= each.last)),
  );
  return row?.verdict ?? 'deny';
}

function nameOf(number: number): keyof typeof protocolNumbers | 'other' {
  if (number === protocolNumbers.tcp) return 'tcp';
  if (number === protocolNumbers.udp) return 'udp';
  return number === protocolNumbers.sctp ? 'sctp' : 'other';
}
