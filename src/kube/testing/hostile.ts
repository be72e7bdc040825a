/** A small API server for one kind that misbehaves in every way a network or a server can; for tests. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { KubeObject, ResourceType } from '#api/object.ts';
import { isOlder } from '../cache.ts';

export const widgetType: ResourceType = {
  group: 'test.netloom.dev',
  version: 'v1',
  kind: 'Widget',
  plural: 'widgets',
  namespaced: true,
};

export type Happening = { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: KubeObject };

/** Chances, 0 … 1, of each mischief; absent: never. */
export type Mischief = Partial<Record<MischiefName, number>>;
export type MischiefName =
  | 'refuse' // 500, or 429 with Retry-After
  | 'goneHttp' // 410 as the answer to a watch or a continue token
  | 'goneEvent' // 410 as an ERROR event
  | 'cutAnswer' // a list cut in the middle
  | 'cutLine' // a watch cut in the middle of a line
  | 'end' // a watch that ends cleanly after an event
  | 'silent' // a watch that sends nothing more, ever
  | 'repeat' // an event twice
  | 'replay' // an event of long ago once more
  | 'swap' // two events in the wrong order
  | 'bookmark'
  | 'shred' // an event in several small pieces
  | 'delay';

export type HostileServer = {
  readonly url: string;
  /** What is true. */
  state(): readonly KubeObject[];
  put(name: string, value: unknown): void;
  remove(name: string): void;
  /** Gone and back under the same name, as another object. */
  recreate(name: string, value: unknown): void;
  setMischief(mischief: Mischief): void;
  /** Forgets history: who comes back with an older version gets 410. */
  compact(): void;
  /** Whether it knows the kind at all; false: 404, and watches end. */
  serve(served: boolean): void;
  /** Cuts all connections and refuses new ones until `start`. State stays. */
  stop(): Promise<void>;
  start(): Promise<void>;
  readonly seen: { lists: number; watches: number; absent: number };
};

export async function startHostileServer(random: () => number, at = 0): Promise<HostileServer> {
  const objects = new Map<string, KubeObject>();
  const history: Happening[] = [];
  const watchers = new Set<() => void>();
  const sockets = new Set<Socket>();
  const seen = { lists: 0, watches: 0, absent: 0 };
  let mischief: Mischief = {};
  let version = 100;
  let oldest = '100';
  let port = at;
  let served = true;
  const hit = (name: MischiefName): boolean => random() < (mischief[name] ?? 0);

  const record = (type: Happening['type'], object: KubeObject): void => {
    history.push({ type, object });
    for (const wake of watchers) wake();
  };
  const make = (name: string, value: unknown, uid: string): KubeObject => {
    version += 1;
    return {
      apiVersion: 'test.netloom.dev/v1',
      kind: 'Widget',
      metadata: { name, namespace: 'default', uid, resourceVersion: String(version) },
      value,
    };
  };

  const list = async (query: URLSearchParams, response: ServerResponse): Promise<void> => {
    seen.lists += 1;
    const limit = Number(query.get('limit') ?? '0');
    // The token carries the whole snapshot's rest: pages of one list are of one version.
    const token = query.get('continue');
    if (token !== null && hit('goneHttp')) {
      refuse(response, 410, 'Expired');
      return;
    }
    const snapshot =
      token === null
        ? { version, items: [...objects.values()] }
        : (JSON.parse(Buffer.from(token, 'base64').toString()) as { version: number; items: KubeObject[] });
    const items = limit > 0 ? snapshot.items.slice(0, limit) : snapshot.items;
    const rest = snapshot.items.slice(items.length);
    const next =
      rest.length === 0
        ? undefined
        : Buffer.from(JSON.stringify({ version: snapshot.version, items: rest })).toString('base64');
    const text = JSON.stringify({
      kind: 'WidgetList',
      metadata: { resourceVersion: String(snapshot.version), continue: next },
      items,
    });
    response.setHeader('content-type', 'application/json');
    if (hit('cutAnswer')) {
      response.write(text.slice(0, Math.floor(text.length * random())));
      await pause(2);
      response.destroy();
      return;
    }
    response.end(text);
  };

  const watch = async (query: URLSearchParams, response: ServerResponse): Promise<void> => {
    seen.watches += 1;
    const from = query.get('resourceVersion') ?? '';
    if (isOlder(from, oldest) || hit('goneHttp')) {
      refuse(response, 410, 'Expired');
      return;
    }
    response.writeHead(200, { 'content-type': 'application/json' });
    response.flushHeaders();
    let next = history.findIndex((one) => isOlder(from, versionOf(one)));
    if (next === -1) next = history.length;
    let wake = (): void => {};
    const woken = (): void => wake();
    watchers.add(woken);
    response.once('close', () => {
      watchers.delete(woken);
      wake();
    });
    const send = (event: { type: string; object: unknown }): void =>
      void response.write(`${JSON.stringify(event)}\n`);
    while (!response.destroyed) {
      const event = history[next];
      if (event === undefined) {
        if (hit('bookmark')) {
          send({ type: 'BOOKMARK', object: { metadata: { resourceVersion: String(version) } } });
        }
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
        continue;
      }
      if (hit('delay')) await pause(20 * random());
      if (hit('silent')) return;
      if (hit('goneEvent')) {
        send({ type: 'ERROR', object: { kind: 'Status', code: 410, reason: 'Expired', message: 'too old' } });
        response.end();
        return;
      }
      // Only what is past: an event before its time would say that all before it was delivered.
      if (next > 0 && hit('replay')) send(history[Math.floor(random() * next)] as Happening);
      if (hit('cutLine')) {
        const line = JSON.stringify(event);
        response.write(line.slice(0, Math.floor(line.length * random())));
        await pause(2);
        response.destroy();
        return;
      }
      const following = history[next + 1];
      if (following !== undefined && hit('swap')) {
        response.write(`${JSON.stringify(following)}\n${JSON.stringify(event)}\n`);
        next += 2;
        continue;
      }
      if (hit('shred')) {
        for (const piece of `${JSON.stringify(event)}\n`.match(/.{1,40}|\n/g) ?? []) {
          response.write(piece);
          await pause(0);
        }
      } else {
        send(event);
      }
      if (hit('repeat')) send(event);
      next += 1;
      if (hit('end')) {
        response.end();
        return;
      }
    }
  };

  const handle = (request: IncomingMessage, response: ServerResponse): void => {
    const url = new URL(request.url ?? '/', 'http://hostile');
    response.on('error', () => {});
    if (!served) {
      seen.absent += 1;
      refuse(response, 404, 'NotFound');
      return;
    }
    if (hit('refuse')) {
      const busy = random() < 0.5;
      if (busy) response.setHeader('retry-after', '0');
      refuse(response, busy ? 429 : 500, busy ? 'TooManyRequests' : 'InternalError');
      return;
    }
    const answer = url.searchParams.get('watch') === 'true' ? watch : list;
    void answer(url.searchParams, response);
  };
  const server = createServer(handle);
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  const start = async (): Promise<void> => {
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    port = (server.address() as AddressInfo).port;
  };
  await start();

  const put = (name: string, value: unknown): void => {
    const held = objects.get(name);
    const object = make(name, value, held?.metadata.uid ?? `uid-${version}`);
    objects.set(name, object);
    record(held === undefined ? 'ADDED' : 'MODIFIED', object);
  };
  const remove = (name: string): void => {
    const held = objects.get(name);
    if (held === undefined) return;
    objects.delete(name);
    record('DELETED', make(name, held.value, held.metadata.uid as string));
  };

  return {
    url: `http://127.0.0.1:${port}`,
    seen,
    state: () => [...objects.values()],
    put,
    remove,
    recreate(name, value) {
      remove(name);
      put(name, value);
    },
    setMischief(next) {
      mischief = next;
    },
    compact() {
      oldest = String(version);
    },
    serve(next) {
      served = next;
      if (!served) for (const socket of sockets) socket.destroy();
    },
    async stop() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
    start,
  };
}

function versionOf(event: Happening): string {
  return event.object.metadata.resourceVersion ?? '';
}

function refuse(response: ServerResponse, code: number, reason: string): void {
  response.writeHead(code, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ kind: 'Status', status: 'Failure', code, reason, message: `no: ${reason}` }));
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
