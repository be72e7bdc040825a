/** What can be asked of the API server, and what it answers: types only. */
import type { KubeObject, ResourceType } from '#api/object.ts';
import type { Query } from './paths.ts';
import type { Endpoint } from './transport.ts';
import type { WatchEvent, WatchOptions } from './watch.ts';

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
  /** Calls `listener` each time the server answers after it could not be reached. Gives the function that ends it. */
  onRecovery(listener: () => void): () => void;
  /** Closes idle sockets; calls under way are cut. */
  close(): void;
};
