/** The echo server's HTTP answer. */
import type { IncomingMessage, ServerResponse } from 'node:http';

/** A port of the environment or a flag; throws when it is none. */
export function portOf(text: string | undefined, usual: number): number {
  if (text === undefined || text === '') return usual;
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65535) throw new Error(`${JSON.stringify(text)} is no port`);
  return port;
}

const maxBodyBytes = 1024 * 1024;

/**
 * JSON of method, path, headers, body, remote address and pod. The query shapes the answer: `status=503`, `delay=250` (milliseconds),
 * `bytes=1000000` (that many bytes instead of the JSON).
 */
export async function answerHttp(
  pod: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  request.on('error', () => response.destroy());
  const url = new URL(request.url ?? '/', 'http://echo');
  const wish = (key: string, most: number): number | undefined => {
    const text = url.searchParams.get(key);
    return text !== null && /^\d+$/.test(text) ? Math.min(Number(text), most) : undefined;
  };
  const body = await bodyOf(request);
  const delay = wish('delay', 60_000);
  if (delay !== undefined) await new Promise((resolve) => setTimeout(resolve, delay));
  const status = wish('status', 599) ?? 200;
  const bytes = wish('bytes', 100 * 1024 * 1024);
  response.statusCode = Math.max(status, 200);
  response.setHeader('x-pod', pod);
  if (bytes !== undefined) {
    response.setHeader('content-type', 'application/octet-stream');
    response.end(Buffer.alloc(bytes));
    return;
  }
  const answer = {
    pod,
    method: request.method,
    path: request.url,
    httpVersion: request.httpVersion,
    headers: request.headers,
    body,
    remote: { address: plainAddress(request.socket.remoteAddress), port: request.socket.remotePort },
    local: { address: plainAddress(request.socket.localAddress), port: request.socket.localPort },
  };
  response.setHeader('content-type', 'application/json');
  response.end(`${JSON.stringify(answer, undefined, 2)}\n`);
}

/** The first mebibyte of it; the rest is read and dropped. */
async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      if (size < maxBodyBytes) chunks.push(chunk.subarray(0, maxBodyBytes - size));
      size += chunk.length;
    }
  } catch {
    // The client went away: there is nobody to answer.
  }
  return Buffer.concat(chunks).toString();
}

/** A dual-stack socket shows IPv4 addresses in their IPv6 form. */
export function plainAddress(address = ''): string {
  return address.startsWith('::ffff:') ? address.slice('::ffff:'.length) : address;
}
