/** What a route gets of what it wants, beside all others: hostnames that its namespace has a right to, within its quota, before younger ones. */
import type { RouteModel } from '#model/gateway/types.ts';
import { entriesSize } from '../entries/entries-size.ts';
import type { PoliciesSize } from '../entries/policies-size.ts';
import { createContention } from '../routes/contention.ts';
import { finalAttachment } from '../routes/route-outcome.ts';
import type { Attachment } from '../types.ts';
import type { FirstHolders } from './first-holders.ts';
import type { Rights } from './hostname-rights.ts';
import { permittedAttachments } from './permitted.ts';
import { createQuotas, type InstanceUse } from './quotas.ts';

export type Shares = {
  /** `id` is `KIND/namespace/name`. */
  set(
    id: string,
    route: RouteModel | undefined,
    wanted: readonly Attachment[],
    rights: Rights,
    policed: PoliciesSize,
  ): void;
  /** It holds other hostnames than before. */
  touch(id: string): void;
  /** Routes that may have something else than before. */
  settle(): readonly string[];
  attachments(id: string): readonly Attachment[];
};

type Known = {
  readonly route: RouteModel;
  readonly wanted: readonly Attachment[];
  readonly rights: Rights;
  readonly policed: PoliciesSize;
  /** What its namespace has a right to. */
  permitted: readonly Attachment[];
  /** What is within its quota, too. */
  granted: readonly Attachment[];
};

export function createShares(holders: FirstHolders): Shares {
  const known = new Map<string, Known>();
  const quotas = createQuotas();
  const contention = createContention();
  const due = new Set<string>();

  const permit = (id: string, one: Known): void => {
    const { route, wanted, rights, policed } = one;
    one.permitted = permittedAttachments(wanted, rights, (instance) => holders.lost(id, instance));
    quotas.set(id, route, usesOf(route, one.permitted, rights, policed));
  };
  const grant = (id: string, one: Known): void => {
    one.granted = mapped(one.permitted, (each) => {
      const instance = one.rights.terms.get(each.gateway)?.instance;
      if (instance === undefined || each.listeners.length === 0) return each;
      const accepted = quotas.refusal(id, instance);
      return accepted === undefined ? each : { ...each, listeners: [], accepted };
    });
    contention.set(id, one.route, wantsOf(one.granted));
  };

  return {
    set(id, route, wanted, rights, policed) {
      holders.set(id, route, rights.claims);
      due.add(id);
      if (route !== undefined) {
        known.set(id, {
          route,
          wanted,
          rights,
          policed,
          permitted: [],
          granted: known.get(id)?.granted ?? [],
        });
        return;
      }
      known.delete(id);
      quotas.set(id, undefined, []);
      contention.set(id, undefined, new Map());
    },
    touch(id) {
      due.add(id);
    },
    settle() {
      const those = (ids: Iterable<string>) =>
        [...ids].flatMap((id) => {
          const one = known.get(id);
          return one === undefined ? [] : [[id, one] as const];
        });
      for (const [id, one] of those(due)) permit(id, one);
      for (const id of quotas.settle()) due.add(id);
      for (const [id, one] of those(due)) grant(id, one);
      const result = [...due, ...contention.settle()];
      due.clear();
      return result;
    },
    attachments(id) {
      const one = known.get(id);
      if (one === undefined) return [];
      return mapped(one.granted, (each) =>
        finalAttachment(one.route.kind, each, (listener) => contention.lost(id, listener)),
      );
    },
  };
}

/** The list itself where nothing becomes something else: there are very many of them. */
function mapped<T>(list: readonly T[], become: (each: T) => T): readonly T[] {
  const result = list.map(become);
  return result.every((each, index) => each === list[index]) ? list : result;
}

/** What the route says to each instance. */
function usesOf(
  route: RouteModel,
  attachments: readonly Attachment[],
  { terms }: Rights,
  policed: PoliciesSize,
): readonly InstanceUse[] {
  const uses = new Map<string, InstanceUse>();
  for (const [gateway, own] of terms) {
    const here = attachments.filter((each) => each.gateway === gateway);
    const { instance } = own;
    const said = entriesSize(route, here);
    const size = said + (said > 0 ? (policed.get(gateway) ?? 0) : 0) + (uses.get(instance)?.size ?? 0);
    if (size > 0) uses.set(instance, { instance, size, terms: own });
  }
  return [...uses.values()];
}

function wantsOf(attachments: readonly Attachment[]): ReadonlyMap<string, readonly string[]> {
  const wants = new Map<string, readonly string[]>();
  for (const { listeners } of attachments) {
    for (const { listener, hosts } of listeners) {
      wants.set(listener.key, [...new Set([...(wants.get(listener.key) ?? []), ...hosts])]);
    }
  }
  return wants;
}
