/** A killed server loses no acknowledged write, whenever it is killed. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openPki } from './pki.ts';
import { testConfig } from './testing.ts';

const program = fileURLToPath(new URL('main.ts', import.meta.url));
let directory: string;
const children = new Set<ChildProcess>();

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'netloom-kill-'));
});

afterAll(() => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(directory, { recursive: true, force: true });
});

async function start(): Promise<{ readonly child: ChildProcess; readonly port: number }> {
  // A small log makes snapshots part of what is interrupted.
  const config = {
    ...testConfig,
    dataDirectory: directory,
    snapshotBytes: 100_000,
    listenIn: [],
    kubeconfig: join(directory, 'kubeconfig'),
  };
  const path = join(directory, 'config.json');
  writeFileSync(path, JSON.stringify(config));
  const child = spawn(process.execPath, [program, path], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.add(child);
  const [line] = (await once(createInterface({ input: child.stdout! }), 'line')) as [string];
  return { child, port: (JSON.parse(line) as { readonly port: number }).port };
}

function call(
  port: number,
  agent: Agent,
  method: string,
  path: string,
  body?: unknown,
): Promise<{ code: number; text: string }> {
  const { admin, authority } = openPki(join(directory, 'pki'));
  return new Promise((resolve, reject) => {
    const outgoing = request({
      host: '127.0.0.1',
      port,
      agent,
      method,
      path,
      ca: authority.certificate,
      cert: admin.certificate,
      key: admin.key,
      headers: { 'content-type': 'application/json' },
    });
    outgoing.on('error', reject);
    outgoing.on('response', (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('error', reject);
      response.on('end', () => resolve({ code: response.statusCode!, text }));
    });
    outgoing.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

describe('durability', () => {
  it('keeps every acknowledged create, update and delete over ten kills', async () => {
    /** What was acknowledged: name to value; undefined for deleted. Names in flight at the kill may be either way. */
    const acknowledged = new Map<string, string | undefined>();
    let written = 0;
    let lastRevision = 0;
    const path = '/api/v1/namespaces/default/configmaps';
    for (let round = 0; round < 10; round++) {
      const { child, port } = await start();
      const agent = new Agent({ keepAlive: true });
      const listed = await call(port, agent, 'GET', path);
      const { items, metadata } = JSON.parse(listed.text) as {
        items: { metadata: { name: string; resourceVersion: string }; data?: { value: string } }[];
        metadata: { resourceVersion: string };
      };
      const found = new Map(items.map((item) => [item.metadata.name, item.data?.value]));
      for (const [name, value] of acknowledged) expect([name, found.get(name)]).toEqual([name, value]);
      expect(Number(metadata.resourceVersion)).toBeGreaterThanOrEqual(lastRevision);

      const writers = Array.from({ length: 8 }, async (_, writer) => {
        for (let step = 0; ; step++) {
          const name = `r${round}-w${writer}-${step % 20}`;
          const value = `${round}.${writer}.${step}`;
          const known = acknowledged.get(name);
          acknowledged.delete(name);
          const remove = known !== undefined && step % 3 === 0;
          const answer = remove
            ? await call(port, agent, 'DELETE', `${path}/${name}`)
            : known === undefined
              ? await call(port, agent, 'POST', path, { metadata: { name }, data: { value } })
              : await call(port, agent, 'PUT', `${path}/${name}`, { metadata: { name }, data: { value } });
          if (answer.code >= 300) throw new Error(answer.text);
          acknowledged.set(name, remove ? undefined : value);
          const revision = (JSON.parse(answer.text) as { metadata?: { resourceVersion?: string } }).metadata
            ?.resourceVersion;
          lastRevision = Math.max(lastRevision, Number(revision ?? 0));
          written++;
        }
      });
      // At least a few writes, then whenever: the kill falls anywhere into writing, syncing, snapshots and answers.
      const enough = written + 20 + Math.floor(Math.random() * 200);
      const killer = (async () => {
        while (written < enough) await new Promise(setImmediate);
        child.kill('SIGKILL');
      })();
      const ends = await Promise.allSettled(writers);
      await killer;
      for (const end of ends) {
        expect(end.status === 'rejected' && (end.reason as NodeJS.ErrnoException).code).toMatch(
          /ECONN|EPIPE/,
        );
      }
      children.delete(child);
      agent.destroy();
    }
    expect(written).toBeGreaterThan(200);
  });
});
