/** From the command to a green check, as a user waits for it. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { labDown } from '#lab/lifecycle.ts';
import { type Bench, type BenchOptions, type Row, row } from '#programs/cli/bench/row.ts';
import { median } from '#programs/cli/bench/statistics.ts';

export const lab: Bench = {
  name: 'lab',
  summary: 'from `netloom demo` to its green check, warm, with 1, 3 and 10 nodes',
  run: measure,
};

const sizes = [1, 3, 10];
const goals: Readonly<Record<number, number>> = { 3: 15 };
const name = 'bench-lab';
const command = fileURLToPath(new URL('../netloom', import.meta.url));

async function measure({ quick, progress }: BenchOptions): Promise<Row[]> {
  const samples = new Map<number, number[]>(sizes.map((size) => [size, []]));
  // The first start fills caches; a warm one is what is measured.
  if (!quick) await demo(sizes[0]!, () => {});
  for (let round = 0; round < (quick ? 1 : 3); round++) {
    for (const size of sizes) {
      const seconds = await demo(size, progress);
      progress(`${size} nodes: ${seconds.toFixed(1)} s`);
      samples.get(size)!.push(seconds);
    }
  }
  const value = (size: number) => median(samples.get(size)!);
  return sizes.map((size) => {
    const goal = goals[size];
    return row({
      name: 'demo to green check',
      size,
      value: value(size),
      unit: 's',
      against: { what: 'one node', value: value(1) },
      ...(goal === undefined ? {} : { goal: { of: 'value', atMost: goal } }),
    });
  });
}

/** Seconds of the whole process. */
async function demo(nodes: number, progress: (line: string) => void): Promise<number> {
  await labDown(name);
  try {
    const started = performance.now();
    const child = spawn(command, ['demo', '--name', name, '--nodes', String(nodes)], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const said: string[] = [];
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => {
        said.push(line);
        progress(`  ${line}`);
      });
    }
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', resolve);
    });
    if (code !== 0) throw new Error(`demo with ${nodes} nodes: exit ${code}: ${said.slice(-12).join('\n')}`);
    return (performance.now() - started) / 1000;
  } finally {
    await labDown(name);
  }
}
