/** A lock between processes that can not outlive its holder: flock(2) held by a child that ends when our pipe to it closes. */
import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';

/**
 * Waits for the lock file, runs `body`, releases. Even SIGKILL of this process releases it.
 * With `wait: false` a lock that another process holds rejects at once with LockedError.
 */
export async function withLock<T>(
  path: string,
  body: () => Promise<T>,
  options: { readonly wait?: boolean } = {},
): Promise<T> {
  const release = await acquire(path, options.wait ?? true);
  try {
    return await body();
  } finally {
    await release();
  }
}

export class LockedError extends Error {}

function acquire(path: string, wait: boolean): Promise<() => Promise<void>> {
  mkdirSync(dirname(path), { recursive: true });
  const child = spawn(
    'flock',
    [...(wait ? [] : ['--nonblock']), '--conflict-exit-code', '75', path, 'sh', '-c', 'echo; exec cat'],
    {
      stdio: ['pipe', 'pipe', 'inherit'],
      // Ctrl-C of a terminal must reach us, not the lock.
      detached: true,
    },
  );
  const ended = new Promise<number>((resolve, reject) => {
    child.on('close', (code) => resolve(code ?? 1));
    child.on('error', reject);
  });
  child.stdin.on('error', () => {});
  return new Promise((resolve, reject) => {
    child.stdout.once('data', () =>
      resolve(async () => {
        child.stdin.end();
        await ended;
      }),
    );
    ended.then(
      (code) =>
        reject(
          code === 75
            ? new LockedError(`${path} is locked by another process`)
            : new Error(`flock ${path}: exit ${code}`),
        ),
      reject,
    );
  });
}
