/** From the request that makes a Service to its route on the router, or the first answer to ARP; and whether sessions live through churn. */
import { createInterface } from 'node:readline';
import type { KubeObject } from '#api/object.ts';
import { eventually } from '#lab/eventually.ts';
import { routerRoutes, routerSessions } from '#lab/router-table.ts';
import { type Row, row } from '#programs/cli/bench/row.ts';
import { median } from '#programs/cli/bench/statistics.ts';
import { paths } from '#system/registry.ts';
import {
  addressOf,
  balanced,
  commonObjects,
  datapathOf,
  type Ground,
  nodes,
  peers,
  type Wish,
} from './lb-ground.ts';

export type AnnounceOptions = {
  readonly sizes: readonly number[];
  readonly runs: number;
  /** Services made and deleted while sessions are watched. */
  readonly changes: number;
  readonly progress: (line: string) => void;
};

const goal = { of: 'value', atMost: 200 } as const;
const most = 15_000;

export async function announcements(ground: Ground, options: AnnounceOptions): Promise<Row[]> {
  const { sizes, runs, progress } = options;
  // Without BFD: on a busy machine it resets sessions by itself.
  await ground.apply(...commonObjects, ...peers(false));
  await ground.whole(false);
  const routes = await watchRoutes(ground);
  const rows: Row[] = [];
  try {
    for (const pool of ['fabric-many', 'segment-many'] as const) {
      const before = rows.length;
      let there = 0;
      for (const size of sizes) {
        await grow(ground, pool, there, size);
        there = size;
        await quiet(ground, pool, size);
        const way = pool === 'fabric-many' ? routes.until : answerOf(ground);
        const samples: number[] = [];
        for (let run = 0; run < runs; run++) samples.push(await oneService(ground, pool, run, way));
        progress(`${pool}, ${size} Services: ${median(samples).toFixed(0)} ms`);
        rows.push(...announceRows(pool, size, samples, rows[before]?.value));
      }
      if (pool === 'fabric-many') rows.push(await churn(ground, there, options));
      await shrink(ground, pool, there);
    }
    return rows;
  } finally {
    routes.stop();
  }
}

function announceRows(
  pool: string,
  size: number,
  samples: readonly number[],
  first: number | undefined,
): Row[] {
  const name =
    pool === 'fabric-many'
      ? 'Service created → route on the router'
      : 'Service created → first answer to ARP';
  const against = { what: 'the smallest size', value: first ?? median(samples) };
  return [
    row({ name: `${name}: median`, size, value: median(samples), unit: 'ms', against, goal }),
    row({ name: `${name}: worst`, size, value: Math.max(...samples), unit: 'ms', against, goal }),
  ];
}

/** The addresses from .15.0 on are for those that come one at a time. */
function single(pool: Wish['pool'], run: number): KubeObject {
  const address = `${pool === 'fabric-many' ? '172.21' : '172.20'}.15.${run + 1}`;
  return balanced({ name: `${pool}-one`, pool, address });
}

type Until = (address: string) => Promise<{ readonly at: Promise<number>; stop(this: void): void }>;

async function oneService(ground: Ground, pool: Wish['pool'], run: number, until: Until): Promise<number> {
  const service = single(pool, run);
  const address = service.metadata.annotations?.['metallb.io/loadBalancerIPs'] ?? '';
  const { at, stop } = await until(address);
  try {
    const start = Date.now();
    const [seen] = await Promise.all([at, ground.apply(service)]);
    return seen - start;
  } finally {
    stop();
    await ground.remove(service);
  }
}

/** When an address is answered for the first time. */
function answerOf({ neighbors }: Ground): Until {
  return async (address) => {
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    const late = setTimeout(() => reject(new Error(`nobody answers for ${address}`)), most);
    const asking = await neighbors.watch([address], 2, ({ at }) => resolve(at));
    return {
      at: promise,
      stop: () => {
        clearTimeout(late);
        asking.stop();
      },
    };
  };
}

/** The kernel's routes on the router as they come. */
async function watchRoutes({ lab }: Ground): Promise<{ readonly until: Until; stop(): void }> {
  const child = await lab.spawn('router', ['ip', '-o', '-4', 'monitor', 'route']);
  const waiting = new Map<string, (at: number) => void>();
  createInterface({ input: child.stdout }).on('line', (line) => {
    const [, address = ''] = /^(\S+) .*proto bgp/.exec(line) ?? [];
    waiting.get(address)?.(Date.now());
  });
  return {
    until: async (address) => {
      const { promise, resolve, reject } = Promise.withResolvers<number>();
      const late = setTimeout(() => reject(new Error(`the router has no route to ${address}`)), most);
      waiting.set(address, resolve);
      return {
        at: promise,
        stop: () => {
          clearTimeout(late);
          waiting.delete(address);
        },
      };
    },
    stop: () => void child.kill('SIGKILL'),
  };
}

const atOnce = 20;

async function each(count: number, from: number, work: (index: number) => Promise<void>): Promise<void> {
  let next = from;
  const worker = async (): Promise<void> => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

async function grow(ground: Ground, pool: Wish['pool'], from: number, to: number): Promise<void> {
  await each(to, from, (index) => ground.apply(balanced({ name: `${pool}-${index}`, pool })));
  await each(to, from, async (index) => void (await addressOf(ground, `${pool}-${index}`)));
}

/** Nothing of what was made before is still on its way. */
async function quiet({ lab }: Ground, pool: Wish['pool'], size: number): Promise<void> {
  const prefix = pool === 'fabric-many' ? '172.21.' : '172.20.';
  const announced = async (): Promise<number> => {
    if (pool === 'fabric-many')
      return [...(await routerRoutes(lab)).values()].filter(
        (route) => route.prefix.startsWith(prefix) && route.via.length === nodes.length,
      ).length;
    const all = await Promise.all(nodes.map((node) => datapathOf(lab, node)));
    return all.flatMap(({ answering = [] }) => answering).filter(({ address }) => address.startsWith(prefix))
      .length;
  };
  await eventually(
    async () => {
      const found = await announced();
      if (found !== size) throw new Error(`${found} of ${size} Services of ${pool} are announced`);
    },
    300_000,
    500,
  );
}

async function shrink(ground: Ground, pool: Wish['pool'], count: number): Promise<void> {
  await each(count, 0, (index) => ground.remove(balanced({ name: `${pool}-${index}`, pool })));
}

/** Services come and go; what FRR is told and its sessions stay as they are. */
async function churn(ground: Ground, size: number, { changes, progress }: AnnounceOptions): Promise<Row> {
  const configuration = () => Promise.all(nodes.map((node) => runningConfig(ground, node)));
  const [sessions, told] = [await routerSessions(ground.lab), await configuration()];
  await each(Math.floor(changes / 2), 0, async (index) => {
    const service = balanced({ name: `churn-${index}`, pool: 'fabric-many' });
    await ground.apply(service);
    await ground.remove(service);
  });
  const after = await routerSessions(ground.lab);
  // The router knows a node's session for as long as it stands.
  const resets = [...sessions].filter(([peer, { made }]) => {
    const now = after.get(peer);
    return now?.state !== 'Established' || now.made !== made;
  });
  const same = JSON.stringify(await configuration()) === JSON.stringify(told);
  progress(
    `${changes} changes: ${resets.length} sessions reset, FRR's configuration is ${same ? 'the same' : 'another one'}`,
  );
  return row({
    name: `BGP sessions reset, or configured anew, in ${changes} changes`,
    size,
    value: resets.length + (same ? 0 : 1),
    unit: 'sessions',
    against: { what: 'sessions', value: sessions.size },
    goal: { of: 'value', atMost: 0 },
  });
}

async function runningConfig({ lab }: Ground, node: string): Promise<string> {
  const argv = ['vtysh', '--vty_socket', paths.frrDirectory.value, '-c', 'show running-config'];
  return (await lab.exec(node, argv)).stdout;
}
