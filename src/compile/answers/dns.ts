/** Who can ask the cluster DNS no more: the change that breaks most, and shows last. */
import type { Family } from '#net/addr.ts';
import { chooseBackends } from '../services/backends.ts';
import type { End } from './ends.ts';
import type { Judges } from './pairs.ts';
import type { Book } from './reasons.ts';
import type { Segment } from './segments.ts';
import { type Side, type Sides, sideNames } from './units.ts';

export type DnsLoss = {
  readonly workload: string;
  readonly families: readonly Family[];
  /** The Service that it can't ask. */
  readonly service: string;
  /** What closes it, of the first of its pods. */
  readonly because: string;
};

type Input = {
  readonly sides: Sides;
  readonly ends: Readonly<Record<Family, readonly End[]>>;
  readonly judges: Readonly<Record<Family, Judges>>;
  readonly book: Book;
  readonly segments: readonly Segment[];
};

/** The cluster DNS goes by this name whatever program it is (kubelet's clusterDNS points to it). */
const namespace = 'kube-system';
const dnsPort = 53;

/** By UDP, which comes first: whoever could ask one of its pods before and none after. */
export function dnsLosses(input: Input): readonly DnsLoss[] {
  const { sides, ends, judges, book, segments } = input;
  const lost = new Map<string, { families: Family[]; service: string; because: string }>();
  for (const family of [4, 6] as const) {
    const servers = { before: serversOf(sides.before, family), after: serversOf(sides.after, family) };
    const service = servers.before?.service;
    if (servers.before === undefined || service === undefined) continue;
    const of = (name: 'before' | 'after') =>
      [...ends[family].keys()].filter((index) =>
        ends[family][index]?.unit?.pods.some(({ key }) => servers[name]?.pods.has(key)),
      );
    const targets = { before: of('before'), after: of('after') };
    const { port } = servers.before;
    const index = segments.findIndex(
      ({ protocol, first, last }) => protocol === 'udp' && first <= port && port <= last,
    );
    const blocked = (name: 'before' | 'after', from: number): string | undefined => {
      let because = 'there is no pod that serves it';
      for (const to of targets[name]) {
        const rows = judges[family].rows(name, from, to, false);
        if (rows === undefined) continue;
        const denial = rows
          .map((row) => book.reason(book.row(row)[index] ?? 0))
          .find(({ verdict }) => verdict === 'deny');
        if (denial === undefined) return undefined;
        because = denial.text;
      }
      return because;
    };
    for (const [source, from] of ends[family].entries()) {
      if (from.kind !== 'pods' || sideNames.some((name) => from[name] === undefined)) continue;
      const because = blocked('after', source);
      if (because === undefined || blocked('before', source) !== undefined) continue;
      const known = lost.get(from.label);
      if (known === undefined) lost.set(from.label, { families: [family], service, because });
      else if (!known.families.includes(family)) known.families.push(family);
    }
  }
  return [...lost].map(([workload, loss]) => ({ workload, ...loss }));
}

/** The pods behind it, and the port at which they answer. */
function serversOf(
  { cluster }: Side,
  family: Family,
): { readonly service: string; readonly pods: ReadonlySet<string>; readonly port: number } | undefined {
  const candidates = [...cluster.services.values()].filter(
    ({ key, ports }) =>
      key.startsWith(`${namespace}/`) &&
      ports.some(({ protocol, port }) => protocol === 'udp' && port === dnsPort),
  );
  const service = candidates.find(({ key }) => key === `${namespace}/kube-dns`) ?? candidates[0];
  const port = service?.ports.find((each) => each.protocol === 'udp' && each.port === dnsPort);
  if (service === undefined || port === undefined) return undefined;
  const slices = [...cluster.slices.values()].filter((slice) => slice.service === service.key);
  const { cluster: backends } = chooseBackends(service, port, family, slices, { node: '' });
  const [first] = backends;
  const addresses = new Set(backends.map(({ address }) => address));
  const pods = [...cluster.pods].flatMap(([key, pod]) =>
    pod.addresses.some((address) => addresses.has(address)) ? [key] : [],
  );
  return first === undefined ? undefined : { service: service.key, pods: new Set(pods), port: first.port };
}
