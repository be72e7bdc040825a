/** Connections that ask to become something else: exec over WebSocket; everything else is refused in words. */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { authenticate } from './authentication.ts';
import type { Context } from './context.ts';
import { internalError, pathNotFound, StatusError } from './errors.ts';
import { proxyExec } from './proxy.ts';
import { parseResourcePath } from './request.ts';
import { refusedSubresource, upgradeRequired } from './subresources.ts';

/**
 * kubectl tries SPDY after a refused WebSocket and shows only the second refusal: so that gets the first one's reason.
 * By path and query; the newest few.
 */
const refusals = new Map<string, StatusError>();
const remembered = 64;

function remember(url: string, error: StatusError): StatusError {
  refusals.delete(url);
  refusals.set(url, error);
  if (refusals.size > remembered) refusals.delete(refusals.keys().next().value!);
  return error;
}

function recall(url: string): StatusError | undefined {
  const error = refusals.get(url);
  refusals.delete(url);
  return error;
}

/** Answers one request with an Upgrade header. Never rejects. */
export async function serveUpgrade(
  context: Context,
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): Promise<void> {
  socket.on('error', () => socket.destroy());
  try {
    authenticate(context, request);
    const url = new URL(request.url ?? '/', 'https://server');
    const path = parseResourcePath(url.pathname);
    const core =
      path?.group === '' && path.version === 'v1' && path.plural === 'pods' && path.namespace !== '';
    if (!core || path.name === undefined || path.subresource === undefined) throw pathNotFound();
    if (path.subresource !== 'exec') throw refusedSubresource(path.subresource) ?? pathNotFound();
    if (request.headers.upgrade?.toLowerCase() !== 'websocket' || request.method !== 'GET')
      throw recall(request.url!) ?? upgradeRequired();
    const place = { namespace: path.namespace, pod: path.name, query: url.searchParams };
    await proxyExec(context, request, socket, head, place).catch((error: unknown) => {
      throw error instanceof StatusError ? remember(request.url!, error) : error;
    });
  } catch (error) {
    refuse(socket, error instanceof StatusError ? error : internalError((error as Error).message));
  }
}

function refuse(socket: Duplex, { status }: StatusError): void {
  if (socket.destroyed) return;
  const body = JSON.stringify(status);
  socket.end(
    `HTTP/1.1 ${status.code} ${status.reason}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}
