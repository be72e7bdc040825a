/** Writes answers: JSON or YAML, warnings, gzip for what is large. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { promisify } from 'node:util';
import { constants, gzip } from 'node:zlib';
import { stringify } from 'yaml';
import type { Status } from './errors.ts';

const compress = promisify(gzip);
const compressFrom = 128 * 1024;

export type Answer = {
  readonly code: number;
  /** A value, or JSON text that is ready to send. */
  readonly body: object | string;
  readonly yaml?: boolean;
  readonly warnings?: Iterable<string>;
  readonly headers?: Readonly<Record<string, string>>;
};

/** Sends the answer whole. A client that is gone is no error. */
export async function send(
  request: IncomingMessage,
  response: ServerResponse,
  answer: Answer,
): Promise<void> {
  const json = typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body);
  const text = answer.yaml === true ? stringify(JSON.parse(json)) : json;
  const headers: Record<string, string | string[]> = {
    'content-type': answer.yaml === true ? 'application/yaml' : 'application/json',
    'cache-control': 'no-cache, private',
    ...answer.headers,
  };
  const warnings = [...(answer.warnings ?? [])].map(warningHeader);
  if (warnings.length > 0) headers['warning'] = warnings;
  let bytes: Buffer = Buffer.from(text);
  const gzips = /\bgzip\b/.test(String(request.headers['accept-encoding'] ?? ''));
  if (gzips && bytes.length >= compressFrom) {
    bytes = await compress(bytes, { level: constants.Z_BEST_SPEED });
    headers['content-encoding'] = 'gzip';
    headers['vary'] = 'Accept-Encoding';
  }
  if (response.destroyed || response.headersSent) return;
  response.writeHead(answer.code, { ...headers, 'content-length': String(bytes.length) });
  response.end(request.method === 'HEAD' ? undefined : bytes);
}

export function sendStatus(
  request: IncomingMessage,
  response: ServerResponse,
  status: Status,
  warnings: Iterable<string> = [],
): Promise<void> {
  const seconds = status.details?.retryAfterSeconds;
  const headers = seconds === undefined ? {} : { 'retry-after': String(seconds) };
  return send(request, response, { code: status.code, body: status, warnings, headers });
}

/** RFC 7234 §5.5 with code 299: what kubectl prints as `Warning: …`. */
function warningHeader(text: string): string {
  const clean = text.replace(/[^\x20-\x7e]+/g, ' ').replace(/[\\"]/g, '\\$&');
  return `299 - "${clean.slice(0, 900)}"`;
}
