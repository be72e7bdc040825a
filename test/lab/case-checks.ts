/** Checks of a case's step: probes, kept connections and facts, asked until all hold at once. */
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { parse } from 'yaml';
import { type Family, parseAddr } from '#net/addr.ts';
import { parsePrefix, prefixHas } from '#net/prefix.ts';
import type { Check, Fact, Held, Probe, Step } from '../corpus/case.ts';
import { askAnswered, askRouted } from './case-balancers.ts';
import { endsOf, placeOf, portOf, type Running } from './case-ends.ts';
import type { ProbeAnswer } from './packets.ts';

/** As the conformance tests of the APIs give it. */
const deadline = 12_000;
const settling = 700;
/** What is dropped stays silent for so long. */
const silence = 800;
/** A SYN that was too early is sent again after a second; a busy machine is no policy. */
const patience = 3000;
/** Connections to see all endpoints by; a look that missed one is taken again. */
const many = 16;

/**
 * Gives what does not hold when the deadline has passed. Where nothing is to be dropped all may hold before a change is in force: what
 * holds is asked again for a while.
 */
export async function checkStep(run: Running, { checks }: Step): Promise<readonly string[]> {
  const sent = checks.filter((check) => !('judgedOnly' in check));
  const until = performance.now() + deadline;
  const isTold = sent.some((check) => check.kind === 'probe' && check.outcome === 'dropped');
  const notBefore = performance.now() + (isTold ? 0 : settling);
  let waiting: readonly Check[] = sent.filter((check) => check.kind !== 'held' || check.state !== 'alive');
  for (;;) {
    const wrong = await askAll(run, waiting);
    if (performance.now() > until) return wrong.map(({ wrong: text }) => text);
    if (wrong.length === 0) {
      // All at once, when each has held by itself.
      const last = await askAll(run, sent);
      if (last.length === 0 && performance.now() > notBefore) break;
      waiting = last.length === 0 ? sent : unique(last);
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
    case 'answered':
      return askAnswered(run, check);
    case 'routed':
      return askRouted(run, check);
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
  const port = portOf(run, probe);
  const timeoutMs = probe.outcome === 'dropped' ? silence : patience;
  const order = { target, protocol: probe.protocol, port, timeoutMs };
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
