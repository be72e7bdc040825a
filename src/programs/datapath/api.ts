/** The datapath's HTTP interface for the agent (src/intent/handover.ts), on a unix socket. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type {
  DatapathStatus,
  EndpointStatus,
  EngineProblem,
  IntentAnswer,
  NamesAnswer,
  PolicyCount,
  Refusal,
  WireReport,
  WouldDrop,
} from '#intent/handover.ts';
import type { IntentChange } from '#intent/node.ts';
import type { Log } from '#telemetry/log.ts';
import { readChange } from './intent.ts';
import type { Signal } from './signal.ts';

export type Api = {
  accept(change: IntentChange): Promise<IntentAnswer | { readonly refused: string }>;
  generation(): number;
  /** Somebody waits for news of the status, as an agent does all its life, and may have told an intent; the result is called when it ends. */
  onWaiting(hasTold: boolean): () => void;
  status(): DatapathStatus;
  endpoints(): readonly EndpointStatus[];
  problems(): readonly EngineProblem[];
  /** What policies in audit mode would have dropped lately. */
  audited(): readonly WouldDrop[];
  /** What pods were told of names; waits as `PolicyNames.answer`. */
  names(instance: string | null, after: number, milliseconds: number): Promise<NamesAnswer>;
  /** What rules of policies decided. */
  policyCounts(): Promise<readonly PolicyCount[]>;
  probeWire(): Promise<readonly WireReport[]>;
};

/** Bytes: a whole intent at 10,000 services is some 5 MB. */
const bodyLimit = 256 * 1024 * 1024;
const longestWait = 60;
/** Milliseconds in which changes gather before a waiting agent is told: a burst of ADDs is one answer. */
const gather = 50;

export function createApiServer(api: Api, signal: Signal, log: Log): Server {
  const server = createServer((request, response) => {
    route(request, response, api, signal).catch((error: unknown) => {
      log.error('request failed', { path: request.url, error });
      refuse(response, 500, String(error), api);
    });
  });
  server.requestTimeout = 0;
  // An agent that compiles for long comes back on the same connection.
  server.keepAliveTimeout = 600_000;
  return server;
}

async function route(
  request: IncomingMessage,
  response: ServerResponse,
  api: Api,
  signal: Signal,
): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://datapath');
  switch (`${request.method} ${url.pathname}`) {
    case 'POST /v1/intent': {
      const change = await readBody(request);
      if ('wrong' in change) return refuse(response, 400, change.wrong, api);
      const answer = await api.accept(change);
      if ('refused' in answer) return refuse(response, 409, answer.refused, api);
      return send(response, 200, answer);
    }
    case 'GET /v1/status': {
      const after = url.searchParams.get('after');
      if (after !== null) {
        const told = url.searchParams.get('told');
        response.once('close', api.onWaiting(told === null || Number(told) > 0));
        await signal.wait(Number(after), waitOf(url));
        await new Promise((resolve) => setTimeout(resolve, gather));
      }
      return send(response, 200, api.status());
    }
    case 'GET /v1/endpoints':
      return send(response, 200, api.endpoints());
    case 'GET /v1/problems':
      return send(response, 200, api.problems());
    case 'GET /v1/audit':
      return send(response, 200, api.audited());
    case 'GET /v1/policy-counters':
      return send(response, 200, await api.policyCounts());
    // What is learnt is handed over at once: an answer waits for it.
    case 'GET /v1/names': {
      const { searchParams } = url;
      const after = Number(searchParams.get('after') ?? 0);
      return send(response, 200, await api.names(searchParams.get('instance'), after, waitOf(url)));
    }
    case 'POST /v1/wire':
      return send(response, 200, await api.probeWire());
    default:
      return refuse(
        response,
        404,
        'try POST /v1/intent or /v1/wire, GET /v1/status, /v1/endpoints, /v1/problems, /v1/audit, /v1/names or /v1/policy-counters',
        api,
      );
  }
}

/** Milliseconds. */
function waitOf({ searchParams }: URL): number {
  const seconds = Number(searchParams.get('wait') ?? 20) || 0;
  return 1000 * Math.min(Math.max(seconds, 0), longestWait);
}

async function readBody(request: IncomingMessage): Promise<IntentChange | { readonly wrong: string }> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > bodyLimit) return { wrong: `more than ${bodyLimit} bytes` };
    parts.push(part);
  }
  try {
    return readChange(JSON.parse(Buffer.concat(parts).toString('utf8')));
  } catch (error) {
    return { wrong: `not JSON: ${(error as Error).message}` };
  }
}

function refuse(response: ServerResponse, code: number, error: string, api: Api): void {
  const refusal: Refusal = { error, generation: api.generation() };
  send(response, code, refusal);
}

function send(response: ServerResponse, code: number, body: unknown): void {
  if (response.headersSent) return;
  response.writeHead(code, { 'content-type': 'application/json' }).end(`${JSON.stringify(body)}\n`);
}
