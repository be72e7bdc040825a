/** The Kubernetes API as typed calls: retries, rate limit and errors in one place. */
import { apiVersionOf, type KubeObject, type ResourceType } from '#api/object.ts';
import { parseBody, refusal, retryDelay, warningTexts } from './answer.ts';
import { createTokenBucket, sleep } from './backoff.ts';
import { ConnectionError } from './errors.ts';
import { type Query, queryString, resourcePath } from './paths.ts';
import { type Answer, createTransport, type Endpoint, type Exchange } from './transport.ts';
import { readWatch, type WatchEvent, type WatchOptions } from './watch.ts';

export {
  ApiError,
  ConnectionError,
  isAlreadyExists,
  isConflict,
  isConnectionError,
  isForbidden,
  isGone,
  isInvalid,
  isNotFound,
} from './errors.ts';
export type { WatchEvent, WatchOptions } from './watch.ts';

export type ClientConfig = Endpoint & {
  /** Namespace of the kubeconfig's context or of the service account. */
  readonly namespace?: string | undefined;
  /** Client-side limit over all calls (watches are free). Default 50 with a burst of 100. */
  readonly requestsPerSecond?: number | undefined;
  readonly burst?: number | undefined;
  /** Default 30. */
  readonly timeoutSeconds?: number | undefined;
  /** Retries after the first attempt of a call that may be repeated. Default 5: about three seconds of waiting. */
  readonly retries?: number | undefined;
  /** Told of every attempt, for metrics; code 0 when no answer came. */
  readonly onRequest?: ((attempt: RequestAttempt) => void) | undefined;
  /** The server's Warning headers. */
  readonly onWarning?: ((text: string) => void) | undefined;
};

export type RequestAttempt = { readonly method: string; readonly code: number; readonly seconds: number };

export type CallOptions = {
  readonly signal?: AbortSignal | undefined;
  readonly timeoutSeconds?: number | undefined;
  readonly retries?: number | undefined;
};

export type ListOptions = CallOptions & {
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
  readonly limit?: number | undefined;
  readonly continue?: string | undefined;
  readonly resourceVersion?: string | undefined;
  readonly resourceVersionMatch?: 'Exact' | 'NotOlderThan' | undefined;
};

export type List<T> = {
  readonly items: readonly T[];
  /** Where a watch may start. */
  readonly resourceVersion: string;
  /** Token for the next page; undefined on the last. */
  readonly continue: string | undefined;
};

export type WriteOptions = CallOptions & {
  readonly fieldManager?: string | undefined;
  readonly dryRun?: boolean | undefined;
};

export type PatchTarget = {
  readonly name: string;
  readonly namespace?: string | undefined;
  readonly subresource?: string | undefined;
};

export type Patch = {
  readonly kind: 'merge' | 'json' | 'strategic' | 'apply';
  readonly body: object;
  /** Required by the server for `apply`. */
  readonly fieldManager?: string | undefined;
  /** `apply` only: take fields over from other managers. */
  readonly force?: boolean | undefined;
};

export type DeleteOptions = CallOptions & {
  readonly namespace?: string | undefined;
  /** Preconditions: the delete fails with a conflict when the object is another one by now. */
  readonly uid?: string | undefined;
  readonly resourceVersion?: string | undefined;
  readonly gracePeriodSeconds?: number | undefined;
  readonly propagationPolicy?: 'Foreground' | 'Background' | 'Orphan' | undefined;
};

export type RawRequest = CallOptions & {
  readonly method: string;
  readonly path: string;
  readonly query?: Query | undefined;
  /** Sent as JSON. */
  readonly body?: unknown;
  readonly contentType?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** May be sent again after a cut connection. Default: GET and HEAD. */
  readonly repeatable?: boolean | undefined;
};

/** All methods throw ApiError when the server refuses and ConnectionError when no whole answer came. */
export type Client = {
  readonly config: ClientConfig;
  get<T extends KubeObject = KubeObject>(
    type: ResourceType,
    name: string,
    namespace?: string,
    options?: CallOptions,
  ): Promise<T>;
  /** One page when `limit` is given. Items carry apiVersion and kind, which servers leave out of lists. */
  list<T extends KubeObject = KubeObject>(type: ResourceType, options?: ListOptions): Promise<List<T>>;
  create<T extends KubeObject = KubeObject>(
    type: ResourceType,
    object: T,
    options?: WriteOptions,
  ): Promise<T>;
  /** Replaces. With a resourceVersion in the object, a change in between is a conflict. */
  update<T extends KubeObject = KubeObject>(
    type: ResourceType,
    object: T,
    options?: WriteOptions,
  ): Promise<T>;
  updateStatus<T extends KubeObject = KubeObject>(
    type: ResourceType,
    object: T,
    options?: WriteOptions,
  ): Promise<T>;
  patch<T extends KubeObject = KubeObject>(
    type: ResourceType,
    target: PatchTarget,
    patch: Patch,
    options?: WriteOptions,
  ): Promise<T>;
  /** Resolves once the server accepted; finalizers may keep the object for longer. */
  delete(type: ResourceType, name: string, options?: DeleteOptions): Promise<void>;
  /** Events from `resourceVersion` on. An ERROR event is thrown as ApiError; a cut connection as ConnectionError. */
  watch<T extends KubeObject = KubeObject>(
    type: ResourceType,
    options?: WatchOptions,
  ): AsyncIterable<WatchEvent<T>>;
  /** Any other call; gives the parsed JSON, or the text when the answer isn't JSON. */
  request<T = unknown>(request: RawRequest): Promise<T>;
  /** Closes idle sockets; calls under way are cut. */
  close(): void;
};

export function createClient(config: ClientConfig): Client {
  const transport = createTransport(config);
  const bucket = createTokenBucket(config.requestsPerSecond ?? 50, config.burst ?? 100);

  const attempt = async (exchange: Exchange): Promise<unknown> => {
    const started = performance.now();
    let code = 0;
    try {
      const answer = await transport.call(exchange);
      code = answer.code;
      for (const text of warningTexts(answer.headers.warning ?? '')) config.onWarning?.(text);
      if (code >= 200 && code < 300) return parseAnswer(exchange, answer);
      throw refusal(code, answer.text, answer.headers['retry-after']);
    } finally {
      config.onRequest?.({ method: exchange.method, code, seconds: (performance.now() - started) / 1000 });
    }
  };

  const request = async <T>(raw: RawRequest): Promise<T> => {
    const repeatable = raw.repeatable ?? (raw.method === 'GET' || raw.method === 'HEAD');
    const exchange: Exchange = {
      method: raw.method,
      path: raw.path + queryString(raw.query ?? {}),
      headers:
        raw.body === undefined
          ? { ...raw.headers }
          : { 'content-type': raw.contentType ?? 'application/json', ...raw.headers },
      body: raw.body === undefined ? undefined : JSON.stringify(raw.body),
      signal: raw.signal,
      timeoutMilliseconds: (raw.timeoutSeconds ?? config.timeoutSeconds ?? 30) * 1000,
    };
    const retries = raw.retries ?? config.retries ?? 5;
    for (let failures = 0; ; failures += 1) {
      await bucket.take(raw.signal);
      raw.signal?.throwIfAborted();
      try {
        return (await attempt(exchange)) as T;
      } catch (error) {
        const wait = retryDelay(error, repeatable, failures);
        if (wait === undefined || failures >= retries || raw.signal?.aborted) throw error;
        await sleep(wait, raw.signal);
      }
    }
  };

  const write = <T extends KubeObject>(
    method: 'POST' | 'PUT',
    type: ResourceType,
    object: T,
    subresource: string | undefined,
    { fieldManager, dryRun, ...call }: WriteOptions,
  ): Promise<T> => {
    const { name, namespace } = object.metadata;
    const target = method === 'POST' ? { namespace } : { name, namespace, subresource };
    if (type.namespaced && namespace === undefined) {
      throw new Error(`${type.kind} ${name}: a namespaced kind needs a namespace`);
    }
    return request({
      ...call,
      method,
      path: resourcePath(type, target),
      query: { fieldManager, dryRun: dryRun === true ? 'All' : undefined },
      body: { ...object, apiVersion: apiVersionOf(type), kind: type.kind },
      // Guarded by its resourceVersion, a repeated update can at worst meet its own write as a conflict.
      repeatable: method === 'PUT' && object.metadata.resourceVersion !== undefined,
    });
  };

  return {
    config,
    request,
    get: async (type, name, namespace, options) =>
      request({ ...options, method: 'GET', path: resourcePath(type, { name, namespace }) }),
    async list<T extends KubeObject>(type: ResourceType, options: ListOptions = {}) {
      const { signal, timeoutSeconds, retries, namespace, ...query } = options;
      const call = { signal, timeoutSeconds: timeoutSeconds ?? 60, retries };
      const answer = await request<RawList<T>>({
        ...call,
        method: 'GET',
        path: resourcePath(type, { namespace }),
        query,
      });
      const kind = { apiVersion: apiVersionOf(type), kind: type.kind };
      return {
        items: (answer.items ?? []).map((item) => ({ ...item, ...kind })),
        resourceVersion: answer.metadata?.resourceVersion ?? '',
        continue: answer.metadata?.continue || undefined,
      };
    },
    create: async (type, object, options = {}) => write('POST', type, object, undefined, options),
    update: async (type, object, options = {}) => write('PUT', type, object, undefined, options),
    updateStatus: async (type, object, options = {}) => write('PUT', type, object, 'status', options),
    patch: async (type, target, { kind, body, fieldManager, force }, options = {}) => {
      const { dryRun, fieldManager: manager, ...call } = options;
      return request({
        ...call,
        method: 'PATCH',
        path: resourcePath(type, target),
        query: { fieldManager: fieldManager ?? manager, force, dryRun: dryRun === true ? 'All' : undefined },
        body: kind === 'apply' ? { ...body, apiVersion: apiVersionOf(type), kind: type.kind } : body,
        contentType: patchTypes[kind],
        repeatable: kind === 'apply' || kind === 'merge',
      });
    },
    async delete(type, name, { namespace, uid, resourceVersion, ...options } = {}) {
      const { gracePeriodSeconds, propagationPolicy, ...call } = options;
      const preconditions =
        uid === undefined && resourceVersion === undefined ? undefined : { uid, resourceVersion };
      await request({
        ...call,
        method: 'DELETE',
        path: resourcePath(type, { name, namespace }),
        body: {
          apiVersion: 'v1',
          kind: 'DeleteOptions',
          preconditions,
          gracePeriodSeconds,
          propagationPolicy,
        },
        // Without the uid a repeat could meet a new object of the same name.
        repeatable: uid !== undefined,
      });
    },
    watch: (type, options = {}) => readWatch(transport, type, options, config.onRequest),
    close: () => transport.close(),
  };
}

/** A body that was cut short (no length was announced) must not look like a short answer. */
function parseAnswer({ method, path }: Exchange, { text, headers }: Answer): unknown {
  try {
    return parseBody(text, headers['content-type']);
  } catch (error) {
    throw new ConnectionError(`${method} ${path}: the answer isn't whole JSON`, 'ECONNRESET', true, error);
  }
}

type RawList<T> = {
  readonly items?: readonly T[] | null;
  readonly metadata?: { readonly resourceVersion?: string; readonly continue?: string };
};

const patchTypes = {
  merge: 'application/merge-patch+json',
  json: 'application/json-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  apply: 'application/apply-patch+yaml',
} as const;
