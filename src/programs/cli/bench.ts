/** `netloom bench`: what things cost, as ratios to references in the same run. */
import type { Bench } from './bench/row.ts';
import { benchTable } from './bench/table.ts';
import { columns } from './columns.ts';
import { exitCodes, type Invocation, UsageError } from './command.ts';

/** What is measured stands outside of `src`: no program needs it. */
const catalogue = new URL('../../../bench/catalogue.ts', import.meta.url);

export async function run(invocation: Invocation): Promise<number> {
  const benches = await allBenches();
  const [name] = invocation.operands;
  const json = invocation.values.json === true;
  if (name === undefined) {
    const list = await benchList();
    if (json) invocation.out(JSON.stringify(list.map(([each, summary]) => ({ name: each, summary }))));
    else for (const line of columns(list)) invocation.out(line);
    return exitCodes.ok;
  }
  const bench = benches.find((each) => each.name === name);
  if (bench === undefined) {
    throw new UsageError(`no bench ${name}: there are ${benches.map((each) => each.name).join(', ')}`);
  }
  const rows = await bench.run({ quick: invocation.values.quick === true, progress: invocation.progress });
  invocation.out(json ? JSON.stringify(rows) : benchTable(rows));
  return rows.every((each) => each.met) ? exitCodes.ok : exitCodes.failed;
}

/** Names and what each measures. */
export async function benchList(): Promise<readonly (readonly [string, string])[]> {
  return (await allBenches()).map(({ name, summary }) => [name, summary]);
}

async function allBenches(): Promise<readonly Bench[]> {
  const { benches } = (await import(catalogue.href)) as { readonly benches: readonly Bench[] };
  return benches;
}
