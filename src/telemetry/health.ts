/** The small HTTP server of every program: /metrics, /healthz, /livez and /readyz with named checks. */
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Registry } from './metrics.ts';

export type Check = {
  readonly name: string;
  /** Undefined: well. A text: what is wrong. Throwing counts as wrong, and so does taking longer than a second. */
  readonly check: () => string | undefined | Promise<string | undefined>;
  /**
   * Default false: the check counts for /readyz only. True: failing it also fails /livez and has the process restarted;
   * so never make liveness depend on the API server or on another program.
   */
  readonly live?: boolean | undefined;
};

export type HealthOptions = {
  /** Address to listen on, for example `::` for all of both families. */
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  readonly registry: Registry;
  /** Metrics of another process in the same format, below the registry's. One that fails, or takes longer than a second, is left out. */
  readonly more?: (() => Promise<string>) | undefined;
  readonly checks: readonly Check[];
};

export type HealthServer = {
  readonly port: number;
  close(): Promise<void>;
};

/** Listens; rejects when the address is taken. */
export async function startHealthServer(options: HealthOptions): Promise<HealthServer> {
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://health');
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      send(response, 405, 'GET only\n');
      return;
    }
    answer(url, options, response).catch((error: unknown) => send(response, 500, `${String(error)}\n`));
  });
  // A scraper that stalls must not hold a socket for ever.
  server.headersTimeout = 5_000;
  server.requestTimeout = 10_000;
  server.maxConnections = 64;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject);
  server.listen({ host: options.host, port: options.port }, resolve);
  await promise;
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      const closed = new Promise<void>((done) => server.close(() => done()));
      server.closeAllConnections();
      await closed;
    },
  };
}

async function answer(
  url: URL,
  { registry, more, checks }: HealthOptions,
  response: ServerResponse,
): Promise<void> {
  if (url.pathname === '/metrics') {
    response.setHeader('content-type', 'text/plain; version=0.0.4; charset=utf-8');
    const others = more === undefined ? '' : await withinSecond(more(), '').catch(() => '');
    send(response, 200, registry.text() + others);
    return;
  }
  const [, kind, single] = /^\/(healthz|livez|readyz)(?:\/([^/]+))?$/.exec(url.pathname) ?? [];
  const excluded = url.searchParams.getAll('exclude');
  const due = checks.filter(
    (check) =>
      (kind === 'readyz' || check.live === true) &&
      (single === undefined || check.name === single) &&
      !excluded.includes(check.name),
  );
  if (kind === undefined || (single !== undefined && due.length === 0)) {
    send(response, 404, 'try /metrics, /livez?verbose or /readyz?verbose\n');
    return;
  }
  const results = await Promise.all(due.map(runCheck));
  const ok = results.every((result) => result.problem === undefined);
  const lines = results.map(({ name, problem }) =>
    problem === undefined ? `[+]${name} ok\n` : `[-]${name} failed: ${problem}\n`,
  );
  const verbose = url.searchParams.has('verbose') || !ok;
  const verdict = ok ? `${kind} check passed\n` : `${kind} check failed\n`;
  send(response, ok ? 200 : 503, verbose ? lines.join('') + verdict : 'ok');
}

async function runCheck({ name, check }: Check): Promise<{ name: string; problem: string | undefined }> {
  try {
    return { name, problem: await withinSecond(check(), 'no answer within a second') };
  } catch (error) {
    return { name, problem: error instanceof Error ? error.message : String(error) };
  }
}

async function withinSecond<T>(answer: T | Promise<T>, otherwise: T): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<T>((resolve) => {
    timer = setTimeout(() => resolve(otherwise), 1000);
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}

function send(response: ServerResponse, code: number, text: string): void {
  if (!response.hasHeader('content-type')) response.setHeader('content-type', 'text/plain; charset=utf-8');
  response.setHeader('x-content-type-options', 'nosniff');
  response.writeHead(code).end(text);
}
