/** From a request to its handler: objects, subresources, discovery, health. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { authenticate, isOpenPath } from './authentication.ts';
import type { Context, User } from './context.ts';
import { serveDocument } from './documents.ts';
import { internalError, methodNotAllowed, pathNotFound, StatusError } from './errors.ts';
import { parseResourcePath, type ResourcePath } from './request.ts';
import { serveCollection, serveObject } from './resources.ts';
import { send, sendStatus } from './response.ts';
import { answerReview, isReview } from './reviews.ts';
import { serveSubresource } from './subresources.ts';
import type { ServedKind } from './types.ts';

/** One request on its way. */
export type Exchange = {
  readonly context: Context;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly url: URL;
  readonly user: User;
  readonly warnings: Set<string>;
  /** Aborted when the client goes or the server closes. */
  readonly closed: AbortSignal;
};

/** A request for a served kind. */
export type ResourceExchange = Exchange & {
  readonly kind: ServedKind;
  readonly path: ResourcePath;
};

/**
 * Answers one request; every refusal becomes a metav1.Status. Never rejects. While it lasts it stands in `open`, so that the
 * server can end it.
 */
export async function serve(
  context: Context,
  request: IncomingMessage,
  response: ServerResponse,
  open: Set<AbortController>,
): Promise<void> {
  const warnings = new Set<string>();
  const gone = new AbortController();
  open.add(gone);
  response.on('close', () => {
    open.delete(gone);
    gone.abort();
  });
  try {
    const url = new URL(request.url ?? '/', 'https://server');
    const user = isOpenPath(url.pathname)
      ? { name: 'system:anonymous', groups: [] }
      : authenticate(context, request);
    await route({ context, request, response, url, user, warnings, closed: gone.signal });
  } catch (error) {
    await refuse(request, response, error, warnings);
  }
}

async function refuse(
  request: IncomingMessage,
  response: ServerResponse,
  error: unknown,
  warnings: Iterable<string>,
): Promise<void> {
  // A stream that breaks has no status to send any more: cutting it tells the client.
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  const known = error instanceof StatusError;
  if (!known) console.error(`${request.method} ${request.url}:`, error);
  const { status } = known ? error : internalError((error as Error).message);
  if (status.code === 413) response.setHeader('connection', 'close');
  await sendStatus(request, response, status, warnings);
}

async function route(exchange: Exchange): Promise<void> {
  const { context, request, url } = exchange;
  const path = parseResourcePath(url.pathname);
  if (path === undefined) {
    const answer = serveDocument(context, request, url);
    if (answer === undefined) throw pathNotFound();
    await send(request, exchange.response, answer);
    return;
  }
  if (isReview(path)) {
    await answerReview(exchange, path);
    return;
  }
  const kind = context.kinds.byPlural(path.group, path.version, path.plural);
  if (kind === undefined) throw pathNotFound();
  const resource: ResourceExchange = { ...exchange, kind, path };
  if (path.subresource !== undefined) await serveSubresource(resource);
  else if (path.name !== undefined) await serveObject(resource);
  else await serveCollection(resource);
}

/** 405 in the words of a real server. */
export function refuseMethod(): StatusError {
  return methodNotAllowed('the server does not allow this method on the requested resource');
}
