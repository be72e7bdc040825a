/** Policy for the pods of the test network: who is what, and decisions written shortly. */
import type { IntentChange } from '#intent/node.ts';
import type {
  PolicyAddressIntent,
  PolicyDecisionIntent,
  PolicyRowIntent,
  PolicySubjectIntent,
} from '#intent/policy.ts';
import { pods, type Testnet } from './testnet.ts';

type Verdict = PolicyRowIntent['verdict'];
type Ports = readonly (readonly [first: number, last: number, verdict: Verdict])[];

/** What isn't said is `rest`. */
export type Said = {
  readonly tcp?: Ports;
  readonly udp?: Ports;
  readonly sctp?: Ports;
  readonly other?: Verdict;
  readonly rest: Verdict;
};

/** Of pods by name, of the nodes, and of what else a test names. */
export const identities: Readonly<Record<string, number>> = {
  other: 0,
  unknownPod: 1,
  itself: 2,
  n1: 50,
  n2: 51,
  outside: 60,
  ...Object.fromEntries(pods.map(({ name }, index) => [name, 16 + index])),
};

export function decisionOf(said: Said | Verdict): PolicyDecisionIntent {
  const { rest, ...ports } = typeof said === 'string' ? { rest: said } : said;
  const rows: PolicyRowIntent[] = [];
  for (const protocol of ['tcp', 'udp', 'sctp'] as const) {
    let next = 0;
    for (const [first, last, verdict] of ports[protocol] ?? []) {
      if (first > next) rows.push({ protocol, first: next, last: first - 1, verdict: rest });
      rows.push({ protocol, first, last, verdict });
      next = last + 1;
    }
    if (next <= 65_535) rows.push({ protocol, first: next, last: 65_535, verdict: rest });
  }
  rows.push({ protocol: 'other', first: 0, last: 65_535, verdict: ports.other ?? rest });
  return { rows };
}

/** By peer's name; `other` for whom it doesn't name (absent: denied). */
export type Peers = Readonly<Record<string, Said | Verdict>>;

/** The pods of a node that are restricted; a test changes the whole of it. */
export type Restricted = Readonly<Record<string, { readonly ingress?: Peers; readonly egress?: Peers }>>;

export function addressesOf(names: readonly string[]): Readonly<Record<string, PolicyAddressIntent>> {
  const entries: Record<string, PolicyAddressIntent> = {};
  for (const name of names) {
    const pod = pods.find((each) => each.name === name);
    const node = name.slice(1);
    const addresses =
      pod === undefined
        ? [`192.168.66.1${node}`, `fd66::1${node}`, `10.244.${node}.1`, `fd10:244:0:${node}::1`]
        : [pod.address4, pod.address6];
    entries[pod === undefined ? `node ${name}` : `pod test/${name}`] = {
      identities: Object.fromEntries(addresses.map((address) => [address, identities[name]!])),
    };
  }
  return entries;
}

/** What a node's intent has of policy. */
export function policyOf(
  restricted: Restricted,
): Pick<IntentChange['put'], 'policySubjects' | 'policyDecisions'> {
  const policySubjects: Record<string, PolicySubjectIntent> = {};
  const policyDecisions: Record<string, PolicyDecisionIntent> = {};
  let next = 1;
  for (const [name, directions] of Object.entries(restricted)) {
    const classes: { ingress?: number; egress?: number } = {};
    for (const direction of ['ingress', 'egress'] as const) {
      const peers = directions[direction];
      if (peers === undefined) continue;
      const number = next++;
      classes[direction] = number;
      for (const [peer, said] of Object.entries({ other: 'deny' as const, ...peers })) {
        policyDecisions[`${number}/${identities[peer]}`] = decisionOf(said);
      }
    }
    policySubjects[`test/${name}`] = {
      origin: { kind: 'Pod', namespace: 'test', name },
      uid: `uid-${name}`,
      ...classes,
    };
  }
  return { policySubjects, policyDecisions };
}

/** Restricts pods of a node, and nobody else of it; what the last call said is gone. */
export function restricter(net: Testnet): (node: 1 | 2, restricted: Restricted) => Promise<void> {
  const held: Record<1 | 2, ReturnType<typeof policyOf>> = { 1: {}, 2: {} };
  return async (node, restricted) => {
    const before = held[node];
    const now = policyOf(restricted);
    held[node] = now;
    await net.put(node, now, {
      policySubjects: without(before.policySubjects, now.policySubjects),
      policyDecisions: without(before.policyDecisions, now.policyDecisions),
    });
  };
}

function without(before: object = {}, now: object = {}): readonly string[] {
  return Object.keys(before).filter((key) => !Object.hasOwn(now, key));
}
