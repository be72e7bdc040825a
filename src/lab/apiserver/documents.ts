/** Answers about the server itself: health, version, discovery, OpenAPI, signing keys. */
import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { apiVersionOf } from '#api/object.ts';
import { acceptedRanges } from './accept.ts';
import type { Context } from './context.ts';
import {
  aggregatedDiscovery,
  apiGroupDocument,
  apiGroupList,
  apiResourceList,
  apiVersions,
} from './discovery.ts';
import type { Kinds } from './kinds.ts';
import type { Answer } from './response.ts';
import { openApiV2Document, openApiV3Document } from './schema/openapi.ts';
import { issuer } from './tokens.ts';

/** The Kubernetes version whose API this server follows. */
export const kubernetesVersion = { major: '1', minor: '32', gitVersion: 'v1.32.3' } as const;

const health = /^\/(healthz|livez|readyz)(\/[a-z-]+)?$/;

/** The answer to a path that is no resource; undefined for an unknown one. Throws StatusError. */
export function serveDocument(context: Context, request: IncomingMessage, url: URL): Answer | undefined {
  const path = url.pathname.length > 1 ? url.pathname.replace(/\/$/, '') : url.pathname;
  if (health.test(path)) {
    return { code: 200, body: 'ok', headers: { 'content-type': 'text/plain; charset=utf-8' } };
  }
  const body = documentOf(context, request, path);
  if (body === undefined) return undefined;
  return typeof body === 'object' && 'code' in body ? (body as Answer) : { code: 200, body };
}

function documentOf({ kinds, tokens }: Context, request: IncomingMessage, path: string): object | undefined {
  if (path === '/version') return version();
  if (path === '/api' || path === '/apis') return discovery(kinds, request, path === '/api');
  if (path === '/openid/v1/jwks') return tokens.keySet();
  if (path === '/.well-known/openid-configuration') return openIdConfiguration();
  if (path === '/openapi/v2' || path.startsWith('/openapi/v3')) return openApi(kinds, request, path);
  const [, head, group, groupVersion, ...rest] = path.split('/');
  if (head === 'api' && groupVersion === undefined) return apiResourceList(kinds, '', group ?? '');
  if (head !== 'apis' || rest.length > 0) return path === '/' ? { paths: rootPaths(kinds) } : undefined;
  return groupVersion === undefined
    ? apiGroupDocument(kinds, group ?? '')
    : apiResourceList(kinds, group ?? '', groupVersion);
}

function version(): object {
  return {
    ...kubernetesVersion,
    gitCommit: '',
    gitTreeState: 'clean',
    buildDate: '1970-01-01T00:00:00Z',
    goVersion: `node${process.versions.node}`,
    compiler: 'node',
    platform: `linux/${process.arch === 'x64' ? 'amd64' : process.arch}`,
  };
}

/** Clients that know aggregated discovery ask for it in Accept and get everything in one document. */
function discovery(kinds: Kinds, request: IncomingMessage, core: boolean): object {
  for (const { parameters } of acceptedRanges(request)) {
    if (parameters.get('as') !== 'APIGroupDiscoveryList' || parameters.get('g') !== 'apidiscovery.k8s.io')
      continue;
    const wanted = parameters.get('v') ?? '';
    if (wanted !== 'v2' && wanted !== 'v2beta1') continue;
    const type = `application/json;g=apidiscovery.k8s.io;v=${wanted};as=APIGroupDiscoveryList`;
    return withTag(request, aggregatedDiscovery(kinds, core, wanted), { 'content-type': type });
  }
  return core ? apiVersions() : apiGroupList(kinds);
}

/** 304 when the client has the document already. */
function withTag(
  request: IncomingMessage,
  document: object,
  headers: Readonly<Record<string, string>>,
): Answer {
  const body = JSON.stringify(document);
  const etag = `"${createHash('sha256').update(body).digest('hex').slice(0, 32)}"`;
  const all = { ...headers, etag, vary: 'Accept' };
  const known = request.headers['if-none-match'] === etag;
  return { code: known ? 304 : 200, body: known ? '' : body, headers: all };
}

function openIdConfiguration(): object {
  return {
    issuer,
    jwks_uri: `${issuer}/openid/v1/jwks`,
    response_types_supported: ['id_token'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['ES256'],
  };
}

function openApi(kinds: Kinds, request: IncomingMessage, path: string): object | undefined {
  if (path === '/openapi/v2') {
    const wantsProtobuf = acceptedRanges(request).some(({ type }) => type === openApiV2Protobuf);
    if (!wantsProtobuf) return cached(kinds, path, () => openApiV2Document(kinds.all));
    // As a media type the name must do without its `@`, which clients ask for all the same.
    const type = openApiV2Protobuf.replace('@', '.');
    return { code: 200, body: emptyOpenApiV2(), headers: { 'content-type': type } };
  }
  const groupVersions = new Set(kinds.all.map(apiVersionOf));
  const place = (groupVersion: string): string =>
    groupVersion.includes('/') ? `apis/${groupVersion}` : `api/${groupVersion}`;
  if (path === '/openapi/v3') {
    const paths = [...groupVersions].map((each) => [
      place(each),
      { serverRelativeURL: `/openapi/v3/${place(each)}?hash=${kinds.generation}` },
    ]);
    return { paths: Object.fromEntries(paths) as object };
  }
  const wanted = /^\/openapi\/v3\/apis?\/(.+)$/.exec(path)?.[1] ?? '';
  if (!groupVersions.has(wanted)) return undefined;
  return cached(kinds, path, () => {
    const served = kinds.all.filter((kind) => apiVersionOf(kind) === wanted);
    return openApiV3Document(wanted, served);
  });
}

const openApiV2Protobuf = 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf';

/**
 * openapi_v2.Document (google/gnostic-models) with version, information and no definitions. kubectl asks for it in this form only, to
 * check a `kind: List` by itself; what it finds no definition of it leaves to the server, which checks each item strictly.
 */
function emptyOpenApiV2(): string {
  const field = (number: number, text: string): string =>
    String.fromCharCode((number << 3) | 2, text.length) + text;
  const info = field(1, 'Kubernetes') + field(2, kubernetesVersion.gitVersion);
  return field(1, '2.0') + field(2, info) + field(8, '');
}

/** Documents are large and change only with the kinds. */
const documents = new WeakMap<Kinds, { generation: number; readonly texts: Map<string, string> }>();

function cached(kinds: Kinds, path: string, make: () => object): Answer {
  let known = documents.get(kinds);
  if (known?.generation !== kinds.generation) {
    known = { generation: kinds.generation, texts: new Map() };
    documents.set(kinds, known);
  }
  const body = known.texts.get(path) ?? JSON.stringify(make());
  known.texts.set(path, body);
  return { code: 200, body };
}

function rootPaths(kinds: Kinds): readonly string[] {
  const groups = [...new Set(kinds.all.map(apiVersionOf))].map((each) =>
    each.includes('/') ? `/apis/${each}` : `/api/${each}`,
  );
  const others = [
    '/api',
    '/apis',
    '/healthz',
    '/livez',
    '/openapi/v3',
    '/openid/v1/jwks',
    '/readyz',
    '/version',
  ];
  return [...others, ...groups].toSorted();
}
