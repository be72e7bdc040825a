/** A case that runs, and where its ends are: addresses, ports and places in the lab. */
import { type Family, parseAddr } from '#net/addr.ts';
import type { Case, PodWish, Probe } from '../corpus/case.ts';
import type { CaseCluster } from './case-cluster.ts';
import type { Names } from './case-names.ts';
import type { Place, ServedPort } from './packets.ts';

/** A case that runs. Ends (`x/a`) are named as the case names them. */
export type Running = CaseCluster & {
  readonly given: Case;
  readonly prefix: string;
  readonly names: Names;
  readonly wishes: Map<string, PodWish>;
  readonly serving: Map<string, Serving>;
  /** `END NAME` of connections that are open. */
  readonly kept: Set<string>;
  /** Addresses of pods in the step before. */
  readonly before: Map<string, readonly string[]>;
  readonly undo: (() => Promise<void>)[];
};

export type Serving = {
  readonly uid: string;
  readonly place: Place;
  readonly served: readonly ServedPort[];
  readonly addresses: readonly string[];
};

/** Addresses of an end, of a family. Throws for one that is not known. */
export function endsOf(run: Running, end: string, family: Family): readonly string[] {
  const of = (addresses: readonly string[]) =>
    addresses.filter((address) => address.includes(':') === (family === 6));
  if (parseAddr(end) !== undefined) return of([end]);
  const machine = run.addresses.get(end.replace(/^node\//, '').replace(/ via .*/, ''));
  if (machine !== undefined) return of(machine);
  const [kind = '', namespace = '', rest = ''] = end.split('/');
  if (kind === 'svc')
    return of(run.services.get(run.names.namespace(namespace), rest)?.spec.clusterIPs ?? []);
  if (kind === 'nodeport') return of(run.addresses.get(rest.split('@')[1] ?? '') ?? []);
  if (kind === 'lb') {
    const service = run.services.get(run.names.namespace(namespace), rest);
    return of((service?.status?.loadBalancer?.ingress ?? []).flatMap(({ ip }) => ip ?? []));
  }
  const known = run.serving.get(end)?.addresses;
  if (known === undefined) throw new Error(`${end} is not there`);
  return of(known);
}

export async function placeOf(run: Running, end: string, target: string, family: Family): Promise<Place> {
  const [name = '', via] = end.split(' via ');
  if (via !== undefined) await routeVia(run, name, target, family, via);
  const machine = name === 'world' ? 'router' : name.replace(/^node\//, '');
  if (run.addresses.has(machine)) return { machine };
  const known = run.serving.get(end)?.place;
  if (known === undefined) throw new Error(`${end} is not there`);
  return known;
}

/** A host outside finds an address of the cluster at a node. */
async function routeVia(
  run: Running,
  machine: string,
  target: string,
  family: Family,
  via: string,
): Promise<void> {
  const [hop = ''] = endsOf(run, `node/${via}`, family);
  const { code, stderr } = await run.cluster.lab.exec(machine, [
    'ip',
    'route',
    'replace',
    target,
    'via',
    hop,
  ]);
  if (code !== 0) throw new Error(`${machine}: route to ${target}: ${stderr.trim()}`);
}

/** Of a node port the number that the cluster gave. */
export function portOf(run: Running, { to, protocol, port }: Probe): number {
  const found = /^nodeport\/([^/]+)\/([^@]+)@/.exec(to);
  if (found === null) return port;
  const service = run.services.get(run.names.namespace(found[1] ?? ''), found[2] ?? '');
  const entry = service?.spec.ports?.find(
    (each) => each.port === port && (each.protocol ?? 'TCP').toLowerCase() === protocol,
  );
  if (entry?.nodePort === undefined) throw new Error(`${to} has no node port for ${protocol}/${port}`);
  return entry.nodePort;
}
