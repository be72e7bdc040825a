/** Upstream's programs, built with Go from the modules that Go fetches: the suite, and what runs in its pods. */
import { chmod, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheDirectory } from '#lab/image/image.ts';
import { must, run } from '#system/process.ts';

export type Programs = {
  /** The suite as a test binary. */
  readonly suite: string;
  /** By the name that its pods ask for: an archive as `docker save` writes it. */
  readonly images: ReadonlyMap<string, string>;
};

const version = 'v1.6.1';
const gatewayApi = 'sigs.k8s.io/gateway-api';
const conformance = `${gatewayApi}/conformance`;
const coredns = 'github.com/coredns/coredns';
const corednsVersion = 'v1.12.2';

/** The suite's module stands in a workspace with the API's: without it, the API's version has to be said. */
const suiteModule: Readonly<Record<string, string>> = {
  'go.mod': `module suite\n\ngo 1.26.0\n\nrequire (\n\t${gatewayApi} ${version}\n\t${conformance} ${version}\n)\n`,
  'suite_test.go': [
    'package suite',
    `import ("testing"; "${conformance}")`,
    'func TestConformance(t *testing.T) { conformance.RunConformance(t) }',
    '',
  ].join('\n'),
};

/** With the four plugins that the suite's Corefile names: the whole takes in the clients of every cloud. */
const dnsModule: Readonly<Record<string, string>> = {
  'go.mod': `module dns\n\ngo 1.26.0\n\nrequire ${coredns} ${corednsVersion}\n`,
  'main.go': [
    'package main',
    'import (',
    `  "${coredns}/coremain"`,
    ...['core/dnsserver', 'plugin/errors', 'plugin/forward', 'plugin/log', 'plugin/whoami'].map(
      (each) => `  _ "${coredns}/${each}"`,
    ),
    ')',
    'func main() { coremain.Run() }',
    '',
  ].join('\n'),
};

/** Kept for the next run. Throws an error for the user where there is no Go, or it can't fetch or build something. */
export async function buildPrograms(progress: (line: string) => void): Promise<Programs> {
  const { code } = await run(['go', 'version']);
  if (code !== 0)
    throw new Error('upstream’s suite is built with Go (1.26 or newer), and there is no `go` in PATH');
  const base = join(cacheDirectory(), 'conformance', version);
  const suite = await writeModule(join(base, 'suite'), suiteModule);
  const dns = await writeModule(join(base, 'dns'), dnsModule);
  progress(`building the suite ${version}`);
  await go(suite, 'test', '-mod=mod', '-c', '-o', 'suite.test', '.');
  await go(suite, 'build', '-mod=mod', '-o', 'server', `${conformance}/echo-basic`);
  progress(`building CoreDNS ${corednsVersion}`);
  await go(dns, 'build', '-mod=mod', '-o', 'server', '.');
  const echo = await imageOf(suite);
  return {
    suite: join(suite, 'suite.test'),
    images: new Map([
      ...['v1.5.1', 'v1.6.0-dev.2', 'v1.6.0-dev.3'].map(
        (tag) => [`registry.k8s.io/gateway-api/echo-basic:${tag}`, echo] as const,
      ),
      [`registry.k8s.io/coredns/coredns:${corednsVersion}`, await imageOf(dns)],
    ]),
  };
}

async function writeModule(directory: string, files: Readonly<Record<string, string>>): Promise<string> {
  await mkdir(directory, { recursive: true });
  for (const [name, text] of Object.entries(files)) await writeFile(join(directory, name), text);
  return directory;
}

async function go(directory: string, ...argv: readonly string[]): Promise<void> {
  const env = { ...process.env, CGO_ENABLED: '0' };
  await must(['go', ...argv], { cwd: directory, env });
}

/** One layer with `/server`, which is the entrypoint. */
async function imageOf(directory: string): Promise<string> {
  const root = join(directory, 'root');
  await rm(root, { recursive: true, force: true });
  await mkdir(join(root, 'tmp'), { recursive: true });
  await chmod(join(root, 'tmp'), 0o1777);
  await must(['cp', join(directory, 'server'), join(root, 'server')]);
  await must(['tar', '-cf', join(directory, 'layer.tar'), '-C', root, '.']);
  await writeFile(join(directory, 'config.json'), JSON.stringify({ config: { Entrypoint: ['/server'] } }));
  await writeFile(
    join(directory, 'manifest.json'),
    JSON.stringify([{ Config: 'config.json', RepoTags: [], Layers: ['layer.tar'] }]),
  );
  const archive = join(directory, 'image.tar');
  await must(['tar', '-cf', archive, '-C', directory, 'manifest.json', 'config.json', 'layer.tar']);
  return archive;
}
