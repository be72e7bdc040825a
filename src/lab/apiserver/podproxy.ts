/** `pods/[SCHEME:]NAME[:PORT]/proxy/PATH`: a request goes on to the pod by a connection that the kubelet makes from the pod's node. */
import { type IncomingHttpHeaders, type IncomingMessage, request as send } from 'node:http';
import type { Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { connect as connectTls } from 'node:tls';
import type { Context } from './context.ts';
import { badRequest, notFound, StatusError } from './errors.ts';
import { type DialTarget, dialPath } from './kubelet.ts';
import { ask, refusal } from './proxy.ts';
import type { ResourceExchange } from './routes.ts';

type Target = DialTarget & { readonly secure: boolean };

export async function proxyPod({ context, request, response, url, path, closed }: ResourceExchange) {
  const target = locate(context, path.namespace, path.name!);
  // As it was written: escapes in it are the pod's to read.
  const [before, rest] = cut(url.pathname);
  if (rest === '' && (request.method === 'GET' || request.method === 'HEAD')) {
    response.writeHead(301, { location: `${before}/${url.search}` }).end();
    return;
  }
  const connection = await dial(context, target);
  const end = () => connection.destroy();
  closed.addEventListener('abort', end, { once: true });
  try {
    const outgoing = send({
      // Who answers there is not asked for a certificate, as on a real server.
      createConnection: () =>
        target.secure ? connectTls({ socket: connection, rejectUnauthorized: false }) : connection,
      method: request.method,
      path: `${rest || '/'}${url.search}`,
      headers: {
        ...passed(request.headers),
        'x-forwarded-host': request.headers.host,
        'x-forwarded-proto': 'https',
        'x-forwarded-uri': url.pathname,
      },
    });
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    outgoing.on('response', resolve).on('error', reject);
    // Who answers before the end of the body has what it needs.
    pipeline(request, outgoing).catch(reject);
    const answer = await promise.catch((error: Error) => {
      throw unreachable(error.message);
    });
    const { location, ...headers } = passed(answer.headers);
    const moved = location?.startsWith('/') === true ? `${before}${location}` : location;
    response.writeHead(answer.statusCode!, { ...headers, ...(moved !== undefined && { location: moved }) });
    // One that breaks off is cut: it has no status any more.
    await pipeline(answer, response).catch(() => response.destroy());
  } finally {
    closed.removeEventListener('abort', end);
    connection.destroy();
  }
}

/** The path up to `proxy`, and what is the pod's of it. */
function cut(pathname: string): readonly [before: string, rest: string] {
  const parts = pathname.split('/');
  const end = parts.indexOf('proxy', '/api/v1/namespaces/NAMESPACE/pods/NAME'.split('/').length) + 1;
  const before = parts.slice(0, end).join('/');
  return [before, pathname.slice(before.length)];
}

function locate(context: Context, namespace: string, written: string): Target {
  const parts = written.split(':');
  const [scheme = '', name = '', port = ''] = parts.length === 3 ? parts : ['', ...parts];
  if (parts.length > 3 || name === '' || !['', 'http', 'https'].includes(scheme))
    throw badRequest(`invalid pod request ${JSON.stringify(written)}`);
  const pod = context.store.table('/pods').get(namespace, name)?.object;
  if (pod === undefined) throw notFound({ group: '', plural: 'pods' }, name);
  const { nodeName, containers } = pod['spec'] as {
    readonly nodeName?: string;
    readonly containers: readonly { readonly ports?: readonly { readonly containerPort: number }[] }[];
  };
  const { podIP } = (pod['status'] ?? {}) as { readonly podIP?: string };
  if (!nodeName) throw badRequest(`pod ${name} does not have a host assigned`);
  if (!podIP) throw badRequest(`pod ${name} does not have an address yet`);
  const secure = scheme === 'https';
  const first = containers.find(({ ports = [] }) => ports.length > 0)?.ports?.[0]?.containerPort;
  const number = port === '' ? (first ?? (secure ? 443 : 80)) : Number(port);
  if (!Number.isInteger(number) || number < 1 || number > 65_535)
    throw badRequest(`port ${JSON.stringify(port)} of pod ${name} is not a number from 1 to 65535`);
  return { node: nodeName, address: podIP, port: number, secure };
}

async function dial(context: Context, target: Target): Promise<Duplex> {
  const upstream = await ask(context, dialPath(target), { connection: 'Upgrade', upgrade: 'tcp' }, undefined);
  if (!('socket' in upstream)) throw unreachable((await refusal(upstream.answer)).message);
  upstream.socket.on('error', () => upstream.socket.destroy());
  return upstream.socket;
}

function unreachable(reason: string): StatusError {
  return new StatusError(503, 'ServiceUnavailable', `error trying to reach service: ${reason}`);
}

/** The caller's credentials and what is of one connection stay here. */
const kept = new Set([
  'authorization',
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

function passed(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !kept.has(name)));
}
