/** What firewalls take of memory: with one policy for all routes, and with one for each. */
import { type BenchOptions, type Row, row } from '#programs/cli/bench/row.ts';
import { type Field, openField } from './gateway-field.ts';
import { loadHTTP1 } from './gateway-load.ts';
import { memoryOf } from './process-memory.ts';
import { block, type FirewallOf, protectedRoutes, requestsOf } from './waf-routes.ts';

const routes = 1_000;
const megabyte = 1024 * 1024;
const goalMegabytes = 50;

/** By what differs. */
const cases: Readonly<Record<string, FirewallOf>> = {
  'one policy for all': () => block,
  'exclusions of its own for each': (index) => ({
    ...block,
    exclusions: [{ rules: ['942000-942999'], target: `ARGS:field${index}` }, { tags: [`tag-${index}`] }],
  }),
};

export async function measureFirewallMemory({ quick, progress }: BenchOptions): Promise<Row[]> {
  const rows: Row[] = [];
  for (const [name, firewallOf] of Object.entries(cases)) {
    const field = await openField(10);
    try {
      const all = requestsOf(routes, () => true);
      const used = async (wanted: FirewallOf) => {
        await field.engine.apply(protectedRoutes(routes, field.backends[0], wanted));
        await loadHTTP1(field.ground, field.client, field.targets.ours.http, all, quick ? 3 : 6);
        return memory(field);
      };
      const before = await used(() => undefined);
      const after = await used(firewallOf);
      progress(`${name}: ${before.toFixed(1)} MB, then ${after.toFixed(1)} MB`);
      rows.push(
        row({
          name: `memory of 1,000 protected routes: ${name}`,
          size: routes,
          unit: 'MB',
          value: after - before,
          against: { what: 'nginx without', value: before },
          goal: { of: 'value', atMost: goalMegabytes },
        }),
      );
    } finally {
      await field.close();
    }
  }
  return rows;
}

/** Of the master and its worker, in MB. */
async function memory(field: Field): Promise<number> {
  const { processes } = field.targets.ours.http;
  const pids = (await field.ground.run(`${processes}; cat /run/netloom-gateway/nginx.pid`))
    .trim()
    .split(/\s+/);
  const smaps = await Promise.all(pids.map((pid) => field.ground.run(`cat /proc/${pid}/smaps`)));
  return memoryOf(smaps).proportional / megabyte;
}
