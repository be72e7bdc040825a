/**
 * Whose a hostname is where no grant says it: the namespace's that claimed it first. A wildcard is a claim on all names below it, but takes
 * nothing from who had one of them before.
 */
import { byText, olderFirst } from '../age.ts';
import { wider } from '../hostnames.ts';

/** Who claims: a route, an Ingress, a listener of a ListenerSet. */
export type HostClaimant = { readonly namespace: string; readonly created: string; readonly key: string };

export type FirstHolders = {
  /** What one claims of which instance, in place of what it claimed before. */
  set(id: string, claimant: HostClaimant | undefined, claims: ReadonlyMap<string, readonly string[]>): void;
  /** Those who lose something else than before. */
  settle(): readonly string[];
  /** Hostnames that it claims in vain: the namespace that holds each. */
  lost(id: string, instance: string): ReadonlyMap<string, string>;
  /** The namespace that a hostname is held by, itself or by a wildcard. */
  holder(instance: string, hostname: string): string | undefined;
  /** Hostnames below a wildcard (of '' all) that somebody holds by themselves. */
  below(instance: string, wide: string): readonly string[];
  /** Instances of which somebody holds something else than at the last call. */
  moved(): readonly string[];
};

type Claim = HostClaimant & { readonly id: string };
/** All who claim one hostname of one instance. `front`: the oldest that has it. */
type Place = { readonly claims: Map<string, Claim>; front: Claim | undefined };

const none: ReadonlyMap<string, string> = new Map();

export function createFirstHolders(): FirstHolders {
  const known = new Map<
    string,
    { readonly claimant: HostClaimant; readonly claims: ReadonlyMap<string, readonly string[]> }
  >();
  const instances = new Map<string, InstanceNames>();
  const losses = new Map<string, Map<string, Map<string, string>>>();
  const dirty = new Map<string, Set<string>>();
  const changed = new Set<string>();
  const moved = new Set<string>();

  const touch = (instance: string, hostname: string): void => {
    dirty.set(instance, (dirty.get(instance) ?? new Set<string>()).add(hostname));
  };
  const record = (id: string, instance: string, hostname: string, holder: string | undefined): void => {
    const own = losses.get(id) ?? new Map<string, Map<string, string>>();
    const here = own.get(instance) ?? new Map<string, string>();
    if (here.get(hostname) === holder) return;
    changed.add(id);
    if (holder === undefined) here.delete(hostname);
    else here.set(hostname, holder);
    if (here.size === 0) own.delete(instance);
    else own.set(instance, here);
    if (own.size === 0) losses.delete(id);
    else losses.set(id, own);
  };

  /** What becomes of those who claim one hostname depends on those who claim it or a wider one. */
  const decide = (instance: string, names: InstanceNames, hostname: string): boolean => {
    const place = names.places.get(hostname);
    if (place === undefined) return false;
    if (place.claims.size === 0) {
      names.forget(hostname);
      return place.front !== undefined;
    }
    const fronts = wildcardsAbove(hostname).flatMap((each) => names.places.get(each)?.front ?? []);
    const before = place.front;
    place.front = undefined;
    for (const claim of [...place.claims.values()].sort(earlier)) {
      const others = [...fronts, ...(place.front === undefined ? [] : [place.front])];
      const stronger = others
        .filter((front) => front.namespace !== claim.namespace && earlier(front, claim) < 0)
        .sort(earlier)[0];
      if (stronger === undefined) place.front ??= claim;
      record(claim.id, instance, hostname, stronger?.namespace);
    }
    return !sameFront(before, place.front);
  };

  return {
    set(id, claimant, claims) {
      const before = known.get(id);
      if (before !== undefined && claimant !== undefined && sameClaims(before, { claimant, claims })) return;
      for (const [instance, hostnames] of before?.claims ?? []) {
        const names = instances.get(instance);
        for (const hostname of hostnames) {
          touch(instance, hostname);
          names?.places.get(hostname)?.claims.delete(id);
          if (claimant === undefined || claims.get(instance)?.includes(hostname) !== true)
            record(id, instance, hostname, undefined);
        }
      }
      if (claimant === undefined) {
        known.delete(id);
        return;
      }
      known.set(id, { claimant, claims });
      for (const [instance, hostnames] of claims) {
        const names = instances.get(instance) ?? createInstanceNames();
        instances.set(instance, names);
        for (const hostname of hostnames) {
          names.add(hostname, { ...pickClaimant(claimant), id });
          touch(instance, hostname);
        }
      }
    },
    settle() {
      for (const [instance, hostnames] of dirty) {
        const names = instances.get(instance);
        if (names === undefined) continue;
        // From wide to narrow: nothing narrower has a say in what becomes of a wider one.
        const queue = [...hostnames].sort(widerFirst);
        const queued = new Set(hostnames);
        for (let next = 0; next < queue.length; next += 1) {
          const hostname = queue[next]!;
          if (!decide(instance, names, hostname)) continue;
          moved.add(instance);
          if (!hostname.startsWith('*.')) continue;
          const below = names.within(hostname).filter((each) => !queued.has(each));
          for (const each of below) queued.add(each);
          if (below.length > 0) queue.push(...[...queue.splice(next + 1), ...below].sort(widerFirst));
        }
        if (names.places.size === 0) instances.delete(instance);
      }
      dirty.clear();
      const result = [...changed].sort(byText);
      changed.clear();
      return result;
    },
    lost: (id, instance) => losses.get(id)?.get(instance) ?? none,
    below(instance, wide) {
      const names = instances.get(instance);
      if (names === undefined) return [];
      const all = wide === '' ? [...names.places.keys()] : names.within(wide);
      return all.filter((each) => !each.startsWith('@') && names.places.get(each)?.front !== undefined);
    },
    moved() {
      const result = [...moved].sort(byText);
      moved.clear();
      return result;
    },
    holder(instance, hostname) {
      const names = instances.get(instance);
      if (names === undefined) return undefined;
      const fronts = [hostname, ...wildcardsAbove(hostname)].flatMap(
        (each) => names.places.get(each)?.front ?? [],
      );
      return fronts.sort(earlier)[0]?.namespace;
    },
  };
}

type InstanceNames = {
  readonly places: ReadonlyMap<string, Place>;
  add(hostname: string, claim: Claim): void;
  forget(hostname: string): void;
  /** Hostnames below a wildcard that somebody claims. */
  within(wildcard: string): readonly string[];
};

function createInstanceNames(): InstanceNames {
  const places = new Map<string, Place>();
  const below = new Map<string, Set<string>>();
  return {
    places,
    add(hostname, claim) {
      const place = places.get(hostname);
      if (place !== undefined) {
        place.claims.set(claim.id, claim);
        return;
      }
      places.set(hostname, { claims: new Map([[claim.id, claim]]), front: undefined });
      for (const wide of wildcardsAbove(hostname))
        below.set(wide, (below.get(wide) ?? new Set<string>()).add(hostname));
    },
    forget(hostname) {
      places.delete(hostname);
      for (const wide of wildcardsAbove(hostname)) {
        const those = below.get(wide);
        those?.delete(hostname);
        if (those?.size === 0) below.delete(wide);
      }
    },
    within: (wildcard) => [...(below.get(wildcard) ?? [])],
  };
}

/** Names that begin with `@` are none: those are what a listener takes besides all names that are claimed. */
function wildcardsAbove(hostname: string): readonly string[] {
  if (hostname.startsWith('@')) return [];
  return wider(hostname).filter((each) => each !== '');
}

function earlier(a: Claim, b: Claim): number {
  return olderFirst(a, b) || byText(a.id, b.id);
}

function widerFirst(a: string, b: string): number {
  const labels = (hostname: string) => hostname.split('.').length;
  const exact = (hostname: string) => (hostname.startsWith('*.') ? 0 : 1);
  return labels(a) - labels(b) || exact(a) - exact(b) || byText(a, b);
}

function sameFront(a: Claim | undefined, b: Claim | undefined): boolean {
  return (
    a === b || (a !== undefined && b !== undefined && a.namespace === b.namespace && earlier(a, b) === 0)
  );
}

type Known = {
  readonly claimant: HostClaimant;
  readonly claims: ReadonlyMap<string, readonly string[]>;
};

function sameClaims(a: Known, b: Known): boolean {
  const text = ({ claimant, claims }: Known) => JSON.stringify([pickClaimant(claimant), [...claims]]);
  return text(a) === text(b);
}

function pickClaimant({ namespace, created, key }: HostClaimant): HostClaimant {
  return { namespace, created, key };
}
