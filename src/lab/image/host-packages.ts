/** Debian packages of the machine itself, where a part of the lab or of the tests can't do without. */
import { existsSync } from 'node:fs';
import { run } from '#system/process.ts';
import { explainFailure } from './recipe.ts';

/** Installs by apt, with a fresh list where the first try fails. Why it can't be, for a person; undefined: it is done. */
export async function installPackages(names: readonly string[]): Promise<string | undefined> {
  if (!existsSync('/usr/bin/apt-get')) return 'this machine has no apt: install by hand';
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const install = ['apt-get', 'install', '-y', '-q', '--no-install-recommends', ...names];
  const timeoutMs = 300_000;
  const first = await run(install, { env, timeoutMs });
  if (first.code === 0) return undefined;
  const update = await run(['apt-get', 'update', '-q'], { env, timeoutMs });
  const second = await run(install, { env, timeoutMs });
  return second.code === 0 ? undefined : explainFailure(update.stderr + second.stderr);
}
