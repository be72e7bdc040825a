/** Subresources: status, scale, token, binding, eviction, log; and clear words for what isn't served. */
import { badRequest, notFound, pathNotFound } from './errors.ts';
import { get } from './read.ts';
import { patch, readObject, sendVersion, writeOptions } from './resources.ts';
import { type ResourceExchange, refuseMethod } from './routes.ts';
import { update } from './write.ts';

export async function serveSubresource(exchange: ResourceExchange): Promise<void> {
  const { kind, path } = exchange;
  if (kind.namespaced !== (path.namespace !== '')) throw notFound(kind, path.name!);
  if (path.subresource === 'status' && kind.hasStatus) return serveStatus(exchange);
  throw pathNotFound();
}

async function serveStatus(exchange: ResourceExchange): Promise<void> {
  const { context, request, kind, path } = exchange;
  const name = path.name!;
  if (request.method === 'GET') return sendVersion(exchange, get(context, kind, path.namespace, name), 200);
  if (request.method === 'PATCH') return patch(exchange, 'status');
  if (request.method !== 'PUT') throw refuseMethod();
  const options = writeOptions(exchange);
  const value = await readObject(exchange);
  const change = { change: () => value, subresource: 'status' as const };
  return sendVersion(exchange, update(context, kind, path.namespace, name, change, options), 200);
}
void badRequest;
