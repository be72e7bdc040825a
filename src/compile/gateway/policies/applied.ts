/** What all policies together make of requests at one place: a key, an entry in `policies`, and what an action takes from them. */
import type { GatewayIntent } from '#intent/gateway.ts';
import type { AttachedPolicy, TrafficPolicyModel } from '#model/gateway/policy-types.ts';
import type { BackendReference } from '#model/gateway/types.ts';
import { sha256 } from '#net/sha256.ts';
import { type Referrer, resolveBackend } from '../entries/backend-refs.ts';
import type { BackendUse, EntryContext } from '../types.ts';
import { firewallOf } from './firewall.ts';
import { type Levels, levelsAt, type Place, type PlacePolicies } from './levels.ts';
import { type Merged, merge } from './merge.ts';
import { type MergedTraffic, type TrafficFields, trafficFields, trafficOf } from './traffic.ts';

export type Applied = {
  /** The policies by level, the nearest first: those with the same key say the same. */
  readonly key: string;
  /** There is an entry of that key in `policies`. */
  readonly hasEntry: boolean;
  /** A sentence: what protects can't be kept, so nobody gets in. */
  readonly closed?: string;
  readonly traffic: MergedTraffic;
  /** Of the route's own levels only: those that say whom its requests go to. */
  readonly own: Merged<TrafficPolicyModel, TrafficFields>;
  readonly intent: Pick<GatewayIntent, 'policies' | 'users' | 'firewallRules'>;
  /** What error pages are asked of. */
  readonly uses: readonly BackendUse[];
};

/** Undefined: no policy holds there. */
export function appliedAt(place: Place, context: EntryContext): Applied | undefined {
  const levels = levelsAt(place, context.policies);
  if (levels === undefined) return undefined;
  const traffic = merge(levels.traffic, trafficFields);
  const uses = new Map<string, BackendUse>();
  const own = trafficOf(traffic, levels, context, (policy, backend) => {
    const { use } = resolveForPolicy(backend, policy, context);
    if (use !== undefined) uses.set(use.key, use);
    return use?.key;
  });
  const firewall = firewallOf(levels.firewall, context);
  const key = keyOf(levels);
  const hasEntry = own.entry !== undefined || firewall.firewall !== undefined;
  const all: readonly AttachedPolicy[] = [...traffic.policies, ...new Set(levels.firewall.flat())];
  const closed = closedBy(all) ?? firewall.closed;
  const entry = {
    origins: all.map(({ origin }) => origin),
    ...own.entry,
    ...(firewall.firewall === undefined ? {} : { firewall: firewall.firewall }),
  };
  return {
    key,
    hasEntry,
    ...(closed === undefined ? {} : { closed }),
    traffic,
    own: merge(levels.own, trafficFields),
    intent: {
      policies: hasEntry && closed === undefined ? { [key]: entry } : {},
      users: own.users,
      firewallRules: firewall.firewallRules ?? {},
    },
    uses: [...uses.values()],
  };
}

/** As ReferenceGrants know it. */
export function policyReferrer({ origin, namespace }: AttachedPolicy): Referrer {
  const group = origin.kind === 'Ingress' ? 'networking.k8s.io' : 'netloom.dev';
  return { group, kind: origin.kind, namespace };
}

export function resolveForPolicy(
  backend: BackendReference,
  policy: TrafficPolicyModel,
  context: EntryContext,
  speech: 'http' | 'grpc' = 'http',
): ReturnType<typeof resolveBackend> {
  return resolveBackend(backend, policyReferrer(policy), speech, context);
}

function closedBy(policies: readonly AttachedPolicy[]): string | undefined {
  for (const { origin, key, refused = [] } of policies) {
    const first = refused.find(({ protects }) => protects === true);
    if (first !== undefined) return `${origin.kind} ${key}: ${first.field}: ${first.message}`;
  }
  return undefined;
}

/** What is longer is told by its hash: each rule has it in its action's name. */
const longestKey = 250;

/**
 * Levels are joined by `+`, those at one target by `,`. `^` stands before those of the address's owner, who may say what others may not,
 * and `WAF:` before WAFPolicies, which may be called as others are.
 */
function keyOf({ traffic, edge, firewall }: PlacePolicies): string {
  const text = (levels: Levels<AttachedPolicy>): string =>
    levels.map((level) => level.map(({ key }) => key).join(',')).join('+');
  const whole = [
    text(traffic.slice(0, traffic.length - edge.length)),
    edge.length === 0 ? '' : `^${text(edge)}`,
    firewall.length === 0 ? '' : `WAF:${text(firewall)}`,
  ]
    .filter((part) => part !== '')
    .join('+');
  return whole.length <= longestKey
    ? whole
    : `${whole.slice(0, longestKey - 34)}~~${sha256(whole).slice(0, 32)}`;
}
