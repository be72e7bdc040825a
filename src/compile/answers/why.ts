/** Whether one may open a connection to another, and what decides it at each step of the way. */
import type { Place } from '#intent/node.ts';
import type { ClusterModel } from '#model/cluster.ts';
import type { PolicyProtocol } from '#model/policy.ts';
import type { Family } from '#net/addr.ts';
import type { PolicySnapshot } from '../policy/snapshot.ts';
import { snapshotOf } from './diff.ts';
import { joinedSource, type SourceStep, type Way, wayOf } from './doors.ts';
import { type Gates, gatesOf } from './gate.ts';
import { addressParty, type Party, partyOf } from './parties.ts';
import { judgedStep, type PolicyAnswer } from './policy-step.ts';
import type { AskedPort, Question } from './question.ts';
import { type Router, routerOf, type Translation } from './routes.ts';
import { joined, type Segment, segmentsOf } from './segments.ts';

export type Step =
  | PolicyAnswer
  | SourceStep
  | {
      readonly kind: 'service';
      readonly outcome: 'allowed' | 'denied' | 'refused';
      readonly text: string;
      /** `namespace/name`; with `isHostPort` of a pod. */
      readonly service: string;
      readonly isHostPort?: true;
      readonly frontend: Place;
    }
  | { readonly kind: 'subnet'; readonly outcome: 'allowed' | 'denied'; readonly text: string };

export type PathEnd = { readonly name: string; readonly addresses: readonly string[] };

/** Connections with the same answer: of both families, to several backends, at several ports. */
export type Path = {
  readonly verdict: 'allowed' | 'denied' | 'refused';
  readonly families: readonly Family[];
  readonly from: PathEnd;
  readonly to: readonly PathEnd[];
  /** At the destination, after translation. */
  readonly ports: readonly Segment[];
  readonly steps: readonly Step[];
};

export type Answer = {
  /** `partly`: some of `paths` are, some are not. */
  readonly verdict: 'allowed' | 'denied' | 'refused' | 'partly';
  readonly paths: readonly Path[];
  readonly notes: readonly string[];
};

/** `value` undefined: the two have no family in common. */
export function explain(
  cluster: ClusterModel,
  question: Question,
  families: readonly Family[] = [4, 6],
): Answer | undefined {
  const gates = gatesOf(cluster);
  const snapshot = snapshotOf(cluster, gates);
  const notes = new Set(question.notes);
  const segments = segmentsOf(cluster.policies.values(), cluster.pods.values());
  const router = routerOf(cluster);
  const found: Found[] = [];
  for (const family of families) {
    const from = partyOf(cluster, snapshot, question.from, family, notes);
    if (from === undefined) continue;
    for (const leg of legsOf({ cluster, gates, snapshot, router, question, from, segments, notes })) {
      found.push(walk(snapshot, gates, from, leg, notes));
    }
  }
  if (found.length === 0) return undefined;
  const paths = folded(found, segments, question.port === undefined);
  const verdicts = new Set(paths.map(({ verdict }) => verdict));
  const [only] = verdicts;
  const verdict =
    verdicts.size === 1 && only !== undefined ? only : verdicts.has('allowed') ? 'partly' : 'denied';
  return { verdict, paths, notes: [...notes] };
}

/** One packet to one destination, through a Service or not. */
type Leg = {
  readonly to: Party | undefined;
  readonly name: string;
  readonly protocol: PolicyProtocol | 'other';
  readonly segment: Segment;
  readonly translation?: Translation;
  readonly way?: Way;
};

type Legs = {
  readonly cluster: ClusterModel;
  readonly gates: Gates;
  readonly router: Router;
  readonly snapshot: PolicySnapshot;
  readonly question: Question;
  readonly from: Party;
  readonly segments: readonly Segment[];
  readonly notes: Set<string>;
};

function legsOf(legs: Legs): readonly Leg[] {
  const { cluster, snapshot, router, question, from, segments, notes } = legs;
  const { to: end, port } = question;
  if (end.kind === 'service') {
    return router.toService(end.key, from, port).flatMap((route) => through(legs, route));
  }
  const to = partyOf(cluster, snapshot, end, from.family, notes);
  if (to === undefined) return [];
  const asked = port === undefined ? segments : numbered(port, to, notes);
  return asked.flatMap((segment) => {
    const { protocol, first } = segment;
    const place = { address: to.address, port: first };
    const routes =
      protocol === 'other' || to.kind === 'pod' ? undefined : router.toPlace(from, place, protocol);
    return routes === undefined
      ? [{ to, name: to.name, protocol, segment }]
      : routes.flatMap((route) => through(legs, route));
  });
}

function through(legs: Legs, translation: Translation): readonly Leg[] {
  const { cluster, gates, snapshot, from, notes } = legs;
  const { protocol, frontend, backends, service } = translation;
  const segment = (port: number) => ({ protocol, first: port, last: port });
  if (backends.length === 0)
    return [
      { to: undefined, name: `Service ${service}`, protocol, segment: segment(frontend.port), translation },
    ];
  return backends.flatMap(({ address, port }) => {
    const to = addressParty(cluster, snapshot, address, from.family, notes);
    if (to === undefined) return [];
    const way = wayOf(cluster, gates, from, to, translation);
    return [{ to, name: to.name, protocol, segment: segment(port), translation, way }];
  });
}

/** A name is one of the destination pod's. */
function numbered({ protocol, port }: AskedPort, to: Party, notes: Set<string>): readonly Segment[] {
  if (typeof port === 'number' || protocol === 'other') {
    const [first, last] = protocol === 'other' ? [0, 65_535] : [Number(port), Number(port)];
    return [{ protocol, first, last }];
  }
  const named = to.pod?.namedPorts.find((each) => each.name === port && each.protocol === protocol);
  if (named === undefined) notes.add(`${to.name} has no ${protocol} port of the name ${port}`);
  return named === undefined ? [] : [{ protocol, first: named.port, last: named.port }];
}

type Found = { readonly path: Path; readonly segment: Segment };

function walk(snapshot: PolicySnapshot, gates: Gates, from: Party, leg: Leg, notes: Set<string>): Found {
  const { to, protocol, segment, translation, name } = leg;
  const { as, first, before, after } = leg.way ?? { as: from, before: [], after: [] };
  const steps: Step[] = [];
  const isSelf = as.key !== undefined && as.key === to?.key;
  const flow = { to, protocol, port: segment.first, hairpin: isSelf && translation !== undefined };
  const isLoopback = to?.kind === 'address' && /^(?:127\.|::1$)/.test(to.address);
  const judged = to !== undefined && !isLoopback && (!isSelf || flow.hairpin);
  if (judged && from.pod !== undefined) {
    // Another node translates what its own lets out to that node.
    const out = first === undefined ? {} : { to: first, port: translation?.frontend.port ?? flow.port };
    steps.push(judgedStep(snapshot, 'egress', { ...flow, from, to, ...out }));
  }
  steps.push(...before);
  if (translation !== undefined) steps.push(serviceStep(translation));
  steps.push(...after);
  if (judged && to.pod !== undefined) {
    const gate = gates.into(as, to.address, translation !== undefined);
    if (!gate.allowed) steps.push({ kind: 'subnet', outcome: 'denied', text: gate.because });
    steps.push(judgedStep(snapshot, 'ingress', { ...flow, from: as, to }));
  }
  if (isSelf && !flow.hairpin) notes.add('a connection of a pod to its own address never leaves it');
  if (to?.kind === 'address' && gates.subnetOf(to.address) !== undefined)
    notes.add(`no pod has ${to.address} now: who will, is judged when it is there`);
  if (isLoopback) notes.add(`${to.address} is whoever asks, itself: the connection never leaves it`);
  else if (from.pod === undefined && to !== undefined && to.pod === undefined)
    notes.add('neither end is a pod: Netloom has no say in it');
  const stop = steps.map(({ outcome }) => outcome).find((each) => each === 'denied' || each === 'refused');
  const end = { name, addresses: to === undefined ? [] : [to.address] };
  const path: Path = {
    verdict: stop ?? 'allowed',
    families: [from.family],
    from: { name: from.name, addresses: [from.address] },
    to: [end],
    ports: [segment],
    steps,
  };
  return { path, segment };
}

function serviceStep({ service, isHostPort, frontend, at, protocol, backends, unserved }: Translation): Step {
  const base = { kind: 'service', service, frontend } as const;
  const where = `${at} (${protocol})`;
  if (unserved !== undefined)
    return { ...base, outcome: unserved.outcome, text: `${where}: ${unserved.because}` };
  if (isHostPort) {
    const text = `${where} is its port ${backends[0]?.port ?? 0}`;
    return { ...base, isHostPort, outcome: 'allowed', text };
  }
  const count = backends.length === 1 ? 'one backend' : `${backends.length} backends`;
  return { ...base, outcome: 'allowed', text: `${where} has ${count}` };
}

/** Paths that only their addresses tell apart, or their ports, are one. */
function folded(all: readonly Found[], segments: readonly Segment[], anyPort: boolean): readonly Path[] {
  const found = throughNodes(all, anyPort);
  const groups = Map.groupBy(found, ({ path }) =>
    JSON.stringify([path.verdict, path.steps.map((step) => essence(step, anyPort))]),
  );
  return [...groups.values()].map((group): Path => {
    const paths = group.map((each) => each.path).sort((a, b) => hints(b) - hints(a));
    const path = paths[0] as Path;
    const ends = Map.groupBy(
      paths.flatMap(({ to }) => to),
      ({ name }) => name,
    );
    const to = [...ends].map(([name, list]) => ({
      name,
      addresses: unique(list.flatMap((each) => each.addresses)),
    }));
    const addresses = unique(paths.flatMap(({ from }) => from.addresses));
    const families = [...new Set(paths.flatMap((each) => each.families))].sort((a, b) => a - b);
    return {
      ...path,
      families,
      from: { ...path.from, addresses },
      to,
      ports: portsOf(group, segments),
      steps: withSource(path, group),
    };
  });
}

/** Through which of any nodes a connection comes makes no other answer, where the answer is the same. */
function throughNodes(found: readonly Found[], anyPort: boolean): readonly Found[] {
  const groups = Map.groupBy(found, ({ path: { verdict, families, to, steps }, segment }) => {
    const told = steps.filter((step) => sourceOf(step).length === 0);
    return JSON.stringify([verdict, families, to, segment, told.map((step) => essence(step, anyPort))]);
  });
  return [...groups.values()].map((group) => {
    const { path, segment } = group[0] as Found;
    return { segment, path: { ...path, steps: withSource(path, group) } };
  });
}

function withSource({ steps }: Path, group: readonly Found[]): readonly Step[] {
  const source = joinedSource(group.flatMap(({ path }) => path.steps.flatMap(sourceOf)));
  return steps.map((step) => (sourceOf(step).length > 0 ? (source ?? step) : step));
}

function sourceOf(step: Step): readonly SourceStep[] {
  return step.kind === 'source' && step.isAny ? [step] : [];
}

/** Which rule came nearest differs from port to port, and is no other answer. */
function essence(step: Step, anyPort: boolean): unknown {
  if (step.kind === 'service') return [step.kind, step.outcome, step.service];
  if (step.kind === 'subnet') return [step.kind, step.outcome];
  if (step.kind === 'source') return [step.kind, step.how, ...(step.isAny ? [] : step.nodes)];
  const { kind, outcome, origin, isolatedBy, nearest } = step;
  return [kind, outcome, origin, isolatedBy, ...(anyPort ? [] : [nearest?.policy, nearest?.rule])];
}

function hints({ steps }: Path): number {
  return steps.filter((step) => 'nearest' in step).length;
}

function portsOf(group: readonly Found[], segments: readonly Segment[]): readonly Segment[] {
  const all = [...new Map(group.map(({ segment }) => [JSON.stringify(segment), segment])).values()];
  const indexes = all.map((each) => segments.indexOf(each));
  return indexes.includes(-1)
    ? all
    : joined(
        segments,
        indexes.sort((a, b) => a - b),
      );
}

function unique(list: readonly string[]): string[] {
  return [...new Set(list)];
}
