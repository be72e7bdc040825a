/** For tests: a server on a directory that goes away, and requests to it as its administrator. */
import { mkdtempSync, rmSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import type { KubeObject } from '#api/object.ts';
import { eventually } from '../eventually.ts';
import type { KeyPair } from './certificate.ts';
import type { ServerConfig } from './context.ts';
import { type ApiServer, startApiServer } from './server.ts';

export type Answer = {
  readonly code: number;
  // Tests look into whatever the server says; a wrong path shows as a failed expectation.
  // biome-ignore lint/suspicious/noExplicitAny: see above
  readonly body: any;
  readonly text: string;
  readonly warnings: readonly string[];
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
};

export type CallOptions = {
  readonly type?: string;
  readonly accept?: string;
  readonly token?: string;
  /** false: no client certificate. */
  readonly certificate?: KeyPair | false;
  readonly headers?: Readonly<Record<string, string>>;
};

export type WatchEvent = { readonly type: string; readonly object: KubeObject };

export type Watching = {
  readonly code: number;
  readonly events: WatchEvent[];
  /** Resolves when the condition holds for the events so far. Rejects after ten seconds or at the stream's end. */
  until(condition: (events: readonly WatchEvent[]) => boolean): Promise<void>;
  readonly ended: Promise<void>;
  stop(): void;
};

export type TestServer = {
  readonly server: ApiServer;
  readonly directory: string;
  readonly url: string;
  call(method: string, path: string, body?: unknown, options?: CallOptions): Promise<Answer>;
  watch(path: string, options?: CallOptions): Promise<Watching>;
  /** Stops and starts the server on the same directory and port. */
  restart(changes?: Partial<ServerConfig>): Promise<void>;
  /** Stops the server and removes its directory. */
  close(): Promise<void>;
};

export const testConfig: Omit<ServerConfig, 'dataDirectory'> = {
  host: '127.0.0.1',
  port: 0,
  serviceCidrs: ['10.96.0.0/16', 'fd10:96::/112'],
  advertise: ['192.168.66.1', 'fd66::1'],
  advertisePort: 6443,
};

export async function testServer(changes: Partial<ServerConfig> = {}): Promise<TestServer> {
  const directory = mkdtempSync(join(tmpdir(), 'netloom-api-'));
  const config = { ...testConfig, ...changes, dataDirectory: directory };
  const discard = (): void => rmSync(directory, { recursive: true, force: true });
  let server = await startApiServer(config).catch((error: unknown) => {
    discard();
    throw error;
  });
  const agent = new Agent({ keepAlive: true, maxSockets: 32 });
  const open = (
    method: string,
    path: string,
    options: CallOptions,
    length?: number,
  ): ReturnType<typeof request> => {
    const certificate = options.certificate ?? server.pki.admin;
    return request({
      host: '127.0.0.1',
      port: server.port,
      method,
      path,
      agent,
      ca: server.pki.authority.certificate,
      ...(certificate === false || options.token !== undefined
        ? {}
        : { cert: certificate.certificate, key: certificate.key }),
      headers: {
        accept: options.accept ?? 'application/json',
        ...(options.token === undefined ? {} : { authorization: `Bearer ${options.token}` }),
        ...(length === undefined
          ? {}
          : { 'content-type': options.type ?? 'application/json', 'content-length': length }),
        ...options.headers,
      },
    });
  };
  return {
    get server() {
      return server;
    },
    get url() {
      return `https://127.0.0.1:${server.port}`;
    },
    directory,
    call: (method, path, body, options = {}) =>
      new Promise((resolve, reject) => {
        const bytes = body === undefined ? undefined : encodeBody(body);
        const outgoing = open(method, path, options, bytes?.length);
        outgoing.on('error', reject);
        outgoing.on('response', (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('error', reject);
          response.on('end', () => {
            const bytes = Buffer.concat(chunks);
            const text = (
              response.headers['content-encoding'] === 'gzip' ? gunzipSync(bytes) : bytes
            ).toString();
            const json = String(response.headers['content-type']).startsWith('application/json');
            const warning = [response.headers['warning'] ?? []].flat().join(', ');
            resolve({
              code: response.statusCode!,
              body: json && text !== '' ? JSON.parse(text) : text,
              text,
              warnings: [...warning.matchAll(/299 - "((?:[^"\\]|\\.)*)"/g)].map((found) => found[1]!),
              headers: response.headers,
            });
          });
        });
        outgoing.end(bytes);
      }),
    watch: (path, options = {}) =>
      new Promise((resolve, reject) => {
        const outgoing = open('GET', path, options);
        outgoing.on('error', reject);
        outgoing.on('response', (response) => resolve(follow(response, () => outgoing.destroy())));
        outgoing.end();
      }),
    restart: async (changed = {}) => {
      const { port } = server;
      await server.close();
      agent.destroy();
      server = await startApiServer({ ...config, port, ...changed });
    },
    close: async () => {
      agent.destroy();
      await server.close();
      discard();
    },
  };
}

function encodeBody(body: unknown): Buffer {
  if (Buffer.isBuffer(body)) return body;
  return Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
}

function follow(response: import('node:http').IncomingMessage, stop: () => void): Watching {
  const events: WatchEvent[] = [];
  const checks = new Set<() => void>();
  let rest = '';
  response.setEncoding('utf8');
  response.on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop()!;
    events.push(...lines.map((line) => JSON.parse(line) as WatchEvent));
    for (const check of checks) check();
  });
  let over = false;
  const ended = new Promise<void>((resolve) => {
    response.on('close', () => {
      over = true;
      for (const check of checks) check();
      resolve();
    });
  });
  response.on('error', () => {});
  const until = (condition: (events: readonly WatchEvent[]) => boolean): Promise<void> =>
    new Promise((resolve, reject) => {
      const finish = (error?: Error): void => {
        checks.delete(check);
        clearTimeout(deadline);
        if (error === undefined) resolve();
        else reject(error);
      };
      const seen = (): string =>
        events.map((event) => `${event.type} ${event.object.metadata?.name}`).join(', ');
      const deadline = setTimeout(() => finish(new Error(`not seen in time; events: ${seen()}`)), 10_000);
      const check = (): void => {
        if (condition(events)) finish();
        else if (over) finish(new Error(`the watch ended; events: ${seen()}`));
      };
      checks.add(check);
      check();
    });
  return { code: response.statusCode!, events, until, ended, stop };
}

/** Asks until the answer satisfies and gives it; throws with the last one. */
export function answered<T>(ask: () => Promise<T>, good: (answer: T) => boolean): Promise<T> {
  return eventually(async () => {
    const answer = await ask();
    if (!good(answer)) throw new Error(`not so in time: ${JSON.stringify(answer).slice(0, 2000)}`);
    return answer;
  });
}
