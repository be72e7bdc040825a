/** One watch: the stream of a kind's changes, decoded line by line. */
import type { KubeObject, ResourceType } from '#api/object.ts';
import { refusal } from './answer.ts';
import { ApiError, ConnectionError, type Status } from './errors.ts';
import { lines } from './lines.ts';
import { queryString, resourcePath } from './paths.ts';
import type { Transport } from './transport.ts';

export type WatchOptions = {
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
  /** Changes after this one; without it the server first sends every object as ADDED. */
  readonly resourceVersion?: string | undefined;
  /** Default true. */
  readonly allowWatchBookmarks?: boolean | undefined;
  /** The server ends the watch after this time. */
  readonly timeoutSeconds?: number | undefined;
  /** Without a byte for this long the connection counts as dead. Default 120: servers send a bookmark every minute. */
  readonly silenceSeconds?: number | undefined;
  /** Ends the iteration without an error. */
  readonly signal?: AbortSignal | undefined;
};

export type WatchEvent<T extends KubeObject = KubeObject> =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: T }
  /** Says only how far the watch has come. */
  | { readonly type: 'BOOKMARK'; readonly object: Pick<KubeObject, 'metadata'> };

type Attempt = { readonly method: string; readonly code: number; readonly seconds: number };

/** Throws ApiError for a refusal or an ERROR event, ConnectionError when the stream is cut or silent. Ends when the server ends it. */
export async function* readWatch<T extends KubeObject>(
  transport: Transport,
  type: ResourceType,
  options: WatchOptions,
  onRequest?: (attempt: Attempt) => void,
): AsyncGenerator<WatchEvent<T>, void, undefined> {
  const { namespace, signal, silenceSeconds = 120, allowWatchBookmarks = true, ...query } = options;
  const path =
    resourcePath(type, { namespace }) + queryString({ ...query, watch: true, allowWatchBookmarks });
  const started = performance.now();
  let code = 0;
  try {
    const stream = await transport.stream(
      { method: 'GET', path, signal, timeoutMilliseconds: 30_000 },
      silenceSeconds * 1000,
    );
    code = stream.code;
    onRequest?.({ method: 'WATCH', code, seconds: (performance.now() - started) / 1000 });
    if (code !== 200) {
      throw refusal(code, await readText(stream.chunks), stream.headers['retry-after']);
    }
    for await (const line of lines(stream.chunks)) {
      const event = JSON.parse(line) as WatchEvent<T> | { type: 'ERROR'; object: Status };
      if (event.type === 'ERROR') throw new ApiError(event.object.code ?? 500, event.object);
      yield event;
    }
  } catch (error) {
    if (signal?.aborted) return;
    if (code === 0) onRequest?.({ method: 'WATCH', code, seconds: (performance.now() - started) / 1000 });
    if (error instanceof ApiError || error instanceof ConnectionError) throw error;
    throw new ConnectionError(`watch ${path}: ${(error as Error).message}`, 'ECONNRESET', true, error);
  }
}

/** The start of a refusal's body; the rest of an endless one is left unread. */
async function readText(chunks: AsyncIterable<Buffer>): Promise<string> {
  let text = '';
  for await (const chunk of chunks) {
    text += chunk.toString('utf8');
    if (text.length > 65_536) break;
  }
  return text;
}
