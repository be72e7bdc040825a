/** The verbs on collections and objects: list, watch, create, get, update, patch, delete. */
import type { KubeObject } from '#api/object.ts';
import { representation } from './accept.ts';
import { apply } from './apply.ts';
import type { WriteOptions } from './context.ts';
import { type Deleted, type DeleteOptions, deletedStatus, type Propagation, remove } from './delete.ts';
import { badRequest, invalid, methodNotAllowed, notFound, StatusError } from './errors.ts';
import { toVersion } from './kinds.ts';
import { applyMediaType, patcher } from './patch.ts';
import { encode, encodeList, get, list, listMetadata, selection } from './read.ts';
import { asFields, booleanParameter, decodeBody, integerParameter, mediaType, readBody } from './request.ts';
import { send } from './response.ts';
import { type ResourceExchange, refuseMethod } from './routes.ts';
import type { Version } from './storage/table.ts';
import { metadataOnly, tableOfObjects } from './table.ts';
import { watch } from './watch.ts';
import { create, update } from './write.ts';

/** `/…/PLURAL`. */
export async function serveCollection(exchange: ResourceExchange): Promise<void> {
  const { context, request, url, kind, path } = exchange;
  const query = url.searchParams;
  if (kind.namespaced === false && path.namespace !== '') throw notFound(kind, path.namespace);
  switch (request.method) {
    case 'GET':
    case 'HEAD': {
      const select = selection(kind, path.namespace, undefined, query);
      if (booleanParameter(query, 'watch')) {
        const shape = representation(request).as;
        await watch(context, { kind, select, query, shape }, exchange.response, exchange.closed);
        return;
      }
      await sendList(exchange, list(context, kind, select, query));
      return;
    }
    case 'POST': {
      if (kind.namespaced && path.namespace === '') {
        throw methodNotAllowed(
          `${kind.kind} is namespaced: create it under /namespaces/NAMESPACE/${kind.plural}`,
        );
      }
      const options = writeOptions(exchange);
      const value = await readObject(exchange);
      await sendVersion(exchange, create(context, kind, path.namespace, value, options), 201);
      return;
    }
    case 'DELETE': {
      const options = await deleteOptions(exchange);
      const found = list(context, kind, selection(kind, path.namespace, undefined, query), query);
      for (const version of found.versions) removeIfThere(exchange, version, options);
      await sendList(exchange, found);
      return;
    }
    default:
      throw refuseMethod();
  }
}

/** Somebody else may have deleted it since it was listed: that is what was wanted. */
function removeIfThere({ context, kind }: ResourceExchange, version: Version, options: DeleteOptions): void {
  try {
    remove(context, kind, version.namespace, version.name, options);
  } catch (error) {
    if (!(error instanceof StatusError) || error.status.code !== 404) throw error;
  }
}

/** `/…/PLURAL/NAME`. */
export async function serveObject(exchange: ResourceExchange): Promise<void> {
  const { context, request, url, kind, path } = exchange;
  const name = path.name!;
  if (kind.namespaced !== (path.namespace !== '')) throw notFound(kind, name);
  switch (request.method) {
    case 'GET':
    case 'HEAD': {
      const query = url.searchParams;
      if (booleanParameter(query, 'watch')) {
        const select = selection(kind, path.namespace, name, query);
        const shape = representation(request).as;
        await watch(context, { kind, select, query, shape }, exchange.response, exchange.closed);
        return;
      }
      await sendVersion(exchange, get(context, kind, path.namespace, name), 200);
      return;
    }
    case 'PUT': {
      const options = writeOptions(exchange);
      const value = await readObject(exchange);
      await sendVersion(
        exchange,
        update(context, kind, path.namespace, name, { change: () => value }, options),
        200,
      );
      return;
    }
    case 'PATCH':
      await patch(exchange, undefined);
      return;
    case 'DELETE':
      await sendDeleted(exchange, remove(context, kind, path.namespace, name, await deleteOptions(exchange)));
      return;
    default:
      throw refuseMethod();
  }
}

/** PATCH of an object or of its status. */
export async function patch(exchange: ResourceExchange, subresource: 'status' | undefined): Promise<void> {
  const { context, request, kind, path } = exchange;
  const options = writeOptions(exchange);
  const type = mediaType(request);
  const body = decodeBody(await readBody(request), type);
  const scope = subresource === undefined ? {} : { subresource };
  if (type === applyMediaType) {
    const force = booleanParameter(exchange.url.searchParams, 'force');
    const { version, created } = apply(context, kind, path, asFields(body), { ...options, force, ...scope });
    await sendVersion(exchange, version, created ? 201 : 200);
    return;
  }
  const change = patcher(kind, type, body);
  await sendVersion(
    exchange,
    update(context, kind, path.namespace, path.name!, { change, ...scope }, options),
    200,
  );
}

/** Field manager, dry run and field validation of a write. Throws 400. */
export function writeOptions(exchange: ResourceExchange): WriteOptions & { readonly managerGiven: boolean } {
  const { request, url, warnings } = exchange;
  const query = url.searchParams;
  const given = query.get('fieldManager') ?? '';
  if (given.length > 128) throw badRequest('fieldManager: Too long: may not be more than 128 bytes');
  const agent = (request.headers['user-agent'] ?? '').split('/')[0]!.trim();
  const fieldValidation = query.get('fieldValidation') || 'Warn';
  if (fieldValidation !== 'Strict' && fieldValidation !== 'Warn' && fieldValidation !== 'Ignore') {
    throw badRequest(
      `fieldValidation: Unsupported value: ${JSON.stringify(fieldValidation)}: supported values: "Ignore", "Warn", "Strict"`,
    );
  }
  return {
    manager: given || agent || 'unknown',
    managerGiven: given !== '',
    dryRun: isDryRun(query.getAll('dryRun')),
    fieldValidation,
    warnings,
  };
}

function isDryRun(values: readonly string[]): boolean {
  for (const value of values) {
    if (value !== 'All')
      throw badRequest(`dryRun: Unsupported value: ${JSON.stringify(value)}: supported values: "All"`);
  }
  return values.length > 0;
}

/** The body as an object. Throws 400, 413, 415. */
export async function readObject({ request }: ResourceExchange): Promise<Record<string, unknown>> {
  return asFields(decodeBody(await readBody(request), mediaType(request)));
}

const policies = ['Foreground', 'Background', 'Orphan'];

async function deleteOptions(exchange: ResourceExchange): Promise<DeleteOptions> {
  const { request, url } = exchange;
  const body = await readBody(request);
  return parseDeleteOptions(
    body.length === 0 ? {} : asFields(decodeBody(body, mediaType(request))),
    url.searchParams,
  );
}

/** metav1.DeleteOptions from a body, with the query's parameters where the body has none. Throws 400 or 422. */
export function parseDeleteOptions(fields: Record<string, unknown>, query: URLSearchParams): DeleteOptions {
  const grace = fields['gracePeriodSeconds'] ?? integerParameter(query, 'gracePeriodSeconds');
  if (grace !== undefined && (typeof grace !== 'number' || !Number.isInteger(grace) || grace < 0)) {
    throw badRequest('gracePeriodSeconds must be a non-negative integer');
  }
  const orphans = fields['orphanDependents'];
  const fallback = orphans === true ? 'Orphan' : orphans === false ? 'Background' : undefined;
  const policy = fields['propagationPolicy'] ?? query.get('propagationPolicy') ?? fallback;
  if (policy !== undefined && !policies.includes(policy as string)) {
    throw invalid({ group: '', plural: 'deleteoptions', kind: 'DeleteOptions' }, '', [
      {
        reason: 'FieldValueNotSupported',
        field: 'propagationPolicy',
        message: `Unsupported value: ${JSON.stringify(policy)}: supported values: "Foreground", "Background", "Orphan"`,
      },
    ]);
  }
  const preconditions = fields['preconditions'] as DeleteOptions['preconditions'] | undefined;
  const dryRuns = [...query.getAll('dryRun'), ...((fields['dryRun'] ?? []) as string[])];
  return {
    ...(grace === undefined ? {} : { gracePeriodSeconds: grace }),
    ...(policy === undefined ? {} : { propagationPolicy: policy as Propagation }),
    ...(preconditions === undefined || preconditions === null ? {} : { preconditions }),
    dryRun: isDryRun(dryRuns),
  };
}

async function sendDeleted(exchange: ResourceExchange, { gone, version }: Deleted): Promise<void> {
  if (!gone) {
    await sendVersion(exchange, version, 200);
    return;
  }
  await exchange.context.store.settled();
  const { request, response, warnings } = exchange;
  await send(request, response, { code: 200, body: deletedStatus(exchange.kind, version), warnings });
}

/** Sends an object in the shape that the client asked for, once it is on the disk. */
export async function sendVersion(exchange: ResourceExchange, version: Version, code: number): Promise<void> {
  const { context, request, response, kind, url, warnings } = exchange;
  const { as, yaml } = representation(request);
  const object = (): KubeObject => toVersion(kind, version.object);
  const metadata = { resourceVersion: version.object.metadata.resourceVersion ?? '' };
  const body =
    as === 'object'
      ? encode(kind, version)
      : as === 'Table'
        ? tableOfObjects(kind, [object()], metadata, url.searchParams)
        : metadataOnly(object());
  // A write may have made more revisions than the object's own, such as its removal after the last finalizer.
  await context.store.settled(request.method === 'GET' ? version.revision : context.store.revision);
  await send(request, response, { code, body, yaml, warnings });
}

async function sendList(exchange: ResourceExchange, listing: ReturnType<typeof list>): Promise<void> {
  const { context, request, response, kind, url } = exchange;
  const { as, yaml } = representation(request);
  const objects = (): KubeObject[] => listing.versions.map((version) => toVersion(kind, version.object));
  const metadata = listMetadata(listing);
  const body =
    as === 'object'
      ? encodeList(kind, listing)
      : as === 'Table'
        ? tableOfObjects(kind, objects(), metadata, url.searchParams)
        : {
            kind: 'PartialObjectMetadataList',
            apiVersion: 'meta.k8s.io/v1',
            metadata,
            items: objects().map(metadataOnly),
          };
  await context.store.settled();
  await send(request, response, { code: 200, body, yaml });
}
