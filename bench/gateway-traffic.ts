/** Requests through the gateway, beside plain nginx and HAProxy with the same routes. */
import { type BenchOptions, type Goal, type Row, row } from '#programs/cli/bench/row.ts';
import { median, pairedRatio } from '#programs/cli/bench/statistics.ts';
import { type Field, openField } from './gateway-field.ts';
import { type LoadFigures, loadHTTP1, loadHTTP2, type Target } from './gateway-load.ts';
import { routedRequests } from './gateway-routes.ts';

const sizes = [10, 1_000, 10_000];
const different = 1_000;

type Kind = 'HTTP/1.1' | 'HTTP/2 by TLS';
const kinds: readonly Kind[] = ['HTTP/1.1', 'HTTP/2 by TLS'];

/** Of what plain nginx answers a second. */
const goals: Readonly<Record<Kind, number>> = { 'HTTP/1.1': 0.85, 'HTTP/2 by TLS': 0.8 };
/** Below, nobody needs a router. */
const goalFrom = 1_000;

export async function measureTraffic(options: BenchOptions): Promise<Row[]> {
  const rows: Row[] = [];
  for (const size of options.quick ? sizes.slice(0, 2) : sizes) {
    const field = await openField(size);
    try {
      for (const kind of kinds) rows.push(...(await measureKind(field, kind, size, options)));
    } finally {
      await field.close();
    }
  }
  return rows;
}

type Who = 'ours' | 'nginx' | 'haproxy';

async function measureKind(
  field: Field,
  kind: Kind,
  size: number,
  { quick, progress }: BenchOptions,
): Promise<Row[]> {
  const requests = routedRequests(size, different);
  const load = (target: Target, seconds: number): Promise<LoadFigures> =>
    kind === 'HTTP/1.1'
      ? loadHTTP1(field.ground, field.client, target, requests, seconds)
      : loadHTTP2(field.ground, field.client, target, requests, seconds * 15_000);
  const whos: readonly Who[] = ['ours', 'nginx', 'haproxy'];
  const samples: Record<Who, LoadFigures[]> = { ours: [], nginx: [], haproxy: [] };
  for (let round = quick ? 0 : -1; round < (quick ? 2 : 6); round++) {
    for (let turn = 0; turn < whos.length; turn++) {
      const who = whos[(turn + Math.max(0, round)) % whos.length]!;
      const figures = await load(field.targets[who][kind === 'HTTP/1.1' ? 'http' : 'https'], quick ? 1 : 2);
      if (figures.failed > 0)
        throw new Error(`${who}: ${figures.failed} requests failed (${kind}, ${size} routes)`);
      if (round >= 0) samples[who].push(figures);
    }
  }
  const of = (who: Who, field: keyof LoadFigures) => samples[who].map((each) => each[field]);
  progress(
    `${size} routes, ${kind}: ${whos.map((who) => `${who} ${median(of(who, 'perSecond')).toFixed(0)}/s, ${median(of(who, 'cpu')).toFixed(1)} µs, p99 ${median(of(who, 'p99')).toFixed(2)} ms`).join('; ')}`,
  );
  const compared = (name: string, unit: string, figure: keyof LoadFigures, who: Who, goal?: Goal) =>
    row({
      name: `${kind}: ${name}`,
      size,
      unit,
      value: median(of('ours', figure)),
      against: { what: who === 'nginx' ? 'plain nginx' : 'HAProxy', value: median(of(who, figure)) },
      ratio: pairedRatio(of('ours', figure), of(who, figure)),
      ...(goal === undefined ? {} : { goal }),
    });
  const goal: Goal | undefined = size < goalFrom ? undefined : { of: 'ratio', atLeast: goals[kind] };
  return [
    compared('requests a second', '1/s', 'perSecond', 'nginx', goal),
    compared('CPU a request', 'µs', 'cpu', 'nginx'),
    compared('p99', 'ms', 'p99', 'nginx'),
    compared('requests a second beside HAProxy', '1/s', 'perSecond', 'haproxy'),
    compared('CPU a request beside HAProxy', 'µs', 'cpu', 'haproxy'),
  ];
}
