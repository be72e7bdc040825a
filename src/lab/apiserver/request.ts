/** A request's path, query and body, understood before anything is done. */
import type { IncomingMessage } from 'node:http';
import { parseDocument } from 'yaml';
import { badRequest, StatusError, unsupportedMediaType } from './errors.ts';
import { decodeProtobuf } from './protobuf/decode.ts';

/** `/api/v1/namespaces/a/pods/b/log` taken apart. */
export type ResourcePath = {
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  /** '' for all namespaces and for cluster-scoped kinds. */
  readonly namespace: string;
  readonly name?: string;
  readonly subresource?: string;
  /** What follows the subresource: the path of a proxy request. */
  readonly rest?: string;
};

/** Undefined for paths outside /api/VERSION/… and /apis/GROUP/VERSION/…. Throws a 400 for a broken escape. */
export function parseResourcePath(pathname: string): ResourcePath | undefined {
  const parts = pathname.split('/').slice(1).map(decode);
  if (parts.at(-1) === '') parts.pop();
  const head = parts.shift();
  const group = head === 'api' ? '' : head === 'apis' ? parts.shift() : undefined;
  const version = parts.shift();
  if (group === undefined || version === undefined || parts.length === 0) return undefined;
  let namespace = '';
  if (parts[0] === 'namespaces' && parts.length > 2 && !isNamespaceSubresource(group, parts)) {
    namespace = parts[1]!;
    parts.splice(0, 2);
  }
  const [plural, name, subresource, ...rest] = parts;
  return {
    group,
    version,
    plural: plural!,
    namespace,
    ...(name === undefined ? {} : { name }),
    ...(subresource === undefined ? {} : { subresource }),
    ...(rest.length === 0 ? {} : { rest: rest.join('/') }),
  };
}

function isNamespaceSubresource(group: string, parts: readonly string[]): boolean {
  return group === '' && parts.length === 3 && (parts[2] === 'status' || parts[2] === 'finalize');
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw badRequest(`malformed path segment ${JSON.stringify(segment)}`);
  }
}

/** As on a real server. */
const maxBodyBytes = 3 * 1024 * 1024;

/** The whole body; 413 above 3 MiB. */
export async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBodyBytes) {
      throw new StatusError(
        413,
        'RequestEntityTooLarge',
        `Request entity too large: limit is ${maxBodyBytes} bytes`,
      );
    }
    chunks.push(chunk);
  }
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
}

/** Media type without parameters, in lower case. */
export function mediaType(request: IncomingMessage): string {
  return (request.headers['content-type'] ?? '').split(';')[0]!.trim().toLowerCase();
}

/** A JSON, YAML or protobuf body as a value; '' counts as JSON. Throws 400 or 415. */
export function decodeBody(body: Buffer, type: string): unknown {
  if (type === 'application/vnd.kubernetes.protobuf') return decodeProtobuf(body);
  const text = body.toString('utf8');
  if (type === 'application/yaml' || type === 'application/apply-patch+yaml') return decodeYaml(text);
  if (type !== '' && !type.endsWith('json')) {
    throw unsupportedMediaType(
      `the body of the request was in an unknown format - accepted media types include: application/json, application/yaml (got ${type})`,
    );
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    throw badRequest(
      `the object provided is unrecognized (must be of type JSON or YAML): ${(error as Error).message}`,
    );
  }
}

function decodeYaml(text: string): unknown {
  const document = parseDocument(text, { version: '1.2', uniqueKeys: true });
  const [problem] = document.errors;
  if (problem !== undefined) throw badRequest(`error decoding YAML: ${problem.message}`);
  return document.toJS({ maxAliasCount: 100 });
}

/** The body as an object with fields; throws 400. */
export function asFields(value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw badRequest('the body must be an object');
  }
  return value as Record<string, unknown>;
}

/** A boolean query parameter: `1`, `true`, or present without a value. */
export function booleanParameter(query: URLSearchParams, name: string): boolean {
  const value = query.get(name);
  return value !== null && value !== 'false' && value !== '0';
}

/** A non-negative integer parameter; undefined when absent or empty. Throws 400. */
export function integerParameter(query: URLSearchParams, name: string): number | undefined {
  const value = query.get(name);
  if (value === null || value === '') return undefined;
  if (!/^\d{1,16}$/.test(value)) throw badRequest(`invalid value for ${name}: ${JSON.stringify(value)}`);
  return Number(value);
}
