/** Puts the CNI executable and then the network configuration in place; both appear whole or not at all. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { readIfExists, writeFileAtomic } from '#system/files.ts';
import { run } from '#system/process.ts';
import { paths } from '#system/registry.ts';
import { newestVersion } from './cni/request.ts';

export type InstallOptions = {
  /** Directory that holds the executable `netloom`. */
  readonly source: string;
  readonly binDirectory: string;
  readonly configDirectory: string;
  /** Where the CNI server listens, as the runtime sees it. */
  readonly socket: string;
};

/** Plugins of others that are put behind ours when they are there, with what the runtime hands them. */
const chained = [{ type: 'portmap', capabilities: { portMappings: true } }] as const;

/**
 * The configuration comes last, since its presence tells the runtime that the network is ready. Files that are as they should
 * be are left alone, so that a running runtime isn't told of a change. Returns the paths that were written.
 */
export async function installCni(options: InstallOptions): Promise<string[]> {
  const written: string[] = [];
  mkdirSync(options.binDirectory, { recursive: true });
  mkdirSync(options.configDirectory, { recursive: true });
  const name = paths.cniBinary.value.replace(/.*\//, '');
  const executable = join(options.binDirectory, name);
  const wanted = readFileSync(join(options.source, name));
  if (!existsSync(executable) || !readFileSync(executable).equals(wanted)) {
    writeFileAtomic(executable, wanted, 0o755);
    written.push(executable);
  }
  const others = chained.filter(({ type }) => existsSync(join(options.binDirectory, type)));
  const plugins = [{ type: name, socket: options.socket }, ...others];
  const cniVersion = await commonVersion(others.map(({ type }) => join(options.binDirectory, type)));
  const conflist = `${JSON.stringify({ cniVersion, name, plugins }, undefined, 2)}\n`;
  const config = configPath(options.configDirectory);
  if (readIfExists(config) !== conflist) {
    writeFileAtomic(config, conflist);
    written.push(config);
  }
  return written;
}

/**
 * The file in which the `bandwidth` plugin stands behind ours, if it does: somebody else's list, since ours never chains it. Runtimes
 * use the first configuration by name and no other.
 */
export function chainsBandwidth(configDirectory: string): string | undefined {
  const names = existsSync(configDirectory) ? readdirSync(configDirectory) : [];
  const first = names.filter((each) => /\.(conf|conflist|json)$/.test(each)).toSorted()[0];
  if (first === undefined) return undefined;
  try {
    const list = JSON.parse(readFileSync(join(configDirectory, first), 'utf8')) as { plugins?: unknown };
    const plugins = Array.isArray(list.plugins)
      ? (list.plugins as readonly { readonly type?: unknown }[])
      : [];
    return plugins.some((plugin) => plugin?.type === 'bandwidth') ? join(configDirectory, first) : undefined;
  } catch {
    // Being written just now, or nothing that a runtime could use either.
    return undefined;
  }
}

/** Takes the configuration away: the node counts as not ready for pods until the next start. */
export function removeConfig(configDirectory: string): void {
  rmSync(configPath(configDirectory), { force: true });
}

function configPath(directory: string): string {
  return join(directory, paths.cniConfig.value.replace(/.*\//, ''));
}

/** The newest version that we and every chained plugin speak; a plugin that can't be asked is taken to speak 1.0.0. */
async function commonVersion(executables: readonly string[]): Promise<string> {
  const supported = await Promise.all(
    executables.map(async (executable) => {
      const options = { env: { CNI_COMMAND: 'VERSION' }, input: '{"cniVersion":"1.0.0"}', timeoutMs: 5_000 };
      try {
        const { stdout } = await run([executable], options);
        const { supportedVersions } = JSON.parse(stdout) as { supportedVersions?: unknown };
        return Array.isArray(supportedVersions) ? supportedVersions : ['1.0.0'];
      } catch {
        return ['1.0.0'];
      }
    }),
  );
  return supported.every((versions) => versions.includes(newestVersion)) ? newestVersion : '1.0.0';
}
