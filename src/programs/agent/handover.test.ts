/** The handover against a datapath that refuses, restarts and goes away: in the end it holds the whole intent. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { emptyIntent, type IntentChange, type NodeIntent } from '#intent/node.ts';
import { createLog } from '#telemetry/log.ts';
import { createDatapathClient } from './datapath-client.ts';
import { type Handover, startHandover } from './handover.ts';

/** What a datapath does with changes, over a real socket, without an engine. */
class Receiver {
  intent: NodeIntent = emptyIntent;
  instance = '1';
  replaces = 0;
  /** So many messages are answered with an error first. */
  failing = 0;
  #generation = 0;
  #server: Server | undefined;

  async listen(path: string): Promise<void> {
    this.#server = createServer((request, response) => {
      const answer = (code: number, body: object) => response.writeHead(code).end(JSON.stringify(body));
      if (request.method === 'GET')
        return answer(200, { instance: this.instance, revision: 1, blocks: [], demand: [] });
      let text = '';
      request.on('data', (part) => {
        text += part;
      });
      request.on('end', () => {
        if (this.failing > 0) {
          this.failing--;
          return answer(500, { error: 'not now', generation: 0 });
        }
        const change = JSON.parse(text) as IntentChange;
        if (!change.replace && change.generation !== this.#generation + 1) {
          return answer(409, { error: 'does not follow', generation: this.#generation });
        }
        this.#generation = change.generation;
        this.#take(change);
        return answer(200, { generation: change.generation, problems: [] });
      });
      return undefined;
    });
    await new Promise<void>((resolve) => this.#server?.listen(path, resolve));
  }

  /** Loses its memory, as a process that was killed. */
  async close(): Promise<void> {
    this.#server?.closeAllConnections();
    await new Promise((resolve) => this.#server?.close(resolve));
    this.intent = emptyIntent;
    this.#generation = 0;
    this.instance += '+';
  }

  #take(change: IntentChange): void {
    if (change.replace) this.replaces++;
    const next = structuredClone(change.replace ? emptyIntent : this.intent) as Record<
      string,
      Record<string, unknown>
    >;
    for (const [domain, keys] of Object.entries(change.remove))
      for (const key of keys) delete next[domain]?.[key];
    for (const [domain, entries] of Object.entries(change.put)) Object.assign(next[domain] ?? {}, entries);
    this.intent = next as NodeIntent;
  }
}

let directory: string;
let receiver: Receiver;
let handover: Handover;
let lines: string[];

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'handover-'));
  receiver = new Receiver();
  await receiver.listen(join(directory, 'socket'));
  lines = [];
  const log = createLog({ write: (line) => lines.push(line) });
  handover = startHandover(createDatapathClient(join(directory, 'socket')), log);
});

afterEach(async () => {
  handover.close();
  await receiver.close();
  rmSync(directory, { recursive: true });
});

const put = (name: string, subnet: string) =>
  handover.change({ put: { namespaces: { [name]: { subnet } } }, remove: {} });
const held = () => receiver.intent.namespaces;

test('nothing goes out before it is opened, then everything in one message', async () => {
  put('a', '1');
  put('b', '1');
  expect(held()).toEqual({});
  handover.open();
  await vi.waitFor(() => expect(held()).toEqual({ a: { subnet: '1' }, b: { subnet: '1' } }));
  expect(receiver.replaces).toBe(1);
});

test('later changes go out as deltas', async () => {
  put('a', '1');
  handover.open();
  await vi.waitFor(() => expect(held()).toEqual({ a: { subnet: '1' } }));
  put('b', '2');
  handover.change({ put: {}, remove: { namespaces: ['a'] } });
  await vi.waitFor(() => expect(held()).toEqual({ b: { subnet: '2' } }));
  expect(receiver.replaces).toBe(1);
});

test('a datapath that restarted gets the whole again', async () => {
  put('a', '1');
  handover.open();
  await vi.waitFor(() => expect(held()).toEqual({ a: { subnet: '1' } }));
  await receiver.close();
  put('b', '2');
  await receiver.listen(join(directory, 'socket'));
  await vi.waitFor(() => expect(held()).toEqual({ a: { subnet: '1' }, b: { subnet: '2' } }), {
    timeout: 5000,
  });
});

test('a datapath that fails again and again is one line, and one when it is over', async () => {
  receiver.failing = 3;
  put('a', '1');
  handover.open();
  await vi.waitFor(() => expect(held()).toEqual({ a: { subnet: '1' } }), { timeout: 10_000 });
  await vi.waitFor(() => expect(lines).toHaveLength(2));
  expect(lines[0]).toContain('"the datapath does not take the intent" error="datapath answered 500');
  expect(lines[1]).toContain('"the datapath takes the intent again" tries=3');
});
