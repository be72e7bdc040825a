/** Subresources: status, scale, token, binding, eviction, finalize, log, exec, proxy; and clear words for what isn't served. */
import type { KubeObject } from '#api/object.ts';
import { badRequest, methodNotAllowed, notFound, pathNotFound, type StatusError } from './errors.ts';
import { toVersion } from './kinds.ts';
import { patcher } from './patch.ts';
import { proxyPod } from './podproxy.ts';
import { bindPod, evictPod } from './pods.ts';
import { proxyLog } from './proxy.ts';
import { get } from './read.ts';
import { asFields, decodeBody, mediaType, readBody } from './request.ts';
import { parseDeleteOptions, patch, readObject, sendVersion, writeOptions } from './resources.ts';
import { send } from './response.ts';
import { type ResourceExchange, refuseMethod } from './routes.ts';
import { scaleKind, scaleOf, withScale } from './scale.ts';
import { finalizeNamespace } from './strategies/namespace.ts';
import { requestToken } from './token-request.ts';
import { update } from './write.ts';

const refused: Readonly<Record<string, string>> = {
  attach: 'attach is not supported by this server: use kubectl exec or kubectl logs',
  portforward:
    'port-forward is not supported by this server: reach the pod from a node (netloom lab exec node1 curl http://POD-IP:PORT) or through this server (kubectl get --raw /api/v1/namespaces/NAMESPACE/pods/POD:PORT/proxy/)',
  proxy:
    'proxying to services and nodes, and of upgraded connections to pods, is not supported by this server',
  ephemeralcontainers: 'ephemeral containers are not supported by this server',
  resize: 'resizing pods in place is not supported by this server',
};

/** `/…/PLURAL/NAME/SUBRESOURCE`. */
export async function serveSubresource(exchange: ResourceExchange): Promise<void> {
  const { kind, path } = exchange;
  if (kind.namespaced !== (path.namespace !== '')) throw notFound(kind, path.name!);
  const core = kind.group === '' ? `${kind.plural}/${path.subresource}` : '';
  if (path.subresource === 'status' && kind.hasStatus) return serveStatus(exchange);
  if (path.subresource === 'scale' && kind.scale !== undefined) return serveScale(exchange);
  switch (core) {
    case 'pods/log':
      return proxyLog(exchange);
    case 'pods/proxy':
      return proxyPod(exchange);
    case 'pods/exec':
      throw upgradeRequired();
    case 'pods/binding':
      return serveBinding(exchange);
    case 'pods/eviction':
      return serveEviction(exchange);
    case 'serviceaccounts/token':
      return serveToken(exchange);
    case 'namespaces/finalize':
      return serveFinalize(exchange);
  }
  const proxied = kind.group === '' && ['pods', 'services', 'nodes'].includes(kind.plural);
  throw (proxied ? refusedSubresource(path.subresource!) : undefined) ?? pathNotFound();
}

/** The refusal of a subresource that a real server has and this one does not. */
export function refusedSubresource(name: string): StatusError | undefined {
  const reason = Object.hasOwn(refused, name) ? refused[name] : undefined;
  return reason === undefined ? undefined : methodNotAllowed(reason);
}

/** Exec comes as a WebSocket (exec.ts); a plain request can't carry it. */
export function upgradeRequired(): StatusError {
  return badRequest(
    'exec needs a WebSocket (sub-protocol v5.channel.k8s.io or v4.channel.k8s.io); SPDY is not supported by this server: use kubectl 1.29 or later',
  );
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

async function serveScale(exchange: ResourceExchange): Promise<void> {
  const { context, request, response, kind, path, warnings } = exchange;
  const paths = kind.scale!;
  const answer = async (object: KubeObject): Promise<void> => {
    await context.store.settled();
    await send(request, response, { code: 200, body: scaleOf(object, paths), warnings });
  };
  const live = get(context, kind, path.namespace, path.name!);
  if (request.method === 'GET') return answer(toVersion(kind, live.object));
  const options = writeOptions(exchange);
  const type = mediaType(request);
  let scaled: (object: KubeObject) => Record<string, unknown>;
  if (request.method === 'PUT') {
    const scale = asFields(decodeBody(await readBody(request), type));
    scaled = (object) => withScale(object, scale, paths);
  } else if (request.method === 'PATCH') {
    const change = patcher(scaleKind, type, decodeBody(await readBody(request), type));
    scaled = (object) => withScale(object, change(scaleOf(object, paths)), paths);
  } else throw refuseMethod();
  const version = update(
    context,
    kind,
    path.namespace,
    path.name!,
    { change: scaled, managerScope: 'scale' },
    options,
  );
  return answer(toVersion(kind, version.object));
}

async function serveBinding(exchange: ResourceExchange): Promise<void> {
  const { context, request, response, path } = exchange;
  if (request.method !== 'POST') throw refuseMethod();
  const options = writeOptions(exchange);
  bindPod(context, path.namespace, path.name!, await readObject(exchange), options);
  await context.store.settled();
  await send(request, response, { code: 201, body: done });
}

const done = { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 };

async function serveEviction(exchange: ResourceExchange): Promise<void> {
  const { context, request, response, url, path } = exchange;
  if (request.method !== 'POST') throw refuseMethod();
  const eviction = await readObject(exchange);
  const given = asFields(eviction['deleteOptions'] ?? {});
  evictPod(context, path.namespace, path.name!, parseDeleteOptions(given, url.searchParams));
  await context.store.settled();
  await send(request, response, { code: 201, body: done });
}

async function serveToken(exchange: ResourceExchange): Promise<void> {
  const { context, request, response, kind, path } = exchange;
  if (request.method !== 'POST') throw refuseMethod();
  const account = get(context, kind, path.namespace, path.name!);
  const body = requestToken(context, account.object, await readObject(exchange));
  await context.store.settled(account.revision);
  await send(request, response, { code: 201, body });
}

async function serveFinalize(exchange: ResourceExchange): Promise<void> {
  const { context, request, path } = exchange;
  if (request.method !== 'PUT') throw refuseMethod();
  const value = await readObject(exchange);
  await sendVersion(exchange, finalizeNamespace(context, path.name!, value), 200);
}
