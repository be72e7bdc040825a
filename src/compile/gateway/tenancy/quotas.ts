/** How much each namespace's routes may be: at one instance as its owner says or as pods have room for, and all together as the controller has. */
import type { Origin } from '#intent/origin.ts';
import { byText } from '../age.ts';
import { condition } from '../listeners/listener-conditions.ts';
import type { GatewayCondition } from '../types.ts';
import { createLedger, type Excess, type LedgerEntry, type LedgerLimits } from './ledger.ts';
import type { Terms } from './terms.ts';

/** A route, or what was made a route of. */
export type Owner = { readonly origin: Origin; readonly namespace: string; readonly created: string };

export type Quotas = {
  /** `uses`: of each instance once. */
  set(id: string, owner: Owner | undefined, uses: readonly InstanceUse[]): void;
  /** Routes of which something else is so than before. */
  settle(): readonly string[];
  /** Why nothing of it is served by an instance. */
  refusal(id: string, instance: string): GatewayCondition | undefined;
};

/** Bytes of what it says to an instance. */
export type InstanceUse = { readonly instance: string; readonly size: number; readonly terms: Terms };

const MiB = 1024 * 1024;

/**
 * Bytes. nginx has 64 MiB for all that an instance holds, certificates and backends among it; the controller 256 MiB for itself, all objects that
 * it watches and what is made of them. Nobody writes as much by hand: it is there so that who writes it by a loop stands in no other's way.
 */
export const budgets = { instance: 48 * MiB, all: 96 * MiB };

/** What a route costs the controller besides what it says: who looks at what for it, what is said of it. */
const ofRoute = 5_000;

type Group = {
  readonly owner: Owner;
  readonly routes: readonly { readonly id: string; readonly uses: readonly InstanceUse[] }[];
};

/** An Ingress is several routes: it is served as a whole or not at all, and counts once. */
export function createQuotas(budget = { ...budgets, ofRoute }): Quotas {
  const groups = new Map<string, Group>();
  const groupOf = new Map<string, string>();
  const ofInstance = createLedger();
  /** Kept only while all want more than there is. */
  const ofAll = createLedger();
  const any = Number.POSITIVE_INFINITY;
  const allLimits: LedgerLimits = { count: any, size: any, total: budget.all };
  /** By group: its entries. */
  const entered = new Map<string, readonly string[]>();
  const dirty = new Set<string>();
  let wanted = 0;
  let isTight = false;

  const entryOf = (group: Group, scope: string, size: number): LedgerEntry => {
    const { namespace: tenant, created, origin } = group.owner;
    return { scope, tenant, created, key: origin.name, size };
  };
  /** Its entries, and those that it has no more. */
  const enter = (name: string): readonly string[] => {
    const group = groups.get(name);
    const before = entered.get(name) ?? [];
    const uses = group === undefined ? [] : instancesOf(group);
    const after = uses.map(({ instance }) => entryId(instance, name));
    for (const id of before) if (!after.includes(id)) ofInstance.set(id, undefined);
    if (after.length === 0) entered.delete(name);
    else entered.set(name, after);
    if (group === undefined) return before;
    for (const { instance, size, terms } of uses)
      ofInstance.set(
        entryId(instance, name),
        entryOf(group, instance, size),
        limitsFor(group.owner.namespace, terms, budget),
      );
    return [...new Set([...before, ...after])];
  };
  /** False: it is as it was. */
  const enterAll = (id: string): boolean => {
    const [instance, name] = partsOf(id);
    const group = groups.get(name);
    const use = group && instancesOf(group).find((each) => each.instance === instance);
    if (isTight && use !== undefined && group !== undefined && ofInstance.excess(id) === undefined) {
      ofAll.set(id, entryOf(group, '', use.size + budget.ofRoute), allLimits);
      return false;
    }
    const hadLess = ofAll.excess(id) !== undefined;
    ofAll.set(id, undefined);
    return hadLess;
  };
  const place = (name: string, owner: Owner, routes: Group['routes']): void => {
    if (routes.length === 0) groups.delete(name);
    else groups.set(name, { owner, routes });
    dirty.add(name);
  };

  return {
    set(id, owner, uses) {
      const before = groupOf.get(id);
      const old = before === undefined ? undefined : groups.get(before);
      if (before !== undefined && old !== undefined) {
        for (const each of old.routes) if (each.id === id) wanted -= sizeOf(each.uses, budget);
        place(
          before,
          old.owner,
          old.routes.filter((each) => each.id !== id),
        );
        groupOf.delete(id);
      }
      if (owner === undefined || uses.length === 0) return;
      const name = `${owner.origin.kind}/${owner.origin.namespace}/${owner.origin.name}`;
      groupOf.set(id, name);
      wanted += sizeOf(uses, budget);
      place(name, owner, [...(groups.get(name)?.routes ?? []), { id, uses }]);
    },
    settle() {
      const touched = new Set([...dirty].flatMap(enter));
      dirty.clear();
      const changed = new Set(ofInstance.settle());
      const wasTight = isTight;
      isTight = wanted > budget.all;
      const due =
        isTight === wasTight ? [...touched, ...changed] : [...touched, ...[...entered.values()].flat()];
      if (isTight || wasTight) for (const id of new Set(due)) if (enterAll(id)) changed.add(id);
      for (const id of ofAll.settle()) changed.add(id);
      const routes = [...changed].flatMap((id) => groups.get(partsOf(id)[1])?.routes ?? []);
      return [...new Set(routes.map(({ id }) => id))].sort(byText);
    },
    refusal(id, instance) {
      const name = groupOf.get(id);
      const group = name === undefined ? undefined : groups.get(name);
      if (name === undefined || group === undefined) return undefined;
      const entry = entryId(instance, name);
      const excess = ofInstance.excess(entry) ?? (ofAll.excess(entry) === undefined ? undefined : 'all');
      const use = instancesOf(group).find((each) => each.instance === instance);
      if (excess === undefined || use === undefined) return undefined;
      const { namespace } = group.owner;
      const message = texts[excess](namespace, limitsFor(namespace, use.terms, budget));
      return condition('Accepted', 'False', 'QuotaExceeded', message);
    },
  };
}

function sizeOf(uses: readonly InstanceUse[], budget: { readonly ofRoute: number }): number {
  return uses.reduce((sum, { size }) => sum + size + budget.ofRoute, 0);
}

function instancesOf({ routes }: Group): readonly InstanceUse[] {
  const [first] = routes;
  if (routes.length === 1 && first !== undefined) return first.uses;
  const found = new Map<string, InstanceUse>();
  for (const use of routes.flatMap(({ uses }) => uses))
    found.set(use.instance, { ...use, size: use.size + (found.get(use.instance)?.size ?? 0) });
  return [...found.values()];
}

/** What others have isn't told. */
const texts: Readonly<Record<Excess | 'all', (tenant: string, limits: LedgerLimits) => string>> = {
  count: (tenant, { count }) =>
    `Namespace ${tenant} may have ${count} routes here, and older ones are as many`,
  size: (tenant, { size }) =>
    `Routes of namespace ${tenant} may be ${sizeText(size)} here, and older ones leave too little for this one`,
  total: (tenant) =>
    `This gateway holds as much as it can, and namespace ${tenant} has more of it than most: its older routes leave too little for this one`,
  all: (tenant) =>
    `Gateways of this cluster hold as much as they can, and namespace ${tenant} has more of it than most: its older routes leave too little for this one`,
};

function sizeText(size: number): string {
  if (size >= MiB) return `${Math.round(size / MiB)} MiB`;
  return size >= 1024 ? `${Math.round(size / 1024)} KiB` : `${size} bytes`;
}

function limitsFor(
  tenant: string,
  { namespace, quotas }: Terms,
  budget: Pick<typeof budgets, 'instance'>,
): LedgerLimits {
  const { routes, size } = tenant === namespace ? {} : quotas;
  return {
    count: routes ?? Number.POSITIVE_INFINITY,
    size: Math.min(size ?? budget.instance, budget.instance),
    total: budget.instance,
  };
}

function entryId(instance: string, group: string): string {
  return `${instance} ${group}`;
}

function partsOf(id: string): readonly [string, string] {
  const space = id.indexOf(' ');
  return [id.slice(0, space), id.slice(space + 1)];
}
