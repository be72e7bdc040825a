/** Runs benches at full length and keeps their figures: `node bench/record.ts [NAME…]` writes bench/results/NAME.json. */
import { writeFileSync } from 'node:fs';
import { benchTable } from '#programs/cli/bench/table.ts';
import { benches } from './catalogue.ts';
import { describeMachine } from './machine.ts';

const wanted = process.argv.slice(2);
for (const bench of benches.filter(({ name }) => wanted.length === 0 || wanted.includes(name))) {
  const machine = describeMachine();
  const progress = (line: string) => void process.stderr.write(`${bench.name}: ${line}\n`);
  const rows = await bench.run({ quick: false, progress });
  const text = `${JSON.stringify({ machine, rows }, undefined, 2)}\n`;
  writeFileSync(new URL(`results/${bench.name}.json`, import.meta.url), text);
  process.stdout.write(`${bench.name}\n${benchTable(rows)}\n\n`);
}
