/** A lock between processes of this machine that can not outlive its holder and leaves no file: an abstract unix socket (unix(7)). */
import { createHash } from 'node:crypto';
import { createServer, type Server } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** Another process holds the lock. */
export class LockedError extends Error {}

/**
 * Waits for the lock called `name` (usually the path of what it guards), runs `body`, releases. Even SIGKILL releases it.
 * `waitMs` bounds the wait (default: ten minutes, 0: none); then LockedError.
 */
export async function withLock<T>(
  name: string,
  body: () => Promise<T>,
  options: { readonly waitMs?: number; readonly onWait?: () => void } = {},
): Promise<T> {
  const deadline = Date.now() + (options.waitMs ?? 600_000);
  let server = await tryLock(name);
  if (server === undefined) options.onWait?.();
  while (server === undefined) {
    if (Date.now() >= deadline) throw new LockedError(`${name} is in use by another process`);
    await sleep(50);
    server = await tryLock(name);
  }
  try {
    return await body();
  } finally {
    const held = server;
    await new Promise((resolve) => held.close(resolve));
  }
}

function tryLock(name: string): Promise<Server | undefined> {
  const digest = createHash('sha256').update(name).digest('hex').slice(0, 32);
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', (error: NodeJS.ErrnoException) =>
      error.code === 'EADDRINUSE' ? resolve(undefined) : reject(error),
    );
    server.listen(`\0netloom-${digest}`, () => {
      server.unref();
      resolve(server);
    });
  });
}
