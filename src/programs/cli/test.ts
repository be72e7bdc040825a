/** `netloom test`: types, format, lint and every test; the last line is `N passed, N failed`. */
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { installPackages } from '#lab/image/host-packages.ts';
import { imageRoot } from '#lab/image/image.ts';
import { sourceRoot } from '#lab/paths.ts';
import { exitCodes, type Invocation } from './command.ts';
import { passThrough } from './passthrough.ts';
import {
  type Count,
  countTests,
  failedFiles,
  failureLines,
  type JsonReport,
  summaryLine,
  withSecondTry,
} from './testcount.ts';

/** More files than this don't fail by chance. */
const mostAgain = 4;

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
  const first = await runTests(operands);
  const again = first.report === undefined ? [] : failedFiles(first.report);
  for (const line of first.report === undefined ? [] : failureLines(first.report, sourceRoot)) out(line);
  if (first.report === undefined || again.length === 0 || again.length > mostAgain) {
    add(countTests(first.report, first.code));
  } else {
    // docs/decisions/0015: alone, when nothing else runs.
    out(`once more: ${again.map((file) => relative(sourceRoot, file)).join(' ')}`);
    const second = await runTests([...again, '--maxWorkers=1', '--retry=0']);
    for (const line of second.report === undefined ? [] : failureLines(second.report, sourceRoot)) out(line);
    add(countTests(second.report && withSecondTry(first.report, second.report), second.code));
  }
  out(summaryLine(count));
  return count.failed === 0 ? exitCodes.ok : exitCodes.failed;
}

async function runTests(
  operands: readonly string[],
): Promise<{ readonly code: number; readonly report: JsonReport | undefined }> {
  const directory = await mkdtemp(join(tmpdir(), 'netloom-test-'));
  try {
    const file = join(directory, 'report.json');
    const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${file}`];
    const code = await tool(['vitest', 'run', ...reporters, ...operands]);
    const text = await readFile(file, 'utf8').catch(() => undefined);
    return { code, report: text === undefined ? undefined : (JSON.parse(text) as JsonReport) };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
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
