/** Reads Ingresses. */
import type { KubeObject } from '#api/object.ts';
import {
  type Entry,
  forms,
  gatewayObject,
  readChoice,
  readEntries,
  readHostname,
  readList,
  readPort,
  readRaw,
  readText,
} from '../gateway/fields.ts';
import { collectProblems, type Read, type Refuse } from '../problem.ts';
import { fieldsOf, rawOf, shown } from '../raw.ts';
import type { IngressBackend, IngressModel } from './types.ts';

/** Rules and paths that can't be read are left out; the rest is served. */
export function readIngress(object: KubeObject): Read<IngressModel> {
  const head = gatewayObject(object);
  const { problems, refuse } = collectProblems(head.origin);
  const spec = readRaw(object['spec'], 'spec', refuse);
  const annotations = textsOf(rawOf(object.metadata)?.['annotations']);
  const className =
    readText(spec['ingressClassName'], 'spec.ingressClassName', refuse) ??
    annotations['kubernetes.io/ingress.class'];
  const written = spec['defaultBackend'];
  const defaultBackend =
    written === undefined || written === null
      ? undefined
      : readBackend(written, 'spec.defaultBackend', refuse);
  const value: IngressModel = {
    ...head,
    ...(className === undefined ? {} : { className }),
    annotations,
    ...(defaultBackend === undefined ? {} : { defaultBackend }),
    rules: readEntries(spec['rules'], 'spec.rules', refuse).flatMap((entry) => readRule(entry, refuse)),
    tls: readEntries(spec['tls'], 'spec.tls', refuse).flatMap((entry) => readTLS(entry, refuse)),
  };
  return { value, problems };
}

type Rule = IngressModel['rules'][number];
type Path = Rule['paths'][number];

/** One whose host can't be read would be for any host: it is left out. */
function readRule({ raw, field }: Entry, refuse: Refuse): readonly Rule[] {
  const written = raw['host'];
  const host = readHostname(written, `${field}.host`, forms.hostname, refuse);
  if (host === undefined && written !== undefined && written !== null && written !== '') return [];
  const http = readRaw(raw['http'], `${field}.http`, refuse);
  const paths = readEntries(http['paths'], `${field}.http.paths`, refuse).flatMap(
    (entry) => readPath(entry, refuse) ?? [],
  );
  return [{ ...(host === undefined ? {} : { host }), paths }];
}

const pathTypes = ['Exact', 'Prefix', 'ImplementationSpecific'] as const;

function readPath({ raw, field }: Entry, refuse: Refuse): Path | undefined {
  const type = readChoice(
    raw['pathType'] ?? 'ImplementationSpecific',
    `${field}.pathType`,
    pathTypes,
    refuse,
  );
  const path = raw['path'] ?? '/';
  if (type === undefined) return undefined;
  if (typeof path !== 'string' || !/^(?:\/[!-~]*)?$/.test(path) || path.length > 1_024)
    return refuse(`${field}.path`, 'InvalidPath', `${shown(path)} is no path in printable ASCII`);
  const backend = readBackend(raw['backend'], `${field}.backend`, refuse);
  return { type, path: path === '' ? '/' : path, backend, field };
}

/** What names no Service is kept as that: its requests must not go elsewhere. */
function readBackend(value: unknown, field: string, refuse: Refuse): IngressBackend {
  const raw = readRaw(value, field, refuse);
  const service = rawOf(raw['service']);
  const name = readText(service?.['name'], `${field}.service.name`, refuse);
  if (service === undefined || name === undefined) {
    const [first = 'nothing'] = fieldsOf(raw);
    const kind = rawOf(raw['resource'])?.['kind'];
    return { unusable: typeof kind === 'string' ? `names a ${kind.slice(0, 64)}` : `names ${first}` };
  }
  const port = readRaw(service['port'], `${field}.service.port`, refuse);
  const number = readPort(port['number'], `${field}.service.port.number`, refuse);
  return {
    service: name,
    port: number ?? readText(port['name'], `${field}.service.port.name`, refuse) ?? '',
  };
}

function readTLS({ raw, field }: Entry, refuse: Refuse): IngressModel['tls'] {
  const secret = readText(raw['secretName'], `${field}.secretName`, refuse);
  const written = readList(raw['hosts'], `${field}.hosts`, refuse);
  const hosts = written.flatMap(
    (each, index) => readHostname(each, `${field}.hosts[${index}]`, forms.hostname, refuse) ?? [],
  );
  // Without any hosts it is for all of the Ingress's, which isn't what was written.
  if (hosts.length === 0 && written.length > 0) return [];
  return [{ hosts: [...new Set(hosts)], ...(secret === undefined ? {} : { secret }) }];
}

/** In files numbers and booleans may lack their quotes, which the API server would ask for. */
function textsOf(value: unknown): Readonly<Record<string, string>> {
  const texts = Object.entries(rawOf(value) ?? {}).flatMap(([name, each]) =>
    typeof each === 'string' || typeof each === 'number' || typeof each === 'boolean'
      ? [[name, String(each)] as const]
      : [],
  );
  return Object.fromEntries(texts.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
