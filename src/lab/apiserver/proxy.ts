/** Logs, exec and connections to pods: passed on to the kubelet's unix socket (kubelet-contract.md). */
import { request as connect, type IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { KubeObject } from '#api/object.ts';
import type { Context } from './context.ts';
import { badRequest, notFound, StatusError } from './errors.ts';
import { type ContainerAddress, execProtocols, kubeletPath, logOptions } from './kubelet.ts';
import type { ResourceExchange } from './routes.ts';

type Container = { readonly name: string };
type PodSpec = {
  readonly nodeName?: string;
  readonly containers: readonly Container[];
  readonly initContainers?: readonly Container[];
};

/** `GET pods/NAME/log`: streams until the log ends or the client goes. */
export async function proxyLog(exchange: ResourceExchange): Promise<void> {
  const { context, response, url, path, closed } = exchange;
  const container = locate(context, path.namespace, path.name!, url.searchParams);
  const options = logOptions(url.searchParams);
  const upstream = await ask(context, kubeletPath({ verb: 'logs', container, options }), {}, closed);
  if ('socket' in upstream) throw badRequest('the kubelet answered a log request with an upgrade');
  if (upstream.answer.statusCode !== 200) throw await refusal(upstream.answer);
  response.writeHead(200, { 'content-type': 'text/plain', 'cache-control': 'no-cache, private' });
  response.flushHeaders();
  // A client that stops following is no error; the kubelet sees its connection close.
  await pipeline(upstream.answer, response, { signal: closed }).catch(() => upstream.answer.destroy());
}

/**
 * A WebSocket handshake for `pods/NAME/exec`, passed on to the kubelet; after its 101 the two connections are one.
 * Throws StatusError before anything was written.
 */
export async function proxyExec(
  context: Context,
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  place: { readonly namespace: string; readonly pod: string; readonly query: URLSearchParams },
): Promise<void> {
  const { query } = place;
  const container = locate(context, place.namespace, place.pod, query);
  const command = query.getAll('command');
  if (command.length === 0) throw badRequest('you must specify at least 1 command for the container');
  const offered = String(request.headers['sec-websocket-protocol'] ?? '').split(/\s*,\s*/);
  if (!execProtocols.some((protocol) => offered.includes(protocol))) {
    throw badRequest(
      `exec needs one of the WebSocket sub-protocols ${execProtocols.join(', ')}; offered: ${offered.join(', ')}`,
    );
  }
  const flag = (name: string): boolean => ['true', '1'].includes(query.get(name) ?? '');
  const options = {
    command,
    stdin: flag('stdin'),
    stdout: flag('stdout'),
    stderr: flag('stderr'),
    tty: flag('tty'),
  };
  const headers = Object.fromEntries(
    Object.entries(request.headers).filter(
      ([name]) => name.startsWith('sec-websocket-') || name === 'upgrade',
    ),
  );
  const path = kubeletPath({ verb: 'exec', container, options });
  const upstream = await ask(context, path, { ...headers, connection: 'Upgrade' }, undefined);
  if (!('socket' in upstream)) throw await refusal(upstream.answer);
  socket.write(handshake(upstream.answer));
  socket.write(upstream.head);
  upstream.socket.write(head);
  // Either side's end is the other's: a process without its user is killed, a user without a process is told.
  upstream.socket.pipe(socket);
  socket.pipe(upstream.socket);
  const end = (): void => {
    upstream.socket.destroy();
    socket.destroy();
  };
  for (const side of [socket, upstream.socket]) side.on('error', end).on('close', end);
}

function handshake(answer: IncomingMessage): string {
  const lines = [];
  for (let index = 0; index < answer.rawHeaders.length; index += 2) {
    lines.push(`${answer.rawHeaders[index]}: ${answer.rawHeaders[index + 1]}`);
  }
  return `HTTP/1.1 101 Switching Protocols\r\n${lines.join('\r\n')}\r\n\r\n`;
}

/** Where the container runs that the query names, or the pod's only or default one. */
function locate(context: Context, namespace: string, name: string, query: URLSearchParams): ContainerAddress {
  const pod = context.store.table('/pods').get(namespace, name)?.object;
  if (pod === undefined) throw notFound({ group: '', plural: 'pods' }, name);
  const spec = pod['spec'] as PodSpec;
  const container = chooseContainer(pod, spec, query.get('container') ?? '');
  if (!spec.nodeName) throw badRequest(`pod ${name} does not have a host assigned`);
  return { node: spec.nodeName, namespace, pod: name, container };
}

function chooseContainer(pod: KubeObject, spec: PodSpec, wanted: string): string {
  const { name, annotations = {} } = pod.metadata;
  const all = [...spec.containers, ...(spec.initContainers ?? [])];
  const chosen = wanted || annotations['kubectl.kubernetes.io/default-container'] || '';
  if (chosen === '' && spec.containers.length === 1) return spec.containers[0]!.name;
  const names = `[${spec.containers.map((each) => each.name).join(' ')}]`;
  if (chosen === '')
    throw badRequest(`a container name must be specified for pod ${name}, choose one of: ${names}`);
  if (!all.some((each) => each.name === chosen))
    throw badRequest(`container ${chosen} is not valid for pod ${name}`);
  return chosen;
}

type Upstream =
  | { readonly answer: IncomingMessage }
  | { readonly answer: IncomingMessage; readonly socket: Duplex; readonly head: Buffer };

/** Asks the kubelet; rejects when there is none. */
export function ask(
  context: Context,
  path: string,
  headers: Record<string, string | string[] | undefined>,
  signal: AbortSignal | undefined,
): Promise<Upstream> {
  const socketPath = context.config.kubeletSocket;
  if (socketPath === undefined) {
    throw new StatusError(
      503,
      'ServiceUnavailable',
      'this server has no kubelet: logs, exec and proxying are not available',
    );
  }
  return new Promise((resolve, reject) => {
    const upstream = connect({ socketPath, path, headers, ...(signal === undefined ? {} : { signal }) });
    upstream.on('response', (answer) => resolve({ answer }));
    upstream.on('upgrade', (answer, socket, head) => resolve({ answer, socket, head }));
    upstream.on('error', (error) =>
      reject(new StatusError(503, 'ServiceUnavailable', `the kubelet does not answer: ${error.message}`)),
    );
    upstream.end();
  });
}

const maxRefusal = 4096;

/** The kubelet's own words with its code. */
export async function refusal(answer: IncomingMessage): Promise<StatusError> {
  let text = '';
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    text += chunk.toString();
    if (text.length > maxRefusal) break;
  }
  const message = text.trim() || `the kubelet answered ${answer.statusCode}`;
  if (answer.statusCode === 400) return badRequest(message);
  if (answer.statusCode === 404) return new StatusError(404, 'NotFound', message);
  return new StatusError(500, 'InternalError', message);
}
