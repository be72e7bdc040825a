/** Where the lab keeps its files on the host, and where the sources and the Node runtime are. */
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The checkout that this program runs from. */
export const sourceRoot: string = resolve(dirname(fileURLToPath(import.meta.url)), '../..');

/** Directory that holds the running Node executable. */
export const runtimeDirectory: string = dirname(process.execPath);

/** Where a node sees the checkout, and the Node executable's directory. */
export const inNode = { source: '/opt/netloom', runtime: '/opt/node/bin' } as const;

/** All labs of this machine; NETLOOM_STATE moves it. */
export function labsDirectory(): string {
  return join(process.env.NETLOOM_STATE ?? '/var/lib/netloom', 'labs');
}
