/** Checks of a case's step: probes, kept connections and facts, asked until all hold at once. */
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { parse } from 'yaml';
import { type Family, parseAddr } from '#net/addr.ts';
import { parsePrefix, prefixHas } from '#net/prefix.ts';
import type { Case, Check, Fact, Held, PodWish, Probe, Step } from '../corpus/case.ts';
import type { CaseCluster } from './case-cluster.ts';
import type { Names } from './case-names.ts';
import type { Place, ProbeAnswer, ServedPort } from './packets.ts';

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

/** As the conformance tests of the APIs give it. */
const deadline = 12_000;
/** Of one packet: what is dropped stays silent for so long. */
const silence = 1000;
const many = 24;

/** Gives what does not hold when the deadline has passed. */
export async function checkStep(run: Running, { checks }: Step): Promise<readonly string[]> {
  const sent = checks.filter((check) => !('judgedOnly' in check));
  const until = performance.now() + deadline;
  let waiting: readonly Check[] = sent.filter((check) => check.kind !== 'held' || check.state !== 'alive');
  for (;;) {
    const wrong = await askAll(run, waiting);
    if (performance.now() > until) return wrong.map(({ wrong: text }) => text);
    if (wrong.length === 0) {
      // All at once, when each has held by itself.
      const last = await askAll(run, sent);
      if (last.length === 0) break;
      waiting = unique(last);
    } else waiting = unique(wrong);
    await sleep(50);
  }
  for (const [end, { addresses }] of run.serving) run.before.set(end, addresses);
  return [];
}

const unique = (wrong: readonly { readonly check: Check }[]): readonly Check[] => [
  ...new Set(wrong.map(({ check }) => check)),
];

async function askAll(
  run: Running,
  checks: readonly Check[],
): Promise<readonly { readonly check: Check; readonly wrong: string }[]> {
  const answers = await Promise.all(
    checks.map(async (check) => {
      const found = await ask(run, check).catch((error: unknown) => [String(error)]);
      return found.map((text) => ({ check, wrong: `${run.given.name}.case:${check.line}: ${text}` }));
    }),
  );
  return answers.flat();
}

function ask(run: Running, check: Check): Promise<readonly string[]> {
  switch (check.kind) {
    case 'probe':
      return askProbe(run, check);
    case 'held':
      return askHeld(run, check);
    case 'fact':
      return askFact(run, check);
  }
}

async function askProbe(run: Running, probe: Probe): Promise<readonly string[]> {
  const wrong = await Promise.all(
    probe.families.flatMap((family) =>
      endsOf(run, probe.to, family).map(async (target) => {
        const found = await askAddress(run, probe, family, target);
        if (found === undefined) return [];
        const { from, to, protocol, port } = probe;
        return [`${from} -> ${to} (${target}) ${protocol}/${port} is to be ${probe.outcome}: ${found}`];
      }),
    ),
  );
  return wrong.flat();
}

async function askAddress(
  run: Running,
  probe: Probe,
  family: Family,
  target: string,
): Promise<string | undefined> {
  const from = await placeOf(run, probe.from, target, family);
  const port = await portOf(run, probe);
  const order = { target, protocol: probe.protocol, port, timeoutMs: silence };
  if (probe.keep !== undefined) {
    const id = `${run.prefix}-${probe.keep}-${family}`;
    const name = `${probe.from} ${id}`;
    if (run.kept.has(name)) return undefined;
    const { outcome } = await run.packets.keep(from, id, order);
    if (outcome === 'allowed') run.kept.add(name);
    return outcome === probe.outcome ? undefined : outcome;
  }
  const answers: readonly ProbeAnswer[] =
    probe.by === undefined || (probe.by.length === 1 && probe.always === undefined)
      ? [await run.packets.probe(from, order)]
      : await Promise.all(Array.from({ length: many }, () => run.packets.probe(from, order)));
  for (const { outcome, detail } of answers)
    if (outcome !== probe.outcome) return `it was ${outcome}${detail === undefined ? '' : `: ${detail}`}`;
  return wrongServer(run, probe, answers) ?? wrongClient(run, probe, family, answers);
}

function wrongServer(
  run: Running,
  { by, always }: Probe,
  answers: readonly ProbeAnswer[],
): string | undefined {
  if (by === undefined) return undefined;
  const wanted = new Set(
    by.map(
      (end) => run.names.value({ namespace: end.split('/')[0] ?? '' }).namespace + end.replace(/^[^/]*/, ''),
    ),
  );
  const seen = new Set(answers.map(({ server = '' }) => server));
  const strange = [...seen].filter((server) => !wanted.has(server));
  if (strange.length > 0) return `${strange.join(', ')} answered`;
  if (always === true) return seen.size === 1 ? undefined : `${[...seen].join(', ')} answered in turn`;
  return seen.size === wanted.size ? undefined : `only ${[...seen].join(', ')} answered`;
}

function wrongClient(
  run: Running,
  { seenAs }: Probe,
  family: Family,
  answers: readonly ProbeAnswer[],
): string | undefined {
  if (seenAs === undefined) return undefined;
  const wanted = endsOf(run, seenAs, family);
  const strange = answers.find(({ client = '' }) => !wanted.includes(client));
  return strange === undefined ? undefined : `seen as ${strange.client}, not as ${wanted.join(', ')}`;
}

async function askHeld(run: Running, held: Held): Promise<readonly string[]> {
  const names = [...run.kept].filter((each) => each.includes(` ${run.prefix}-${held.name}-`));
  if (names.length === 0) return [`no connection ${held.name} was kept`];
  const wrong = await Promise.all(
    names.map(async (name) => {
      const [end = '', id = ''] = name.split(' ');
      const place = run.serving.get(end)?.place;
      if (place === undefined) return [`${end} is not there`];
      const { outcome } = await run.packets.ask(place, id);
      const alive = outcome === 'allowed';
      return alive === (held.state === 'alive') ? [] : [`${id} is ${alive ? 'alive' : 'cut'}`];
    }),
  );
  return wrong.flat();
}

async function askFact(run: Running, { object, verb, value }: Fact): Promise<readonly string[]> {
  const { kind, namespace, name } = object;
  if (verb !== 'has') {
    const end = `${namespace}/${name}`;
    const addresses = run.serving.get(end)?.addresses ?? [];
    if (verb === 'keeps')
      return isDeepStrictEqual(addresses, run.before.get(end))
        ? []
        : [`${end} had ${run.before.get(end)?.join(', ')} and has ${addresses.join(', ')}`];
    const prefixes = value.split(',').flatMap((text) => parsePrefix(text.trim()) ?? []);
    const inside = addresses.filter((address) => {
      const addr = parseAddr(address);
      return addr !== undefined && prefixes.some((prefix) => prefixHas(prefix, addr));
    });
    return inside.length === addresses.length && addresses.length > 0
      ? []
      : [`${end} has ${addresses.join(', ')}`];
  }
  const target = namespace === undefined ? run.names.cluster(kind, name) : name;
  const found = await run.cluster.client.get(
    run.type(kind),
    kind === 'Namespace' ? run.names.namespace(name) : target,
    namespace === undefined ? undefined : run.names.namespace(namespace),
  );
  const wanted = run.names.value(parse(value) as unknown);
  return contains(found, wanted)
    ? []
    : [`${kind} ${name} is ${JSON.stringify({ ...found, metadata: { labels: found.metadata.labels } })}`];
}

/** Every field of `wanted` is there with that value; of a list, each entry is in some entry. */
function contains(found: unknown, wanted: unknown): boolean {
  if (Array.isArray(wanted))
    return Array.isArray(found) && wanted.every((each) => found.some((other) => contains(other, each)));
  if (typeof wanted !== 'object' || wanted === null) return isDeepStrictEqual(found, wanted);
  if (typeof found !== 'object' || found === null) return false;
  return Object.entries(wanted).every(([key, value]) =>
    contains((found as Record<string, unknown>)[key], value),
  );
}

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

async function placeOf(run: Running, end: string, target: string, family: Family): Promise<Place> {
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
async function portOf(run: Running, { to, protocol, port }: Probe): Promise<number> {
  const found = /^nodeport\/([^/]+)\/([^@]+)@/.exec(to);
  if (found === null) return port;
  const service = run.services.get(run.names.namespace(found[1] ?? ''), found[2] ?? '');
  const entry = service?.spec.ports?.find(
    (each) => each.port === port && (each.protocol ?? 'TCP').toLowerCase() === protocol,
  );
  if (entry?.nodePort === undefined) throw new Error(`${to} has no node port for ${protocol}/${port}`);
  return entry.nodePort;
}
