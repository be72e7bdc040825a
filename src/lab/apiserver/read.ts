/** Reads objects: one, or a list with selectors, pages and revisions. */
import { apiVersionOf } from '#api/object.ts';
import type { Context } from './context.ts';
import { badRequest, expired, notFound, revisionTooLarge } from './errors.ts';
import { tableOf, toVersion } from './kinds.ts';
import { integerParameter } from './request.ts';
import { type Match, matchFields, parseFieldSelector, parseLabelSelector } from './selectors.ts';
import { ExpiredRevision, type Version } from './storage/table.ts';
import type { ServedKind } from './types.ts';

/** What list and watch select by. */
export type Selection = {
  /** Undefined: all namespaces. */
  readonly namespace: string | undefined;
  readonly match: Match | undefined;
  /** Set when only one name can match. */
  readonly name: string | undefined;
};

/** Selectors of a query; for a path with a name only that object. Throws 400. */
export function selection(
  kind: ServedKind,
  namespace: string,
  name: string | undefined,
  query: URLSearchParams,
): Selection {
  const labels = query.get('labelSelector') ?? '';
  const fields = parseFieldSelector(kind, query.get('fieldSelector') ?? '');
  const byLabel = labels === '' ? undefined : parseLabelSelector(labels);
  const byField = fields.length === 0 ? undefined : matchFields(fields);
  // Objects are matched in the version that the client sees, since paths are spelt in it.
  const converts = kind.group === 'events.k8s.io';
  const selectedName = fields.find((field) => field.path === 'metadata.name' && field.equal)?.value;
  const match: Match | undefined =
    byLabel === undefined && byField === undefined && name === undefined
      ? undefined
      : (object) =>
          (name === undefined || object.metadata.name === name) &&
          (byLabel === undefined || byLabel(object.metadata.labels ?? {})) &&
          (byField === undefined || byField(converts ? toVersion(kind, object) : object));
  return {
    namespace: kind.namespaced && namespace !== '' ? namespace : kind.namespaced ? undefined : '',
    match,
    name: name ?? selectedName,
  };
}

/** JSON of a stored version in the version of `kind`; the stored text itself where they are the same. */
export function encode(kind: ServedKind, version: Version): string {
  const object = toVersion(kind, version.object);
  return object === version.object ? version.json : JSON.stringify(object);
}

/** Throws 404. */
export function get(context: Context, kind: ServedKind, namespace: string, name: string): Version {
  const version = context.store.table(tableOf(kind)).get(namespace, name);
  if (version === undefined) throw notFound(kind, name);
  return version;
}

export type Listing = {
  readonly versions: readonly Version[];
  readonly revision: number;
  readonly continue?: string;
  readonly remaining?: number;
};

type Token = { readonly revision: number; readonly namespace: string; readonly name: string };

/** Throws 400, 410 (revision forgotten), 504 (revision not reached). */
export function list(context: Context, kind: ServedKind, select: Selection, query: URLSearchParams): Listing {
  const { store } = context;
  const table = store.table(tableOf(kind));
  const token = decodeToken(query.get('continue') ?? '');
  const limit = integerParameter(query, 'limit') ?? 0;
  const revision = token?.revision ?? listRevision(query, store.revision);
  let versions: readonly Version[];
  try {
    if (revision < store.revision) versions = table.listAt(revision, select.namespace);
    else if (select.name !== undefined && select.namespace !== undefined) {
      const only = table.get(select.namespace, select.name);
      versions = only === undefined ? [] : [only];
    } else versions = table.list(select.namespace);
  } catch (error) {
    if (!(error instanceof ExpiredRevision)) throw error;
    throw expired(
      token === undefined
        ? error.message
        : 'The provided continue parameter is too old to display a consistent list result. You must start a new list without the continue parameter.',
    );
  }
  if (token !== undefined) versions = versions.filter((version) => isAfter(version, token));
  if (select.match !== undefined) versions = versions.filter((version) => select.match!(version.object));
  if (limit === 0 || versions.length <= limit) return { versions, revision };
  const page = versions.slice(0, limit);
  const last = page.at(-1)!;
  const remaining = select.match === undefined ? { remaining: versions.length - limit } : {};
  return { versions: page, revision, continue: encodeToken({ ...last, revision }), ...remaining };
}

/** JSON of a whole list, put together from the objects' stored texts. */
export function encodeList(kind: ServedKind, listing: Listing): string {
  const head = JSON.stringify({
    kind: kind.listKind,
    apiVersion: apiVersionOf(kind),
    metadata: listMetadata(listing),
  });
  const items = listing.versions.map((version) => encode(kind, version));
  return `${head.slice(0, -1)},"items":[${items.join(',')}]}`;
}

export function listMetadata(listing: Listing): Record<string, unknown> {
  return {
    resourceVersion: String(listing.revision),
    ...(listing.continue === undefined ? {} : { continue: listing.continue }),
    ...(listing.remaining === undefined ? {} : { remainingItemCount: listing.remaining }),
  };
}

/** The revision that a list is taken at: the newest, unless exactly another is asked for. */
function listRevision(query: URLSearchParams, newest: number): number {
  const wanted = integerParameter(query, 'resourceVersion');
  const match = query.get('resourceVersionMatch') ?? '';
  if (match !== '' && wanted === undefined) {
    throw badRequest('resourceVersionMatch is forbidden unless resourceVersion is provided');
  }
  if (!['', 'Exact', 'NotOlderThan'].includes(match)) {
    throw badRequest(`resourceVersionMatch: Unsupported value: ${JSON.stringify(match)}`);
  }
  if (wanted !== undefined && wanted > newest) throw revisionTooLarge(wanted, newest);
  if (match === 'Exact' && wanted === 0) {
    throw badRequest('resourceVersionMatch "Exact" is forbidden for resourceVersion "0"');
  }
  return match === 'Exact' ? wanted! : newest;
}

function encodeToken({ revision, namespace, name }: Token): string {
  return Buffer.from(JSON.stringify([revision, namespace, name])).toString('base64url');
}

function decodeToken(text: string): Token | undefined {
  if (text === '') return undefined;
  try {
    const [revision, namespace, name] = JSON.parse(Buffer.from(text, 'base64url').toString()) as unknown[];
    if (Number.isSafeInteger(revision) && typeof namespace === 'string' && typeof name === 'string') {
      return { revision: revision as number, namespace, name };
    }
  } catch {
    // Refused below, as any other token that this server did not make.
  }
  throw badRequest('continue key is not valid');
}

function isAfter(version: Version, token: Token): boolean {
  if (version.namespace !== token.namespace) return version.namespace > token.namespace;
  return version.name > token.name;
}
