/** Classes of announced addresses of Services: what is said of all prefixes of one, and to whom, as entries of route maps; pure. */
import { classNumber, classText } from '#intent/announcement-class.ts';
import type { AnnouncementIntent } from '#intent/loadbalancer.ts';
import type { NodeIntent } from '#intent/node.ts';
import { routes } from '#system/registry.ts';
import type { RouteMap } from './objects.ts';

export type AnnouncementClass = {
  /** Metric of its routes. */
  readonly number: number;
  /** Position in the maps: its own, whoever else comes or goes, unless two classes meet there. */
  readonly sequence: number;
  readonly said: Pick<AnnouncementIntent, 'neighbors' | 'communities' | 'localPreference' | 'others'>;
};

type Problem = { readonly entry: string; readonly reason: string };

/** In order of number. Two classes of one number are both left out: neither must be told what the other one says. */
export function classesOf(announcements: NodeIntent['announcements']): {
  readonly value: readonly AnnouncementClass[];
  readonly problems: readonly Problem[];
} {
  const byText = new Map<string, { readonly said: AnnouncementIntent; readonly first: string }>();
  for (const [prefix, said] of Object.entries(announcements)) {
    const text = classText(said);
    if (!byText.has(text)) byText.set(text, { said, first: prefix });
  }
  const groups = Map.groupBy(byText, ([text]) => classNumber(text));
  const problems: Problem[] = [];
  const value: AnnouncementClass[] = [];
  const taken = new Set<number>();
  for (const [number, group] of [...groups].sort(([a], [b]) => a - b)) {
    const [one, other] = group.map(([, { first }]) => first).sort();
    if (one !== undefined && other !== undefined) {
      const reason = `what is said of ${one} and of ${other} has one number by chance: neither is announced; change either, for example by a community`;
      problems.push({ entry: `announcements/${one}`, reason }, { entry: `announcements/${other}`, reason });
      continue;
    }
    let sequence = sequences.first + (number % sequences.count);
    while (taken.has(sequence)) sequence += 1;
    taken.add(sequence);
    value.push({ number, sequence, said: group[0]![1].said });
  }
  return { value, problems };
}

/** Behind the entry of blocks, before the last one, with room for those that meet. */
const sequences = { first: 1_000, count: 60_000 } as const;
const lastSequence = 65_535;

/** What one router is told. `blocks`: those of routed Subnets, besides. */
export function exportMap(
  name: string,
  neighbor: string,
  blocks: boolean,
  classes: readonly AnnouncementClass[],
): RouteMap {
  const entries = classes
    .flatMap(({ number, sequence, said }): RouteMap['entries'][number][] => {
      const told = toldTo(neighbor, said);
      if (told === undefined) return [];
      // A router may teach any metric; the tag is this node's own word.
      const matches = [`metric ${number}`, `tag ${routes.serviceTag.value}`];
      return [{ action: 'permit', sequence, matches, sets: setsOf(told) }];
    })
    .sort((a, b) => a.sequence! - b.sequence!);
  return {
    kind: 'routeMap',
    name,
    entries: [
      ...(blocks ? [{ action: 'permit', matches: [`tag ${routes.blockTag.value}`] } as const] : []),
      ...entries,
      { action: 'deny', sequence: lastSequence },
    ],
  };
}

type Told = Pick<AnnouncementIntent, 'communities' | 'localPreference'>;

function toldTo(
  neighbor: string,
  { neighbors, others = [], ...all }: AnnouncementClass['said'],
): Told | undefined {
  if (neighbors === undefined || neighbors.includes(neighbor)) return all;
  return others.find((each) => each.neighbors.includes(neighbor));
}

/** The metric has said what it was there for. */
function setsOf({ communities, localPreference }: Told): readonly string[] {
  const [standard, large] = [2, 3].map((parts) =>
    communities
      .map((text) => text.split(':').map(Number))
      .filter((numbers) => numbers.length === parts)
      .sort(
        (a, b) => a.map((number, index) => number - b[index]!).find((difference) => difference !== 0) ?? 0,
      )
      .map((numbers) => numbers.join(':')),
  ) as [string[], string[]];
  return [
    ...(standard.length === 0 ? [] : [`community ${standard.map((text) => known[text] ?? text).join(' ')}`]),
    ...(large.length === 0 ? [] : [`large-community ${large.join(' ')}`]),
    ...(localPreference === undefined ? [] : [`local-preference ${localPreference}`]),
    'metric 0',
  ];
}

/** Communities that FRR writes by their names. */
const known: Readonly<Record<string, string>> = {
  '65535:0': 'graceful-shutdown',
  '65535:1': 'accept-own',
  '65535:2': 'route-filter-translated-v4',
  '65535:3': 'route-filter-v4',
  '65535:4': 'route-filter-translated-v6',
  '65535:5': 'route-filter-v6',
  '65535:6': 'llgr-stale',
  '65535:7': 'no-llgr',
  '65535:8': 'accept-own-nexthop',
  '65535:666': 'blackhole',
  '65535:65281': 'no-export',
  '65535:65282': 'no-advertise',
  '65535:65283': 'local-AS',
  '65535:65284': 'no-peer',
};
