/** How much a route's own policies add to what it says to the data plane, before it says it: else they were a way around quotas. */
import type { RouteModel } from '#model/gateway/types.ts';
import { appliedAt } from '../policies/applied.ts';
import { ownTargets } from '../policies/levels.ts';
import type { Attachment, EntryContext } from '../types.ts';
import { placesOf } from './entries-size.ts';

export type PoliciesSize = ReadonlyMap<string, number>;

const nothing: PoliciesSize = new Map();

/**
 * Bytes by Gateway. What is only said further out has one entry for all routes, which is nobody's of them. What users and own rules of the
 * firewall are isn't among it: a Secret or ConfigMap is held once, however many routes name it.
 */
export function policiesSize(
  route: RouteModel,
  attachments: readonly Attachment[],
  context: EntryContext,
): PoliciesSize {
  if (route.kind !== 'HTTPRoute' && route.kind !== 'GRPCRoute') return nothing;
  // All are asked, so that whoever asks hears of the first policy.
  const own = ownTargets(route, undefined).map(({ target }) => context.policies.at(target));
  if (own.every(({ traffic, firewall }) => traffic.length + firewall.length === 0)) return nothing;
  const sizes = new Map<string, number>();
  for (const gateway of new Set(attachments.map((each) => each.gateway))) {
    const places = placesOf(attachments.filter((each) => each.gateway === gateway));
    const entries = new Map<string, number>();
    for (const { name: rule } of route.rules) {
      for (const { listener } of places) {
        const applied = appliedAt({ listener, route, rule }, context);
        if (applied !== undefined && !entries.has(applied.key))
          entries.set(applied.key, JSON.stringify(applied.intent.policies).length);
      }
    }
    sizes.set(
      gateway,
      [...entries.values()].reduce((sum, each) => sum + each, 0),
    );
  }
  return sizes;
}

export function samePoliciesSize(a: PoliciesSize, b: PoliciesSize): boolean {
  return a === b || (a.size === b.size && [...a].every(([gateway, size]) => b.get(gateway) === size));
}
