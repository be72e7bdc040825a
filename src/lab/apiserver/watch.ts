/** Watches: a stream of changes from a revision on, each event encoded once however many clients see it. */
import type { ServerResponse } from 'node:http';
import { apiVersionOf, type KubeObject } from '#api/object.ts';
import type { Representation } from './accept.ts';
import type { Context } from './context.ts';
import { badRequest, expired, revisionTooLarge } from './errors.ts';
import { tableOf, toVersion } from './kinds.ts';
import { encode, list, type Selection } from './read.ts';
import { booleanParameter, integerParameter } from './request.ts';
import { type Change, type ChangeType, ExpiredRevision, type Version } from './storage/table.ts';
import { metadataOnly, tableOfObjects } from './table.ts';
import type { ServedKind } from './types.ts';

export type WatchRequest = {
  readonly kind: ServedKind;
  readonly select: Selection;
  readonly query: URLSearchParams;
  readonly shape: Representation['as'];
};

/** Bytes that may wait in a client's socket before the watch stops reading on; it goes on when they are gone. */
const highWater = 1024 * 1024;
const defaultBookmarkSeconds = 60;

/** Streams until the client goes, the timeout ends, or the revision is forgotten. Throws StatusError before the first byte. */
export async function watch(
  context: Context,
  request: WatchRequest,
  response: ServerResponse,
  closed: AbortSignal,
): Promise<void> {
  const { store } = context;
  const { kind, select, query, shape } = request;
  const table = store.table(tableOf(kind));
  const start = startOf(query, store.revision);
  const initial = start.sendInitial ? list(context, kind, select, new URLSearchParams()) : undefined;
  let cursor = initial?.revision ?? start.revision;
  checkRemembered(() => table.changesAfter(cursor));
  const bookmarks = booleanParameter(query, 'allowWatchBookmarks');
  const encodeEvent = encoder(kind, shape, query);
  await store.settled(cursor);

  response.writeHead(200, { 'content-type': 'application/json', 'cache-control': 'no-cache, private' });
  response.flushHeaders();
  for (const version of initial?.versions ?? []) response.write(encodeEvent('ADDED', version));
  if (start.announceInitial) response.write(bookmark(kind, cursor, true));

  await new Promise<void>((resolve) => {
    let ended = false;
    const end = (): void => {
      if (ended) return;
      ended = true;
      table.watchers.delete(wake);
      clearTimeout(timeout);
      clearInterval(ticker);
      resolve();
    };
    const wake = (): void => {
      if (ended || response.writableLength > highWater) return;
      try {
        const { durable } = store;
        // A client without bookmarks may have slept through more than the table remembers without missing anything.
        for (const change of table.changesAfter(cursor)) {
          if (change.revision > durable) break;
          cursor = change.revision;
          const seen = seenAs(change, select);
          if (seen !== undefined) response.write(encodeEvent(seen.type, seen.version, change));
          if (response.writableLength > highWater) return;
        }
        cursor = Math.max(cursor, durable);
        const served = context.kinds.byPlural(kind.group, kind.version, kind.plural) !== undefined;
        if (!served && table.changesAfter(cursor).length === 0) end();
      } catch (error) {
        if (!(error instanceof ExpiredRevision)) throw error;
        response.write(event('ERROR', JSON.stringify(expired(error.message).status)));
        end();
      }
    };
    const seconds = integerParameter(query, 'timeoutSeconds') ?? 1800 + Math.floor(Math.random() * 1800);
    const timeout = setTimeout(() => {
      wake();
      if (bookmarks && !ended) response.write(bookmark(kind, cursor, false));
      end();
    }, Math.min(seconds, 86_400) * 1000);
    const period = (context.config.bookmarkSeconds ?? defaultBookmarkSeconds) * 1000;
    const ticker = setInterval(() => {
      if (!bookmarks || response.writableLength > 0) return;
      wake();
      if (!ended) response.write(bookmark(kind, cursor, false));
    }, period);
    response.on('drain', wake);
    closed.addEventListener('abort', end, { once: true });
    if (closed.aborted) end();
    table.watchers.add(wake);
    wake();
  });
  response.end();
}

type Start = {
  readonly revision: number;
  readonly sendInitial: boolean;
  /** End the initial objects with a bookmark that says so. */
  readonly announceInitial: boolean;
};

/** Where a watch begins (kubernetes.io/docs/reference/using-api/api-concepts: "resourceVersion in watch", "streaming lists"). */
function startOf(query: URLSearchParams, newest: number): Start {
  const wanted = integerParameter(query, 'resourceVersion');
  const sends = query.get('sendInitialEvents');
  const match = query.get('resourceVersionMatch') ?? '';
  if (sends === null && match !== '') {
    throw badRequest('resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided');
  }
  if (sends !== null && match !== 'NotOlderThan') {
    throw badRequest('sendInitialEvents requires setting resourceVersionMatch to NotOlderThan');
  }
  if (wanted !== undefined && wanted > newest) throw revisionTooLarge(wanted, newest);
  if (sends !== null) {
    const sendInitial = sends !== 'false' && sends !== '0';
    if (sendInitial && !booleanParameter(query, 'allowWatchBookmarks')) {
      throw badRequest('sendInitialEvents requires allowWatchBookmarks');
    }
    return { revision: wanted || newest, sendInitial, announceInitial: sendInitial };
  }
  if (wanted === undefined || wanted === 0)
    return { revision: newest, sendInitial: true, announceInitial: false };
  return { revision: wanted, sendInitial: false, announceInitial: false };
}

function checkRemembered(read: () => unknown): void {
  try {
    read();
  } catch (error) {
    if (!(error instanceof ExpiredRevision)) throw error;
    throw expired(error.message);
  }
}

/** How a change looks through a selection: an object that starts or stops matching is added or deleted there. */
function seenAs(
  change: Change,
  select: Selection,
): { readonly type: ChangeType; readonly version: Version } | undefined {
  const { version, previous } = change;
  if (select.namespace !== undefined && version.namespace !== select.namespace) return undefined;
  if (select.match === undefined) return { type: change.type, version };
  const before = previous !== undefined && select.match(previous.object);
  if (change.type === 'DELETED') return before ? { type: 'DELETED', version } : undefined;
  const now = select.match(version.object);
  if (now) return { type: before ? 'MODIFIED' : 'ADDED', version };
  return before ? { type: 'DELETED', version: departed(previous, change.revision) } : undefined;
}

/** The last state that matched, under the revision at which it ceased to. */
function departed(previous: Version, revision: number): Version {
  const metadata = { ...previous.object.metadata, resourceVersion: String(revision) };
  const object: KubeObject = { ...previous.object, metadata };
  return { ...previous, revision, object, json: JSON.stringify(object) };
}

type Encoder = (type: ChangeType, version: Version, change?: Change) => Buffer | string;

/** Encoded events of the newest changes, shared by all watches of the same kind and shape. */
const sharedEvents = new Map<Change, Map<string, Buffer>>();
const sharedChanges = 256;

function shared(change: Change, key: string, make: () => Buffer): Buffer {
  let forms = sharedEvents.get(change);
  if (forms === undefined) {
    forms = new Map();
    sharedEvents.set(change, forms);
    // Watches see changes at nearly the same time; a late one encodes again.
    if (sharedEvents.size > sharedChanges) sharedEvents.delete(sharedEvents.keys().next().value!);
  }
  const known = forms.get(key);
  if (known !== undefined) return known;
  const bytes = make();
  forms.set(key, bytes);
  return bytes;
}

function encoder(kind: ServedKind, shape: Representation['as'], query: URLSearchParams): Encoder {
  if (shape === 'Table') {
    let first = true;
    return (type, version) => {
      const object = toVersion(kind, version.object);
      const table = tableOfObjects(
        kind,
        [object],
        { resourceVersion: String(version.revision) },
        query,
        first,
      );
      first = false;
      return event(type, JSON.stringify(table));
    };
  }
  const text = (version: Version): string =>
    shape === 'object'
      ? encode(kind, version)
      : JSON.stringify(metadataOnly(toVersion(kind, version.object)));
  const shapeKey = `${apiVersionOf(kind)} ${shape}`;
  return (type, version, change) => {
    if (change?.version !== version) return event(type, text(version));
    return shared(change, `${type} ${shapeKey}`, () => Buffer.from(event(type, text(version))));
  };
}

function event(type: ChangeType | 'ERROR' | 'BOOKMARK', object: string): string {
  return `{"type":"${type}","object":${object}}\n`;
}

function bookmark(kind: ServedKind, revision: number, endsInitial: boolean): string {
  const annotations = endsInitial ? { annotations: { 'k8s.io/initial-events-end': 'true' } } : {};
  const metadata = { resourceVersion: String(revision), creationTimestamp: null, ...annotations };
  return event('BOOKMARK', JSON.stringify({ kind: kind.kind, apiVersion: apiVersionOf(kind), metadata }));
}
