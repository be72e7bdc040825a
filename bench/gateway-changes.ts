/** Changes of a gateway that is busy: how soon they are seen, what they break; what its routes take of memory, and its start of time. */
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { createInterface, type Interface } from 'node:readline';
import type { GatewayChange } from '#intent/gateway.ts';
import { type BenchOptions, type Row, row } from '#programs/cli/bench/row.ts';
import { median, percentile } from '#programs/cli/bench/statistics.ts';
import { type Field, openField } from './gateway-field.ts';
import { loadHTTP1 } from './gateway-load.ts';
import { gatewayRoutes, place, routedRequests } from './gateway-routes.ts';

const host = 'changes.bench.example';
const socketHost = 'sockets.bench.example';
const socketPort = 9003;
const socketCount = 100;
const listener = 'gateway/bench/bench/http';
const origin = { kind: 'HTTPRoute', namespace: 'bench', name: 'change' };

export async function measureChanges({ quick, progress }: BenchOptions): Promise<Row[]> {
  const size = quick ? 1_000 : 10_000;
  const field = await openField(size);
  try {
    const rows = await measureEffect(field, size, quick ? 100 : 1_000, progress);
    return [
      ...rows,
      ...(await measureMemory(field, size)),
      ...(await measureStart(field, size, quick ? 1 : 5)),
    ];
  } finally {
    await field.close();
  }
}

/** A route that comes, then goes, and so on, each time until a client sees it; WebSockets are open, and wrk asks as fast as it can. */
async function measureEffect(
  field: Field,
  size: number,
  rounds: number,
  progress: (line: string) => void,
): Promise<Row[]> {
  const client = startClient(field);
  const states = createStates(field);
  await field.engine.apply(states.sockets);
  await client.ask(`until ${socketHost} / 426`);
  await client.ask(`sockets ${socketCount} ${socketHost} /`);
  const idle = await flips(field, client, states, Math.min(rounds, 200));
  const seconds = Math.ceil(rounds / 25);
  const load = loadHTTP1(
    field.ground,
    field.client,
    field.targets.ours.http,
    routedRequests(size, 1_000),
    seconds,
  );
  let loaded = false;
  const ended = load.finally(() => {
    loaded = true;
  });
  ended.catch(() => {});
  const busy: Flips = { answered: [], seen: [] };
  while (!loaded) {
    const some = await flips(field, client, states, 10);
    busy.answered.push(...some.answered);
    busy.seen.push(...some.seen);
  }
  const { failed, p99 } = await ended;
  const left = Number(await client.ask('count'));
  client.close();
  progress(
    `${size} routes, ${busy.seen.length} changes under load: seen after ${median(busy.seen).toFixed(1)} ms, p99 ${percentile(busy.seen, 99).toFixed(1)}; ${failed} requests failed, p99 of requests ${p99.toFixed(1)} ms, ${left} of ${socketCount} sockets left`,
  );
  const against = (of: (samples: readonly number[]) => number) => ({ what: 'idle', value: of(idle.seen) });
  const p = (samples: readonly number[]) => percentile(samples, 99);
  const none = (name: string, value: number) =>
    row({
      name,
      size,
      unit: '',
      value,
      against: { what: 'changes', value: busy.seen.length },
      goal: { of: 'value', atMost: 0 },
    });
  return [
    row({
      name: 'push → effect under load: median',
      size,
      unit: 'ms',
      value: median(busy.seen),
      against: against(median),
    }),
    row({
      name: 'push → effect under load: p99',
      size,
      unit: 'ms',
      value: p(busy.seen),
      against: against(p),
      goal: { of: 'value', atMost: 10 },
    }),
    none('requests failed during changes', failed),
    none('WebSockets cut by changes', socketCount - left),
  ];
}

type Flips = { readonly answered: number[]; readonly seen: number[] };

/** Milliseconds from before the push to its answer, and to when a client had seen it. */
async function flips(
  field: Field,
  client: Client,
  states: ReturnType<typeof createStates>,
  count: number,
): Promise<Flips> {
  const result: Flips = { answered: [], seen: [] };
  for (let round = 0; round < count; round++) {
    const change = states.next();
    const seen = client.ask(`until ${host} / ${states.there() ? 200 : 404}`);
    const started = process.hrtime.bigint();
    await field.engine.apply(change);
    result.answered.push(Number(process.hrtime.bigint() - started) / 1e6);
    result.seen.push(Math.max(0, Number(BigInt(await seen) - started) / 1e6));
  }
  return result;
}

/** Changes that put a route and take it away in turns; and one with a route to the server of WebSockets. */
function createStates(field: Field) {
  let generation = 1;
  let there = false;
  const rule = (name: string) => ({
    listener,
    host: name,
    path: { type: 'prefix' as const, value: '/' },
    rank: '0',
    action: `HTTPRoute/bench/${name}|0`,
  });
  const action = (name: string, backend: string) => ({
    [`HTTPRoute/bench/${name}|0`]: { origin, kind: 'http' as const, backends: [{ backend, weight: 1 }] },
  });
  const key = (name: string) => `${listener}|${name}|HTTPRoute/bench/${name}|0.0`;
  const delta = (put: GatewayChange['put'], remove: GatewayChange['remove'] = {}): GatewayChange => {
    generation += 1;
    return { generation, after: generation - 1, replace: false, put, remove };
  };
  const [address = ''] = field.backends[0].split(':');
  return {
    there: () => there,
    sockets: delta({
      backends: { 'bench/sockets:80': { origin, protocol: 'http', endpoints: [`${address}:${socketPort}`] } },
      actions: { ...action(socketHost, 'bench/sockets:80'), ...action(host, 'bench/backend:80') },
      rules: { [key(socketHost)]: rule(socketHost) },
    }),
    next: () => {
      there = !there;
      return there ? delta({ rules: { [key(host)]: rule(host) } }) : delta({}, { rules: [key(host)] });
    },
  };
}

type Client = { ask(line: string): Promise<string>; close(): void };

function startClient(field: Field): Client {
  const { address, port } = field.targets.ours.http;
  const child: ChildProcessWithoutNullStreams = field.ground.box.spawn(
    [
      'taskset',
      '-c',
      String(field.client.cpu),
      'node',
      '/opt/netloom/bench/gateway-client.ts',
      address,
      String(port),
      String(socketPort),
    ],
    { netns: field.client.netns },
  );
  const lines: Interface = createInterface({ input: child.stdout });
  let said = '';
  child.stderr.on('data', (data) => (said = (said + String(data)).slice(-2_000)));
  return {
    ask: (line) =>
      new Promise((resolve, reject) => {
        const gone = () => reject(new Error(`the client ended: ${said}`));
        child.once('exit', gone);
        lines.once('line', (answer) => {
          child.off('exit', gone);
          if (answer.startsWith('never') || answer.startsWith('what'))
            reject(new Error(`${line}: ${answer}`));
          else resolve(answer);
        });
        child.stdin.write(`${line}\n`);
      }),
    close: () => child.stdin.end(),
  };
}

/** Proportional set size: what only it has, and its part of what it shares. */
async function measureMemory(field: Field, size: number): Promise<Row[]> {
  const { ours, nginx } = field.targets;
  const pss = async (processes: string) => {
    const kilobytes = await field.ground.run(
      `for pid in $(${processes}); do grep ^Pss: /proc/$pid/smaps_rollup; done | awk '{ sum += $2 } END { print sum }'`,
    );
    return Number(kilobytes) / 1024;
  };
  return [
    row({
      name: 'memory of a worker',
      size,
      unit: 'MiB',
      value: await pss(ours.http.processes),
      against: { what: 'plain nginx', value: await pss(nginx.http.processes) },
    }),
  ];
}

/** From the exec of nginx, with all it held in its file, to its first answer. */
async function measureStart(field: Field, size: number, rounds: number): Promise<Row[]> {
  await field.engine.apply({ ...gatewayRoutes(size, [field.backends[0]]), generation: 1_000_000 });
  await field.engine.close();
  const { host: first, path } = place(size - 1);
  const ours: number[] = [];
  const theirs: number[] = [];
  for (let round = 0; round < rounds; round++) {
    ours.push(await field.restart('ours', first, `${path}/item`));
    theirs.push(await field.restart('nginx', first, `${path}/item`));
  }
  return [
    row({
      name: 'from start to the first answer',
      size,
      unit: 'ms',
      value: median(ours),
      against: { what: 'plain nginx', value: median(theirs) },
    }),
  ];
}
