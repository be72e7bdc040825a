/** Listening on a Unix socket that only root may connect to. */
import { rmSync } from 'node:fs';
import type { Server } from 'node:net';

/** Takes the place of a socket that was left behind. It is made with mode 0600, never widened and narrowed later. */
export async function listen(server: Server, path: string): Promise<void> {
  rmSync(path, { force: true });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject);
  const mask = process.umask(0o177);
  try {
    server.listen(path, resolve);
  } finally {
    process.umask(mask);
  }
  await promise;
}
