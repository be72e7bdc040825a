/** `netloom test`: types, format, lint and every test; the last line is `N passed, N failed`. */
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { installPackages } from '#lab/image/host-packages.ts';
import { imageRoot } from '#lab/image/image.ts';
import { sourceRoot } from '#lab/paths.ts';
import { exitCodes, type Invocation } from './command.ts';
import { passThrough } from './passthrough.ts';
import { type Count, countTests, type JsonReport, summaryLine } from './testcount.ts';

export async function run({ operands, out, progress }: Invocation): Promise<number> {
  await imageRoot({ progress });
  await requireBrowser(progress);
  const count = { passed: 0, failed: 0, skipped: 0 };
  const add = (more: Count) => {
    count.passed += more.passed;
    count.failed += more.failed;
    count.skipped += more.skipped;
  };
  if (operands.length === 0) {
    for (const [name, ...argv] of [
      ['types', 'tsc', '--noEmit', '-p', '.'],
      ['format and lint (biome)', 'biome', 'check'],
      ['lint (oxlint)', 'oxlint', '--type-aware'],
    ] as const) {
      const code = await tool(argv);
      out(`${code === 0 ? 'ok' : 'FAILED'}  ${name}`);
      add({ passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1, skipped: 0 });
    }
  }
  const directory = await mkdtemp(join(tmpdir(), 'netloom-test-'));
  try {
    const report = join(directory, 'report.json');
    const code = await tool([
      'vitest',
      'run',
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${report}`,
      ...operands,
    ]);
    const text = await readFile(report, 'utf8').catch(() => undefined);
    add(countTests(text === undefined ? undefined : (JSON.parse(text) as JsonReport), code));
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
  out(summaryLine(count));
  return count.failed === 0 ? exitCodes.ok : exitCodes.failed;
}

/** A test of the pure folders runs in a real browser; without one it is skipped, and says so. */
async function requireBrowser(progress: (line: string) => void): Promise<void> {
  if (['chromium', 'chromium-headless-shell'].some((name) => existsSync(`/usr/bin/${name}`))) return;
  progress('installing chromium-headless-shell by apt (100 MB, once)');
  const refused = await installPackages(['chromium-headless-shell']);
  if (refused !== undefined) progress(`no browser: ${refused}`);
}

/** Runs a tool of node_modules with our own runtime, whatever `node` the PATH has. */
async function tool([name = '', ...args]: readonly string[]): Promise<number> {
  const bin = join(sourceRoot, 'node_modules/.bin');
  const path = `${join(process.execPath, '..')}:${bin}:${process.env.PATH ?? ''}`;
  const inRoot = process.cwd();
  process.chdir(sourceRoot);
  try {
    return await passThrough([join(bin, name), ...args], { ...process.env, PATH: path });
  } finally {
    process.chdir(inRoot);
  }
}
