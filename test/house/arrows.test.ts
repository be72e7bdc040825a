/** Imports go one way. */
import { expect, test } from 'vitest';
import { isTest, type Source, sources } from './sources.ts';

/** What each folder of `src`, and the router's package, may import besides itself and `net`. */
const arrows: Readonly<Record<string, readonly string[]>> = {
  net: [],
  api: [],
  intent: [],
  telemetry: [],
  kube: ['api', 'telemetry'],
  model: ['api', 'intent'],
  compile: ['model', 'intent', 'router'],
  system: ['telemetry'],
  engines: ['intent', 'system', 'telemetry', 'router'],
  programs: ['api', 'kube', 'model', 'intent', 'compile', 'engines', 'system', 'telemetry', 'router'],
  lab: ['api', 'kube', 'model', 'intent', 'system', 'telemetry', 'programs', 'router'],
  router: [],
};

/** The command line starts labs; nothing else that ships does. */
const mayImportLab = /^programs\/cli\//;

/** What is pure of the router; its build and its hooks of nginx aren't. Engines find what is built, they don't build. */
const pureRouter = /^#router\/src\/[^/]+$/;

/** Pure folders: no file, socket, clock or process, so nothing of Node either. */
const pure = new Set(['net', 'api', 'model', 'intent', 'compile']);

test.each(Object.keys(arrows))('%s imports only what it may', (folder) => {
  const strays = sources()
    .filter((source) => folderOf(source) === folder && !isTest(source))
    .flatMap((source) =>
      source.imports.filter((name) => !allowed(source, name)).map((name) => `${source.path}: ${name}`),
    );
  expect(strays).toEqual([]);
});

test('every folder is in the table', () => {
  const folders = new Set(sources().map(folderOf));
  expect([...folders].filter((folder) => !(folder in arrows))).toEqual([]);
});

function folderOf(source: Source): string {
  return source.path.split('/')[0] ?? '';
}

function allowed(source: Source, specifier: string): boolean {
  const folder = folderOf(source);
  if (specifier.endsWith('/arbitrary.ts')) return false;
  if (folder === 'router') return source.path === 'router/build.ts' || insideRouter(source, specifier);
  if (specifier.startsWith('.')) return !leaves(source, specifier);
  if (!specifier.startsWith('#')) return !pure.has(folder) || typeOnly(source, specifier);
  const target = specifier.slice(1).split('/')[0] ?? '';
  const outside = folder === 'programs' || folder === 'lab';
  if (target === 'router' && !outside && !pureRouter.test(specifier)) return false;
  if (target === 'lab' && mayImportLab.test(source.path)) return true;
  return target === folder || target === 'net' || (arrows[folder] ?? []).includes(target);
}

/** It is compiled to Lua: nothing but its own files, and types of the intent, by relative paths, which both compilers understand. */
function insideRouter(source: Source, specifier: string): boolean {
  const path = new URL(specifier, `file:///${source.path}`).pathname;
  if (!specifier.startsWith('.')) return false;
  return path.startsWith('/router/src/') || (path.startsWith('/src/intent/') && typeOnly(source, specifier));
}

/** A relative path that climbs out of its folder of `src`. */
function leaves(source: Source, specifier: string): boolean {
  const url = new URL(specifier, `file:///src/${source.path}`);
  return !url.pathname.startsWith(`/src/${folderOf(source)}/`);
}

function typeOnly(source: Source, specifier: string): boolean {
  return (
    source.text.includes('import type') && new RegExp(`import type [^;]*'${specifier}'`).test(source.text)
  );
}
