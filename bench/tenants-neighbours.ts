/** What a quiet tenant notices of a loud one: its p99 while the other floods or changes its routes, on one instance and on its own. */
import { execFileSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import type { NginxEngine } from '#engines/nginx/driver.ts';
import type { GatewayChange } from '#intent/gateway.ts';
import { type BenchOptions, type Measured, type Row, row } from '#programs/cli/bench/row.ts';
import { percentile } from '#programs/cli/bench/statistics.ts';
import { cpus, type Field, openField } from './gateway-field.ts';
import type { Target } from './gateway-load.ts';
import { gatewayRoutes, place } from './gateway-routes.ts';
import { type Instance, openSecondInstance } from './tenants-field.ts';

const size = 1_000;
const quietHost = 'quiet.bench.example';
const listener = 'gateway/bench/bench/http';
const churnedAMinute = 1_000;
const roundSeconds = 1;
/** Of the tenant that floods, where quotas hold. */
const quota = { requestsPerSecond: 500, concurrency: 8 };

/** What the neighbour does meanwhile, and where; `plain` and `computes` have nothing of ours: what they cost is the machine's. */
type Case = {
  readonly name: string;
  readonly does?: 'floods' | 'churns' | 'protects' | 'computes';
  readonly where?: 'shared' | 'apart' | 'plain';
  readonly quotas?: true;
  readonly most?: number;
};
const cases: readonly Case[] = [
  { name: 'alone' },
  { name: 'floods the same instance, without quotas', does: 'floods', where: 'shared' },
  { name: 'floods the same instance, with quotas', does: 'floods', where: 'shared', quotas: true, most: 2 },
  { name: 'churns routes of the same instance', does: 'churns', where: 'shared', most: 2 },
  {
    name: 'floods routes with a firewall of the same instance, with quotas',
    does: 'protects',
    where: 'shared',
    quotas: true,
    most: 2,
  },
  { name: 'floods routes with a firewall of another instance', does: 'protects', where: 'apart', most: 1.2 },
  { name: 'floods another instance', does: 'floods', where: 'apart', most: 1.2 },
  { name: 'churns routes of another instance', does: 'churns', where: 'apart', most: 1.2 },
  { name: 'floods a plain nginx that refuses all', does: 'floods', where: 'plain' },
  { name: 'only computes', does: 'computes' },
];

export async function measureNeighbours({ quick, progress }: BenchOptions): Promise<Row[]> {
  const field = await openField(size);
  const apart = await openSecondInstance(field);
  const everywhere = affinity();
  try {
    // What changes routes is not what is measured; nor is the quiet tenant's own backend.
    setAffinity(String(cpus.client));
    await field.ground.run(`chrt -r -p 1 $(pgrep -P $(cat ${field.pidOfBackend(1)}))`);
    await apart.engine.apply(gatewayRoutes(size, [field.backends[0]]));
    const shared = createShared(field);
    await field.engine.apply(shared.withQuiet());
    await quietly(field, 1);
    const samples = new Map<string, Latency[]>(cases.map(({ name }) => [name, []]));
    for (let round = 0; round < (quick ? 3 : 20); round++) {
      // Who comes first changes, so that a machine that grows slower is nobody's fault.
      for (const each of round % 2 === 0 ? cases : cases.toReversed()) {
        await field.engine.apply(shared.withQuotas(each.quotas === true));
        const stop = await neighbour(field, each, apart, shared);
        samples.get(each.name)?.push(await quietly(field, roundSeconds));
        await stop();
      }
    }
    // What a busy machine adds is more in some rounds and less in others; what a neighbour costs is in all of them.
    const lower = (name: string, which: keyof Latency) =>
      percentile(
        (samples.get(name) ?? []).map((each) => each[which]),
        25,
      );
    const alone = { p50: lower('alone', 'p50'), p99: lower('alone', 'p99') };
    return cases.slice(1).flatMap(({ name, most }) => {
      const own = { p50: lower(name, 'p50'), p99: lower(name, 'p99') };
      progress(
        `a neighbour ${name}: p99 ${own.p99.toFixed(2)} ms, alone ${alone.p99.toFixed(2)}; median ${own.p50.toFixed(2)}, alone ${alone.p50.toFixed(2)}`,
      );
      const against = (which: keyof Latency) => ({ what: 'alone', value: alone[which] });
      const goal: Pick<Measured, 'goal'> = most === undefined ? {} : { goal: { of: 'ratio', atMost: most } };
      return [
        row({
          name: `p99 of a quiet tenant whose neighbour ${name}`,
          size,
          unit: 'ms',
          value: own.p99,
          against: against('p99'),
          ...goal,
        }),
        row({
          name: `median of a quiet tenant whose neighbour ${name}`,
          size,
          unit: 'ms',
          value: own.p50,
          against: against('p50'),
        }),
      ];
    });
  } finally {
    setAffinity(everywhere);
    await apart.close();
    await field.close();
  }
}

/** CPUs of this process, as taskset(1) writes them. */
function affinity(): string {
  return execFileSync('taskset', ['-c', '-p', String(process.pid)], { encoding: 'utf8' })
    .split(': ')[1]!
    .trim();
}

function setAffinity(list: string): void {
  execFileSync('taskset', ['-a', '-c', '-p', list, String(process.pid)], { stdio: 'ignore' });
}

type Latency = { readonly p50: number; readonly p99: number };

/** Milliseconds of somebody who asks one request after the other, and waits for nothing but the gateway: before all ordinary processes. */
async function quietly(field: Field, seconds: number): Promise<Latency> {
  const { address, port } = field.targets.ours.http;
  const said = await field.ground.run(
    `chrt -r 1 taskset -c ${field.client.cpu} wrk -t1 -c1 -d${seconds}s --latency -H 'Host: ${quietHost}' http://${address}:${port}/`,
    field.client.netns,
  );
  if (/Non-2xx/.test(said)) throw new Error(`the quiet tenant is not served: ${said}`);
  const of = (percent: number): number => {
    const found = new RegExp(`^\\s+${percent}%\\s+([\\d.]+)(us|ms|s)$`, 'm').exec(said);
    const unit = { us: 0.001, ms: 1, s: 1_000 }[found?.[2] ?? ''];
    if (found === null || unit === undefined) throw new Error(`wrk said: ${said}`);
    return Number(found[1]) * unit;
  };
  return { p50: of(50), p99: of(99) };
}

/** Begins what the neighbour does; what is returned ends it. */
async function neighbour(
  field: Field,
  { does, where }: Case,
  apart: Instance,
  shared: Shared,
): Promise<() => Promise<void>> {
  const isShared = where !== 'apart';
  const engine: NginxEngine = isShared ? field.engine : apart.engine;
  if (does === undefined) return async () => {};
  if (does === 'computes')
    return begun(
      field.ground.run(
        `taskset -c ${cpus.proxy} setsid -w timeout ${roundSeconds + 1} sh -c 'while :; do :; done' || [ $? = 124 ]`,
      ),
    );
  if (does === 'churns') {
    let goesOn = true;
    const turns = async (): Promise<void> => {
      for (let turn = 0; goesOn; turn++) {
        await engine.apply(shared.churn(isShared, turn));
        await sleep(60_000 / churnedAMinute);
      }
    };
    const running = turns();
    return async () => {
      goesOn = false;
      await running;
    };
  }
  if (does === 'protects') await engine.apply(shared.protect(isShared, true));
  const target: Target =
    where === 'plain' ? field.targets.nginx.http : isShared ? field.targets.ours.http : apart.target;
  const { host, path } = where === 'plain' ? { host: 'nobody.example', path: '' } : place(0);
  const stop = await begun(
    field.ground.run(
      `taskset -c ${field.client.cpu} wrk -t1 -c64 -d${roundSeconds + 1}s -H 'Host: ${host}' http://${target.address}:${target.port}${path}/item`,
      field.client.netns,
    ),
  );
  return async () => {
    await stop();
    if (does === 'protects') await engine.apply(shared.protect(isShared, false));
  };
}

/** It has begun once this resolves; what is returned waits for its end. */
async function begun(running: Promise<string>): Promise<() => Promise<void>> {
  running.catch(() => {});
  await sleep(300);
  return async () => void (await running);
}

type Shared = ReturnType<typeof createShared>;

/** Changes of the instance that the quiet tenant is on; and of the other one, which begins with the same routes. */
function createShared(field: Field) {
  const generations = { shared: 1, apart: 1 };
  const next = (
    which: 'shared' | 'apart',
    put: GatewayChange['put'],
    remove: GatewayChange['remove'] = {},
  ) => {
    generations[which] += 1;
    return { generation: generations[which], after: generations[which] - 1, replace: false, put, remove };
  };
  const origin = (namespace: string, name: string) => ({ kind: 'HTTPRoute', namespace, name });
  const backend = 'quiet/backend:80';
  const action = 'HTTPRoute/quiet/quiet|0';
  return {
    withQuiet: (): GatewayChange =>
      next('shared', {
        backends: {
          [backend]: { origin: origin('quiet', 'quiet'), protocol: 'http', endpoints: [field.backends[1]] },
        },
        actions: {
          [action]: { origin: origin('quiet', 'quiet'), kind: 'http', backends: [{ backend, weight: 1 }] },
        },
        rules: {
          [`${listener}|${quietHost}|${action}.0`]: {
            listener,
            host: quietHost,
            path: { type: 'prefix', value: '/' },
            rank: '0',
            action,
          },
        },
      }),
    withQuotas: (has: boolean): GatewayChange =>
      has ? next('shared', { tenants: { bench: quota } }) : next('shared', {}, { tenants: ['bench'] }),
    protect(isShared: boolean, has: boolean): GatewayChange {
      const key = 'bench/firewall';
      const route = 'HTTPRoute/bench/route-0|0';
      const own = origin('bench', 'route-0');
      const sent = {
        origin: own,
        kind: 'http' as const,
        backends: [{ backend: 'bench/backend:80', weight: 1 }],
      };
      const firewall = { mode: 'block' as const, paranoia: 1, threshold: 5, exclusions: [] };
      return next(
        isShared ? 'shared' : 'apart',
        {
          actions: { [route]: has ? { ...sent, policy: key } : sent },
          ...(has ? { policies: { [key]: { origins: [own], firewall } } } : {}),
        },
        has ? {} : { policies: [key] },
      );
    },
    churn(isShared: boolean, turn: number): GatewayChange {
      const host = `churn-${turn % 100}.bench.example`;
      const rule = {
        listener,
        host,
        path: { type: 'prefix' as const, value: `/${turn}` },
        rank: '1',
        action: 'HTTPRoute/bench/route-0|0',
      };
      const key = (of: number) =>
        `${listener}|churn-${of % 100}.bench.example|HTTPRoute/bench/churn-${of}|0.0`;
      return next(
        isShared ? 'shared' : 'apart',
        { rules: { [key(turn)]: rule } },
        { rules: turn < 100 ? [] : [key(turn - 100)] },
      );
    },
  };
}
