/** The client against real sockets: what is sent, what is asked again, and how a failure reads. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { podType } from '#api/core.ts';
import type { KubeObject } from '#api/object.ts';
import { createRegistry } from '#telemetry/metrics.ts';
import {
  type Client,
  type ClientConfig,
  createClient,
  isAlreadyExists,
  isConflict,
  isConnectionError,
  isGone,
  isInvalid,
  isNotFound,
} from './client.ts';
import { requestMetrics } from './clientmetrics.ts';
import { widgetType } from './testing/hostile.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

type Seen = { readonly line: string; readonly type: string | undefined; readonly body: string };

/** A server that answers request number n as told; gives what it saw. */
async function openServer(
  answer: (n: number, request: IncomingMessage, response: ServerResponse) => void,
  config: Partial<ClientConfig> = {},
): Promise<{ readonly client: Client; readonly seen: Seen[]; readonly attempts: number[] }> {
  const seen: Seen[] = [];
  const attempts: number[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      seen.push({
        line: `${request.method} ${request.url}`,
        type: request.headers['content-type'],
        body: Buffer.concat(chunks).toString(),
      });
      answer(seen.length, request, response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const client = createClient({
    server: `http://127.0.0.1:${port}`,
    onRequest: ({ code }) => attempts.push(code),
    ...config,
  });
  cleanups.push(
    () => new Promise((resolve) => server.close(resolve)),
    () => server.closeAllConnections(),
    () => client.close(),
  );
  return { client, seen, attempts };
}

const json = (response: ServerResponse, code: number, body: unknown): void => {
  response.writeHead(code, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
};
const status = (code: number, reason: string) => ({
  kind: 'Status',
  code,
  reason,
  message: `said ${reason}`,
});
const pod: KubeObject = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'p', namespace: 'ns', resourceVersion: '5' },
};

describe('requests', () => {
  test('each call is the request that the API documents', async () => {
    const { client, seen } = await openServer((_, __, response) => json(response, 200, pod));
    await client.get(podType, 'p', 'ns');
    await client.list(podType, { namespace: 'ns', labelSelector: 'a=b,c', limit: 5 });
    await client.list(podType);
    await client.create(podType, pod, { fieldManager: 'me', dryRun: true });
    await client.update(podType, pod);
    await client.updateStatus(podType, pod);
    const target = { name: 'p', namespace: 'ns' };
    await client.patch(podType, target, { kind: 'merge', body: { a: 1 } });
    await client.patch(podType, { ...target, subresource: 'status' }, { kind: 'json', body: [] });
    const apply = { kind: 'apply', body: { spec: 1 }, fieldManager: 'me', force: true } as const;
    await client.patch(widgetType, target, apply);
    await client.delete(podType, 'p', { namespace: 'ns', uid: 'u', propagationPolicy: 'Foreground' });
    expect(seen.map(({ line }) => line)).toEqual([
      'GET /api/v1/namespaces/ns/pods/p',
      'GET /api/v1/namespaces/ns/pods?labelSelector=a%3Db%2Cc&limit=5',
      'GET /api/v1/pods',
      'POST /api/v1/namespaces/ns/pods?fieldManager=me&dryRun=All',
      'PUT /api/v1/namespaces/ns/pods/p',
      'PUT /api/v1/namespaces/ns/pods/p/status',
      'PATCH /api/v1/namespaces/ns/pods/p',
      'PATCH /api/v1/namespaces/ns/pods/p/status',
      'PATCH /apis/test.netloom.dev/v1/namespaces/ns/widgets/p?fieldManager=me&force=true',
      'DELETE /api/v1/namespaces/ns/pods/p',
    ]);
    expect(seen.slice(6, 9).map(({ type }) => type)).toEqual([
      'application/merge-patch+json',
      'application/json-patch+json',
      'application/apply-patch+yaml',
    ]);
    expect(JSON.parse(seen[8]?.body ?? '')).toEqual({
      apiVersion: 'test.netloom.dev/v1',
      kind: 'Widget',
      spec: 1,
    });
    expect(JSON.parse(seen[9]?.body ?? '')).toEqual({
      apiVersion: 'v1',
      kind: 'DeleteOptions',
      preconditions: { uid: 'u' },
      propagationPolicy: 'Foreground',
    });
  });

  test('a name can not leave its place in the path, and a namespaced kind needs its namespace', async () => {
    const { client, seen } = await openServer((_, __, response) => json(response, 200, pod));
    await expect(client.get(podType, '../secrets/s', 'ns')).rejects.toThrow('part of a path');
    await expect(client.get(podType, '..', 'ns')).rejects.toThrow('part of a path');
    await expect(client.get(podType, 'p')).rejects.toThrow('needs a namespace');
    await expect(client.create(podType, { ...pod, metadata: { name: 'p' } })).rejects.toThrow('namespace');
    expect(seen).toEqual([]);
  });

  test('items of a list carry their kind, and a null list is an empty one', async () => {
    const { client } = await openServer((n, _, response) =>
      json(response, 200, {
        metadata: { resourceVersion: '9' },
        items: n === 1 ? [{ metadata: { name: 'p' } }] : null,
      }),
    );
    const list = await client.list(podType);
    expect(list).toEqual({
      items: [{ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p' } }],
      resourceVersion: '9',
      continue: undefined,
    });
    expect((await client.list(podType)).items).toEqual([]);
  });

  test('the token is asked for before each request, and warnings are passed on', async () => {
    const tokens: (string | undefined)[] = [];
    const warnings: string[] = [];
    let token = 'one';
    const { client } = await openServer(
      (_, request, response) => {
        tokens.push(request.headers.authorization);
        response.setHeader('warning', ['299 - "is \\"old\\""', '299 - "goes"']);
        json(response, 200, pod);
      },
      { token: () => token, onWarning: (text) => warnings.push(text) },
    );
    await client.get(podType, 'p', 'ns');
    token = 'two';
    await client.get(podType, 'p', 'ns');
    expect(tokens).toEqual(['Bearer one', 'Bearer two']);
    expect(warnings.slice(0, 2)).toEqual(['is "old"', 'goes']);
  });

  test('its metrics have the names that dashboards look for', async () => {
    const registry = createRegistry();
    const { client } = await openServer((_, __, response) => json(response, 200, pod), {
      onRequest: requestMetrics(registry, 'https://api.test:6443'),
    });
    await client.get(podType, 'p', 'ns');
    expect(registry.text()).toContain(
      'rest_client_requests_total{code="200",method="GET",host="api.test:6443"} 1',
    );
  });

  test('raw requests give text as text and nothing as undefined', async () => {
    const { client } = await openServer((n, _, response) => {
      if (n === 1) response.end('ok');
      else response.writeHead(204).end();
    });
    expect(await client.request({ method: 'GET', path: '/livez' })).toBe('ok');
    expect(await client.request({ method: 'POST', path: '/x', body: {} })).toBeUndefined();
  });
});

describe('refusals', () => {
  test('predicates tell them apart, and other errors are none of them', async () => {
    const answers = [
      [404, 'NotFound', isNotFound],
      [409, 'Conflict', isConflict],
      [409, 'AlreadyExists', isAlreadyExists],
      [410, 'Expired', isGone],
      [422, 'Invalid', isInvalid],
    ] as const;
    const { client } = await openServer((n, _, response) => {
      const [code, reason] = answers[n - 1] as (typeof answers)[number];
      json(response, code, status(code, reason));
    });
    for (const [code, reason, predicate] of answers) {
      const error: unknown = await client.get(podType, 'p', 'ns').catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ name: 'ApiError', code, reason, message: `said ${reason}` });
      expect(answers.filter((other) => other[2](error)).map((other) => other[1])).toEqual([reason]);
      expect(predicate(new Error('no'))).toBe(false);
    }
  });

  test("a proxy's page instead of a Status still reads well", async () => {
    const { client } = await openServer((_, __, response) => response.writeHead(403).end('<html>denied'));
    await expect(client.get(podType, 'p', 'ns')).rejects.toThrow('the server answered 403: <html>denied');
  });
});

describe('asking again', () => {
  const cutThenServe = (n: number, _: IncomingMessage, response: ServerResponse): void => {
    if (n === 1) response.destroy();
    else json(response, 200, pod);
  };

  test('reads, guarded updates, merge and apply are sent again after a cut', async () => {
    for (const call of [
      (client: Client) => client.get(podType, 'p', 'ns'),
      (client: Client) => client.update(podType, pod),
      (client: Client) => client.patch(podType, { name: 'p', namespace: 'ns' }, { kind: 'merge', body: {} }),
      (client: Client) => client.delete(podType, 'p', { namespace: 'ns', uid: 'u' }),
    ]) {
      const { client, attempts } = await openServer(cutThenServe);
      await call(client);
      expect(attempts).toEqual([0, 200]);
    }
  });

  test('what could act twice is not: create, JSON patch, unguarded update and delete', async () => {
    const unguarded = { ...pod, metadata: { name: 'p', namespace: 'ns' } };
    for (const call of [
      (client: Client) => client.create(podType, pod),
      (client: Client) => client.update(podType, unguarded),
      (client: Client) => client.patch(podType, { name: 'p', namespace: 'ns' }, { kind: 'json', body: [] }),
      (client: Client) => client.delete(podType, 'p', { namespace: 'ns' }),
    ]) {
      const { client, seen } = await openServer(cutThenServe);
      const error: unknown = await call(client).catch((thrown: unknown) => thrown);
      expect(isConnectionError(error)).toBe(true);
      expect(error).toMatchObject({ sent: true });
      expect(seen).toHaveLength(1);
    }
  });

  test('nor when it had to wait for a connection that others used before', async () => {
    const { client, seen } = await openServer(
      (n, _, response) => (n === 3 ? response.destroy() : json(response, 200, pod)),
      { maxSockets: 1 },
    );
    const calls = [
      client.get(podType, 'p', 'ns'),
      client.get(podType, 'p', 'ns'),
      client.create(podType, pod),
    ];
    const error: unknown = await Promise.all(calls).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ name: 'ConnectionError', sent: true });
    expect(seen).toHaveLength(3);
  });

  test('a create is sent again when it can not have arrived, or was put off', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    const attempts: number[] = [];
    const lonely = createClient({
      server: `http://127.0.0.1:${port}`,
      retries: 2,
      onRequest: ({ code }) => attempts.push(code),
    });
    const error: unknown = await lonely.create(podType, pod).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ name: 'ConnectionError', code: 'ECONNREFUSED', sent: false });
    expect(attempts).toEqual([0, 0, 0]);

    const busy = await openServer((n, _, response) => {
      if (n > 1) return json(response, 201, pod);
      response.setHeader('retry-after', '0');
      return json(response, 429, status(429, 'TooManyRequests'));
    });
    await busy.client.create(podType, pod);
    expect(busy.attempts).toEqual([429, 201]);
  });

  test('an answer that stops midway, or never comes, is an error in time', async () => {
    const { client } = await openServer(
      (n, _, response) => {
        if (n === 1) {
          response.setHeader('content-type', 'application/json');
          response.write('{"kind":"Pod","metadata":{"na');
          setImmediate(() => response.end());
        }
      },
      { retries: 0, timeoutSeconds: 0.2 },
    );
    await expect(client.get(podType, 'p', 'ns')).rejects.toThrow("isn't whole JSON");
    await expect(client.get(podType, 'p', 'ns')).rejects.toMatchObject({ code: 'ETIMEDOUT' });
  });

  test('a signal ends a call that waits', async () => {
    const { client } = await openServer(() => {});
    const stop = new AbortController();
    const call = client.get(podType, 'p', 'ns', { signal: stop.signal });
    setImmediate(() => stop.abort());
    await expect(call).rejects.toThrow('stopped');
  });
});
