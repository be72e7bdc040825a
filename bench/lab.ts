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
  const red = new Set<number>();
  // The first start fills caches; a warm one is what is measured.
  if (!quick) await demo(sizes[0]!);
  for (let round = 0; round < (quick ? 1 : 3); round++) {
    for (const size of sizes) {
      const { seconds, green } = await demo(size);
      progress(`${size} nodes: ${seconds.toFixed(1)} s${green ? '' : ', the check is not green'}`);
      if (!green) red.add(size);
      samples.get(size)!.push(seconds);
    }
  }
  const value = (size: number) => median(samples.get(size)!);
  return sizes.map((size) => {
    const goal = goals[size];
    const figure = row({
      name: 'demo to green check',
      size,
      value: value(size),
      unit: 's',
      against: { what: 'one node', value: value(1) },
      ...(goal === undefined ? {} : { goal: { of: 'value', atMost: goal } }),
    });
    const wanted = ['green check', ...(figure.goal === '' ? [] : [figure.goal])].join(', ');
    return { ...figure, goal: wanted, met: figure.met && !red.has(size) };
  });
}

/** Seconds of the whole process; throws when it didn't come as far as its check. */
async function demo(nodes: number): Promise<{ seconds: number; green: boolean }> {
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
      });
    }
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', resolve);
    });
    const checked = said.some((line) => /check done/.test(line));
    if (code !== 0 && !checked)
      throw new Error(`demo with ${nodes} nodes: exit ${code}: ${said.slice(-12).join('\n')}`);
    return { seconds: (performance.now() - started) / 1000, green: code === 0 };
  } finally {
    await labDown(name);
  }
}
