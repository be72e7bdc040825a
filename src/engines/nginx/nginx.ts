/** The nginx that runs: what is asked of it and said to it, over its unix socket in the instance's directory. */
import { Agent, type ClientRequest, request } from 'node:http';
import { join } from 'node:path';
import { readIfExists, writeFileAtomic } from '#system/files.ts';
import type { Problem } from './lower.ts';
import { type Head, printHead } from './objects.ts';
import { readStreamCounts, type StreamCount } from './stream-counts.ts';

/** Files in the directory of an instance, which nginx.conf names, too. */
export const nginxFiles = {
  /** HTTP; 0600. */
  socket: 'nginx.sock',
  /** Says what the stream part counted to whoever connects. */
  counts: 'counts.sock',
  /** What nginx holds when it starts, in the form of a change. */
  start: 'nginx.entries',
} as const;

export type NginxStatus = {
  /** Another one each time that nginx begins without the memory of the last. */
  readonly boot: string;
  /** Counts changes. */
  readonly version: number;
  /** Of the intent; 0: none yet. */
  readonly generation: number;
  /** Bytes that are free of the memory for entries. */
  readonly freeMemory: number;
};

export type Outcome =
  | { readonly kind: 'done'; readonly version: number; readonly problems: readonly Problem[] }
  /** It holds another version than the change is for. */
  | { readonly kind: 'refused'; readonly status: NginxStatus };

/** Requests as nginx counts them; cumulative since it began. */
export type NginxMetrics = {
  readonly connections: {
    readonly active: number;
    readonly reading: number;
    readonly writing: number;
    readonly waiting: number;
    readonly accepted: number;
  };
  /** Upper bounds of the buckets of `durations`, in seconds; the last bucket has none. */
  readonly bounds: readonly number[];
  /** What stands at each place of `refused`. */
  readonly refusals: readonly string[];
  /** Counters that had to make room for others before their time, and requests that were refused for want of any. */
  readonly limits: { readonly evicted: number; readonly refused: number };
  readonly routes: readonly NginxRouteMetrics[];
  /** Endpoints that failed too often: how often they were left out, and how many are now. */
  readonly backends: readonly {
    readonly backend: string;
    readonly ejections: number;
    readonly out: number;
  }[];
  /** Lines of the access log that nobody took in time. */
  readonly unlogged: number;
  /** Connections that aren't HTTP's. */
  readonly streams: readonly StreamCount[];
};

export type NginxRouteMetrics = {
  /** `KIND/NAMESPACE/NAME`; `other`: more routes than are told apart; '': no rule took the request. */
  readonly route: string;
  /** Key of the listener. */
  readonly listener: string;
  /** By class: 1xx to 5xx. */
  readonly codes: readonly [number, number, number, number, number];
  /** Requests a bucket, not cumulative. */
  readonly durations: readonly number[];
  /** Requests that a policy turned away, by reason. */
  readonly refused: readonly number[];
  /** Sum of durations, in seconds. */
  readonly seconds: number;
};

/** Each throws when nginx does not answer, with what the system said. */
export type Nginx = {
  status(): Promise<NginxStatus>;
  /** As `parseList` reads it. */
  list(): Promise<string>;
  /** `lines` is what follows the head: at most a few hundred kilobytes. */
  change(head: Head, lines: string): Promise<Outcome>;
  metrics(): Promise<NginxMetrics>;
  /** What it starts from. */
  keep(text: string): void;
  kept(): string | undefined;
  close(): void;
};

/** Milliseconds until an answer counts as none: nginx itself needs some tens at the most. */
const patienceMs = 5_000;

export function openNginx(directory: string): Nginx {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const socketPath = join(directory, nginxFiles.socket);
  const once = (method: string, path: string, body: string | undefined) =>
    exchange(
      (handlers) =>
        request(
          { socketPath, agent, method, path, timeout: patienceMs, headers: { Host: 'nginx' } },
          handlers,
        ),
      body,
    );
  const ask = async (method: string, path: string, body?: string) => {
    // A worker that ends takes its connections with it, and another one answers. A change that was taken is refused the second time.
    const answer = await once(method, path, body).catch((error: unknown) => {
      if (!isCut(error)) throw error;
      return once(method, path, body);
    });
    if (answer.status !== 200 && answer.status !== 409)
      throw new Error(
        `nginx answers ${answer.status} to ${method} ${path}: ${answer.text.slice(0, 200).trim()}`,
      );
    return answer;
  };
  const start = join(directory, nginxFiles.start);
  return {
    status: async () => JSON.parse((await ask('GET', '/v1/status')).text) as NginxStatus,
    list: async () => (await ask('GET', '/v1/entries')).text,
    change: async (head, lines) => {
      const { status, text } = await ask('POST', '/v1/change', printHead(head) + lines);
      if (status === 409) return { kind: 'refused', status: JSON.parse(text) as NginxStatus };
      const { version, problems } = JSON.parse(text) as { version: number; problems: Problem[] };
      return { kind: 'done', version, problems: Array.isArray(problems) ? problems : [] };
    },
    metrics: async () => ({
      ...(JSON.parse((await ask('GET', '/v1/metrics')).text) as Omit<NginxMetrics, 'streams'>),
      // Without them the rest is worth telling, too.
      streams: await readStreamCounts(join(directory, nginxFiles.counts)).catch(() => []),
    }),
    keep: (text) => writeFileAtomic(start, text, 0o600),
    kept: () => readIfExists(start),
    close: () => agent.destroy(),
  };
}

function isCut(error: unknown): boolean {
  const { code, message } = error as NodeJS.ErrnoException;
  return code === 'ECONNRESET' || code === 'EPIPE' || message === 'aborted' || message === 'socket hang up';
}

type Handler = Parameters<typeof request>[2];

function exchange(
  begin: (handler: NonNullable<Handler>) => ClientRequest,
  body: string | undefined,
): Promise<{ readonly status: number; readonly text: string }> {
  return new Promise((resolve, reject) => {
    const sent = begin((response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') }),
      );
      response.on('error', reject);
    });
    sent.on('timeout', () => sent.destroy(new Error('nginx does not answer')));
    sent.on('error', reject);
    sent.end(body);
  });
}
