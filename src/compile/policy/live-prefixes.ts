/** Identities of prefixes, change by change: only what overlaps a prefix that came or went is cut anew. */
import type { PolicyPeer } from '#model/policy.ts';
import {
  comparePrefix,
  formatPrefix,
  type Prefix,
  parsePrefix,
  prefixContains,
  prefixesOverlap,
} from '#net/prefix.ts';
import { type AtomSource, atomsOf } from './atoms.ts';
import { facts } from './features.ts';
import type { LiveHolders } from './live-holders.ts';
import type { Identity, LiveIdentities } from './live-identities.ts';
import type { LiveLookout } from './live-lookout.ts';
import { atomFeatures } from './owned.ts';

export type LivePrefixes = {
  /** Prefixes that came or went; `all`: everything anew. Gives the prefixes that have another identity, or none any more. */
  readonly settle: (changed: readonly Prefix[], all: boolean) => ReadonlyMap<string, number | undefined>;
};

type Cidr = PolicyPeer & { readonly kind: 'cidr' };

/** Prefixes of rules nest or are apart: all in an outermost one are a group, and no group has anything to do with another. */
type Group = { readonly root: Prefix; readonly parts: ReadonlyMap<string, Identity> };

export function createLivePrefixes(parts: {
  readonly holders: LiveHolders;
  readonly lookout: LiveLookout;
  readonly identities: LiveIdentities;
}): LivePrefixes {
  const { holders, lookout, identities } = parts;
  const groups = new Map<string, Group>();

  /** Parts of pod Subnets in a group. */
  const podSources = (root: Prefix): AtomSource[] => {
    if (!lookout.strict()) return [];
    const all = [...holders.podPrefixes.values()].flat().flatMap((text) => parsePrefix(text) ?? []);
    return all
      .filter((prefix) => prefixesOverlap(prefix, root))
      .map((prefix) => ({
        id: facts.unknown,
        prefix: prefixContains(prefix, root) ? root : prefix,
        except: [],
      }));
  };

  const cut = (root: Prefix, sources: readonly AtomSource[]): Group => {
    const atoms = atomsOf([...sources, ...podSources(root)], atomFeatures);
    return {
      root,
      parts: new Map(atoms.map(({ prefix, ids }) => [formatPrefix(prefix), identities.take(ids)])),
    };
  };

  return {
    settle(changed, all) {
      const touched = new Map<string, number | undefined>();
      if (!all && changed.length === 0) return touched;
      const isNear = ({ root }: Pick<Group, 'root'>) =>
        all || changed.some((prefix) => prefixesOverlap(prefix, root));
      const before = [...groups.values()].filter(isNear);
      const regions = [...before.map(({ root }) => root), ...changed];
      const near = [...lookout.cidrs()].filter(
        ([, { prefix }]) => all || regions.some((region) => prefixContains(region, prefix)),
      );
      const after = gather(near).map(({ root, sources }) => cut(root, sources));

      const old = new Map(before.flatMap((group) => [...group.parts]));
      const now = new Map(after.flatMap((group) => [...group.parts]));
      for (const [prefix, identity] of now) {
        if (old.get(prefix) === identity) continue;
        identity.prefixes.add(prefix);
        touched.set(prefix, identity.number);
      }
      for (const [prefix, identity] of old) {
        if (now.get(prefix) === identity) continue;
        identity.prefixes.delete(prefix);
        identities.left(identity);
        if (!now.has(prefix)) touched.set(prefix, undefined);
      }
      for (const { root } of before) groups.delete(formatPrefix(root));
      for (const group of after) groups.set(formatPrefix(group.root), group);
      return touched;
    },
  };
}

/** By outermost prefix, which in this order comes before all that are in it. */
function gather(
  cidrs: readonly (readonly [string, Cidr])[],
): { readonly root: Prefix; readonly sources: AtomSource[] }[] {
  const found: { readonly root: Prefix; readonly sources: AtomSource[] }[] = [];
  for (const [id, { prefix, except }] of [...cidrs].sort(([, a], [, b]) =>
    comparePrefix(a.prefix, b.prefix),
  )) {
    const source = { id, prefix, except };
    const last = found.at(-1);
    if (last !== undefined && prefixContains(last.root, prefix)) last.sources.push(source);
    else found.push({ root: prefix, sources: [source] });
  }
  return found;
}
