/** Makes what nginx runs: the router as one file of Lua, the stream part's program for njs. `node router/build.ts` prints where they are. */
import { createHash, randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { fixedLocals } from './fixed-locals.ts';

/** `nginx`: with the hooks of nginx. `pure`: all that needs no nginx, as a module: what vectors and benches run in LuaJIT. */
export type RouterPart = 'nginx' | 'pure';

const here = import.meta.dirname;
/** What nginx runs in Luas of their own, which find it by the file's name. */
const threads = ['passwords', 'firewall'].map((name) => join(here, `src/threads/${name}.ts`));
const dist = join(here, 'dist');
const files: Readonly<Record<RouterPart, string>> = { nginx: 'router.lua', pure: 'pure.lua' };

/**
 * Path of the compiled file (its source map beside it). Compiles only when a source changed, which takes 10 to 30 s on two cores and is
 * told before it begins; throws with all that is wrong in the sources.
 */
export async function buildRouter(
  part: RouterPart = 'nginx',
  onCompile: () => void = () => {},
): Promise<string> {
  const output = join(dist, files[part]);
  const stamp = join(dist, `.${files[part]}.hash`);
  const hash = await hashOfSources();
  const built = await readFile(stamp, 'utf8').catch(() => undefined);
  if (built === hash && existsSync(output)) return output;
  onCompile();
  const emitted = await compile(entryOf(part), files[part]);
  if (part === 'nginx')
    for (const thread of threads) for (const [name, text] of await compile(thread)) emitted.set(name, text);
  await mkdir(dist, { recursive: true });
  for (const [name, text] of emitted) await replaceFile(join(dist, name), text);
  await replaceFile(stamp, hash);
  return output;
}

/** Path of the stream part's program. njs imports and exports defaults only, and knows its modules without `node:`. */
export async function buildStream(onCompile: () => void = () => {}): Promise<string> {
  const source = await readFile(join(here, '../src/engines/nginx/stream-program.ts'), 'utf8');
  const output = join(dist, 'stream.js');
  const stamp = join(dist, '.stream.js.hash');
  const own = await readFile(import.meta.filename);
  const hash = createHash('sha256').update(source).update(own).digest('hex');
  const built = await readFile(stamp, 'utf8').catch(() => undefined);
  if (built === hash && existsSync(output)) return output;
  onCompile();
  const { default: ts } = await import('typescript');
  const names = [...source.matchAll(/^export function (\w+)/gm)].map(([, name]) => name);
  const script = ts
    .transpileModule(source, {
      compilerOptions: { target: ts.ScriptTarget.ES2018, module: ts.ModuleKind.ESNext },
    })
    .outputText.replace(/^export function/gm, 'function')
    .replace("from 'node:fs'", "from 'fs'");
  await mkdir(dist, { recursive: true });
  await replaceFile(output, `${script}export default { ${names.join(', ')} };\n`);
  await replaceFile(stamp, hash);
  return output;
}

function entryOf(part: RouterPart): string {
  const nginx = join(here, 'src/nginx/main.ts');
  return part === 'nginx' && existsSync(nginx) ? nginx : join(here, 'src/pure.ts');
}

/** Of all that the result depends on: the sources, the types they take from Netloom, the compiler's version and options, this file. */
async function hashOfSources(): Promise<string> {
  const hash = createHash('sha256');
  const intent = join(here, '../src/intent');
  const sources = [
    ...(await filesBelow(join(here, 'src'))),
    ...(await filesBelow(join(here, 'types'))),
    ...['tsconfig.json', 'package.json', 'build.ts', 'fixed-locals.ts'].map((file) => join(here, file)),
    ...['gateway.ts', 'gateway-policy.ts', 'origin.ts'].map((file) => join(intent, file)),
  ];
  for (const file of sources.toSorted()) {
    hash.update(`${relative(here, file)}\n`).update(await readFile(file));
  }
  return hash.digest('hex');
}

async function filesBelow(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

/** Texts by file name; without `bundle` of one file that needs no other. */
async function compile(entry: string, bundle?: string): Promise<Map<string, string>> {
  // Loaded only here: whoever has the result doesn't need the compiler.
  const { default: ts } = await import('typescript');
  const { default: lua } = await import('typescript-to-lua');
  const config = lua.parseConfigFileWithSystem(join(here, 'tsconfig.json'), {
    ...(bundle === undefined ? {} : { luaBundle: bundle, luaBundleEntry: entry }),
    sourceMap: true,
    luaPlugins: [{ plugin: fixedLocals({ ts, lua }) }],
    // With type errors it would write Lua that fails only when it runs.
    noEmitOnError: true,
  });
  const types = (await filesBelow(join(here, 'types'))).filter((file) => file.endsWith('.d.ts'));
  const emitted = new Map<string, string>();
  const { diagnostics } = lua.transpileFiles([entry, ...types], config.options, (name, text) => {
    if (bundle === undefined || basename(name).startsWith(bundle)) emitted.set(basename(name), text);
  });
  const all = [...config.errors, ...diagnostics];
  if (all.length > 0 || emitted.size === 0) {
    throw new Error(
      `the router doesn't compile:\n${ts.formatDiagnostics(all, {
        getCurrentDirectory: () => dirname(here),
        getCanonicalFileName: (name) => name,
        getNewLine: () => '\n',
      })}`,
    );
  }
  return emitted;
}

/** Somebody else may be building or reading the same file. */
async function replaceFile(path: string, text: string): Promise<void> {
  const temporary = `${path}.${randomUUID()}`;
  await writeFile(temporary, text);
  await rename(temporary, path);
}

if (import.meta.main) process.stdout.write(`${await buildRouter()}\n${await buildStream()}\n`);
