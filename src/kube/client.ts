/** The Kubernetes API as typed calls: retries, rate limit and errors in one place. */
import { apiVersionOf, type KubeObject, type ResourceType } from '#api/object.ts';
import { parseBody, refusal, retryDelay, warningTexts } from './answer.ts';
import { createTokenBucket, sleep } from './backoff.ts';
import type { Client, ClientConfig, ListOptions, RawRequest, WriteOptions } from './calls.ts';
import { ConnectionError } from './errors.ts';
import { queryString, resourcePath } from './paths.ts';
import { type Answer, createTransport, type Exchange } from './transport.ts';
import { readWatch } from './watch.ts';

export type {
  CallOptions,
  Client,
  ClientConfig,
  DeleteOptions,
  List,
  ListOptions,
  Patch,
  PatchTarget,
  RawRequest,
  RequestAttempt,
  WriteOptions,
} from './calls.ts';
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
    onRecovery: (listener) => transport.onRecovery(listener),
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
