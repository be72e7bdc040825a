/** Every folder under `engines/` looks like the others, and so does every one under `compile/`; files say what they are for. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { isTest, root, sources } from './sources.ts';

const folders = (path: string): string[] =>
  readdirSync(join(root, 'src', path), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name);

const engineFiles = ['README.md', 'objects.ts', 'lower.ts', 'plan.ts', 'driver.ts', 'fake.ts'];

test.each(folders('engines'))('engines/%s has the shape of an engine', (name) => {
  const missing = engineFiles.filter((file) => !existsSync(join(root, 'src/engines', name, file)));
  expect(missing).toEqual([]);
  expect(readdirSync(join(root, 'src/engines', name)).some((file) => file.endsWith('.test.ts'))).toBe(true);
});

test.each(folders('compile'))('compile/%s has a README, a compile and a test', (name) => {
  const files = readdirSync(join(root, 'src/compile', name));
  expect(files).toContain('README.md');
  expect(files.some((file) => file.endsWith('.test.ts'))).toBe(true);
});

test('every folder with sources has a README', () => {
  const needed = new Set(sources().map((source) => dirname(source.file)));
  // A folder of cases or of one kind of file is described by its parent.
  const described = (folder: string) =>
    existsSync(join(root, folder, 'README.md')) || existsSync(join(root, dirname(folder), 'README.md'));
  expect([...needed].filter((folder) => folder !== 'src' && !described(folder))).toEqual([]);
});

test('every file begins by saying what it is for', () => {
  const silent = sources().filter(
    (source) => !isTest(source) && !source.text.startsWith('/**') && !source.text.startsWith('#!'),
  );
  expect(silent.map((source) => source.path)).toEqual([]);
});

test('no file is longer than can be read at once', () => {
  const long = sources().filter((source) => !isTest(source) && source.text.split('\n').length > 320);
  expect(long.map((source) => source.path)).toEqual([]);
});

test('no default exports, and no names that say nothing', () => {
  const bad = sources().filter((source) => /^export default/m.test(source.text));
  expect(bad.map((source) => source.path)).toEqual([]);
  const vague = sources().filter((source) => /(?:manager|helper|utils?)\.ts$/i.test(source.path));
  expect(vague.map((source) => source.path)).toEqual([]);
});

test('the command and CI are executable', () => {
  for (const file of ['netloom', '.ci/run']) {
    expect(statSync(join(root, file)).mode & 0o111, file).not.toBe(0);
  }
});

test('every dependency has its line of reasons', () => {
  const names = ['package.json', 'router/package.json'].flatMap((file) => {
    const manifest = JSON.parse(readFileSync(join(root, file), 'utf8')) as {
      dependencies?: Record<string, string>;
      devDependencies?: Record<string, string>;
    };
    return Object.keys({ ...manifest.dependencies, ...manifest.devDependencies });
  });
  const page = readFileSync(join(root, 'docs/decisions/dependencies.md'), 'utf8');
  expect(names.filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
});
