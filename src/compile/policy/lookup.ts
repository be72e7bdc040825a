/** What a node's intent does with one connection: read as the datapath does, from nothing but the intent. */
import type { NodeIntent, Protocol } from '#intent/node.ts';
import { type PolicyRowIntent, policyIdentities } from '#intent/policy.ts';
import type { PolicyDirection } from '#model/policy.ts';
import { parseAddr } from '#net/addr.ts';
import { parsePrefix, prefixHas } from '#net/prefix.ts';

/** Without `self`, the node's own addresses aren't known as such; without `subnets`, no address is an unknown pod's. */
export type PolicyView = Pick<
  NodeIntent,
  'policySubjects' | 'policyDecisions' | 'policyAddresses' | 'policyPrefixes'
> &
  Partial<Pick<NodeIntent, 'self' | 'subnets'>>;

/** A new connection of a pod of the node, after translation. */
export type PolicyQuestion = {
  /** `namespace/name`. */
  readonly pod: string;
  readonly direction: PolicyDirection;
  /** The other end, canonical. */
  readonly peer: string;
  /** The pod reached itself through a Service. */
  readonly hairpin?: true;
  readonly protocol: Protocol | 'other';
  /** At the destination; 0 where there is none. */
  readonly port: number;
};

export type PolicyAnswer = {
  readonly verdict: PolicyRowIntent['verdict'];
  readonly origin?: PolicyRowIntent['origin'];
  /** Absent: nothing restricts the pod in this direction, or its own node is never judged. */
  readonly class?: number;
  readonly identity?: number;
};

export function verdictOf(intent: PolicyView, question: PolicyQuestion): PolicyAnswer {
  const { pod, direction, protocol, port } = question;
  const own = intent.policySubjects[pod]?.[direction];
  if (own === undefined) return { verdict: 'allow' };
  if (direction === 'ingress' && isOwnNode(intent, question.peer)) return { verdict: 'allow' };
  const identity = question.hairpin ? policyIdentities.itself : identityOf(intent, question.peer);
  const row = rowOf(intent, { class: own, identity, protocol, port });
  // A class without an answer is half an intent: nothing passes.
  if (row === undefined) return { verdict: 'deny', class: own, identity };
  const { verdict, origin } = row;
  return { verdict, ...(origin === undefined ? {} : { origin }), class: own, identity };
}

/** Undefined where nothing is known of the class: then nothing passes. */
export function rowOf(
  { policyDecisions }: Pick<NodeIntent, 'policyDecisions'>,
  question: Pick<PolicyQuestion, 'protocol' | 'port'> & {
    readonly class: number;
    readonly identity: number;
  },
): PolicyRowIntent | undefined {
  const { class: own, identity, protocol, port } = question;
  const decision =
    policyDecisions[`${own}/${identity}`] ?? policyDecisions[`${own}/${policyIdentities.other}`];
  return decision?.rows.find(
    (each) =>
      each.protocol === protocol && (protocol === 'other' || (each.first <= port && port <= each.last)),
  );
}

/** As policyIdentities says: by the address, else by its prefix, else as a pod that nobody knows, else as any other. */
export function identityOf(intent: PolicyView, address: string): number {
  for (const { identities } of Object.values(intent.policyAddresses))
    if (Object.hasOwn(identities, address)) return identities[address] ?? policyIdentities.other;
  const prefix = Object.keys(intent.policyPrefixes).find((each) => holds(each, address));
  if (prefix !== undefined) return intent.policyPrefixes[prefix]?.identity ?? policyIdentities.other;
  const subnets = Object.values(intent.subnets ?? {}).flatMap(({ cidrs }) => cidrs);
  return subnets.some((cidr) => holds(cidr, address)) ? policyIdentities.unknownPod : policyIdentities.other;
}

function isOwnNode({ self }: PolicyView, address: string): boolean {
  return Object.values(self ?? {}).some(({ addresses, tunnelAddresses }) =>
    [...addresses, ...tunnelAddresses].includes(address),
  );
}

function holds(prefix: string, address: string): boolean {
  const parsed = parsePrefix(prefix);
  const addr = parseAddr(address);
  return parsed !== undefined && addr !== undefined && prefixHas(parsed, addr);
}
