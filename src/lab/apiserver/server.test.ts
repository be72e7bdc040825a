/** The server's own life: what it needs to start, where it listens, how it stops, and a disk that is full. */
import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import { listenFdIn } from '#system/namespace.ts';
import { startApiServer } from './server.ts';
import { Store } from './storage/store.ts';
import { testConfig, testServer } from './testing.ts';

const run = promisify(execFile);
const directories: string[] = [];

afterEach(() => {
  for (const directory of directories.splice(0)) {
    spawnSync('umount', [directory], { stdio: 'ignore' });
    rmSync(directory, { recursive: true, force: true });
  }
});

/** Mounts and namespaces need it. */
const root = process.getuid?.() === 0;

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function temporary(): string {
  const directory = mkdtempSync(join(tmpdir(), 'netloom-server-'));
  directories.push(directory);
  return directory;
}

describe('startApiServer', () => {
  it('refuses a port in use, and a directory in use, and starts when they are free', async () => {
    const dataDirectory = temporary();
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const { port } = other.address() as { port: number };
    await expect(startApiServer({ ...testConfig, dataDirectory, port })).rejects.toThrow(/EADDRINUSE/);
    const first = await startApiServer({ ...testConfig, dataDirectory });
    await expect(startApiServer({ ...testConfig, dataDirectory })).rejects.toThrow(/held by another process/);
    await first.close();
    other.close();
    const again = await startApiServer({ ...testConfig, dataDirectory });
    await again.close();
  });

  it('refuses service ranges that are none', async () => {
    for (const serviceCidrs of [[], ['x'], ['10.0.0.0/8', '11.0.0.0/8']]) {
      await expect(
        startApiServer({ ...testConfig, dataDirectory: temporary(), serviceCidrs }),
      ).rejects.toThrow(/serviceCidrs/);
    }
  });

  it.skipIf(!root)('answers on a socket that was handed over', async () => {
    const port = await freePort();
    const api = await testServer({ extraListenFds: [listenFdIn('/proc/self/ns/net', '127.0.0.1', port)] });
    const { stdout } = await run('curl', ['-sk', '--max-time', '10', `https://127.0.0.1:${port}/readyz`]);
    expect(stdout).toBe('ok');
    await api.close();
  });

  it('stops at once although watches are open', async () => {
    const api = await testServer();
    const watching = await api.watch('/api/v1/pods?watch=true');
    await api.close();
    await watching.ended;
    await expect(api.call('GET', '/readyz')).rejects.toThrow(/ECONNREFUSED/);
  });
});

describe('a full disk', () => {
  it.skipIf(!root)(
    'that somebody else filled fails the writes that it can not keep, says so, and loses none that it acknowledged',
    async () => {
      const directory = temporary();
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', directory]);
      const path = join(directory, 'store');
      mkdirSync(path);
      const store = new Store({ directory: path });
      const acknowledged: string[] = [];
      let failure: Error | undefined;
      for (let index = 0; index < 1000 && failure === undefined; index++) {
        const name = `m${index}`;
        try {
          store.put('/configmaps', {
            apiVersion: 'v1',
            kind: 'ConfigMap',
            metadata: { name, namespace: 'a' },
            data: { x: 'y'.repeat(2000) },
          });
          // There was room when it was asked, and none when it is written.
          if (index === 20) fill(join(directory, 'ballast'));
          await store.settled();
          acknowledged.push(name);
        } catch (error) {
          failure = error as Error;
        }
      }
      expect(failure?.message).toMatch(/storage failed: ENOSPC/);
      expect((await store.failed).message).toBe(failure!.message);
      expect(() => store.remove('/configmaps', 'a', 'm0')).toThrow(/storage failed/);
      await store.close();
      const again = new Store({ directory: path });
      expect(
        again
          .table('/configmaps')
          .list()
          .map(({ name }) => name)
          .toSorted(),
      ).toEqual(acknowledged.toSorted());
      await again.close();
    },
  );
});

function fill(path: string): void {
  try {
    writeFileSync(path, Buffer.alloc(2 << 20));
  } catch (error) {
    expect((error as NodeJS.ErrnoException).code).toBe('ENOSPC');
  }
}
