/** Reads the filters that decide who may ask: CORS and ExternalAuth. */
import type { Refuse } from '../problem.ts';
import { shown } from '../raw.ts';
import { readBackend } from './backends.ts';
import { type Entry, readChoice, readInteger, readList, readRaw } from './fields.ts';
import { readHeaderNames } from './headers.ts';
import { readPathText } from './matches.ts';
import type { FilterModel } from './types.ts';

type Typed<Type extends FilterModel['type']> = Extract<FilterModel, { readonly type: Type }>;

const origin = /^https?:\/\/((\*\.)?([a-z0-9-]+\.)*[a-z0-9-]+|\*)(:[0-9]{1,5})?$/;
const methods = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH', '*'];

/** Origins are in lower case, as browsers send them. */
export function readCORS({ raw, field }: Entry, refuse: Refuse): Typed<'CORS'> {
  const { allowCredentials } = raw;
  if (allowCredentials !== undefined && allowCredentials !== null && typeof allowCredentials !== 'boolean')
    refuse(`${field}.allowCredentials`, 'InvalidValue', `${shown(allowCredentials)} is not true or false`);
  const set = (name: string, fits: (text: string) => boolean, what: string) =>
    readSet(raw[name], `${field}.${name}`, fits, what, refuse);
  return {
    type: 'CORS',
    allowOrigins: set(
      'allowOrigins',
      (text) => text === '*' || (text.length <= 253 && origin.test(text.toLowerCase())),
      'an origin, such as https://*.example.org',
    ).map((each) => each.toLowerCase()),
    allowMethods: set('allowMethods', (text) => methods.includes(text), 'a method'),
    allowHeaders: readHeaderNames(raw['allowHeaders'], `${field}.allowHeaders`, refuse),
    exposeHeaders: readHeaderNames(raw['exposeHeaders'], `${field}.exposeHeaders`, refuse),
    allowCredentials: allowCredentials === true,
    maxAge: readInteger(raw['maxAge'], `${field}.maxAge`, [1, 2_147_483_647], refuse) ?? 5,
  };
}

function readSet(
  value: unknown,
  field: string,
  fits: (text: string) => boolean,
  what: string,
  refuse: Refuse,
): readonly string[] {
  const read = readList(value, field, refuse).flatMap((each, index) => {
    if (typeof each === 'string' && fits(each)) return [each];
    return refuse(`${field}[${index}]`, 'InvalidValue', `${shown(each)} is not ${what}`) ?? [];
  });
  return [...new Set(read)];
}

/** The largest body that is held for a question. */
const largestBody = 1_048_576;

export function readExternalAuth(
  { raw, field }: Entry,
  namespace: string,
  refuse: Refuse,
): Typed<'ExternalAuth'> {
  const protocol = readChoice(raw['protocol'], `${field}.protocol`, ['HTTP', 'GRPC'], refuse);
  if (protocol === undefined) refuse(`${field}.protocol`, 'Required', 'needs HTTP or GRPC');
  const at = `${field}.backendRef`;
  const backend = readBackend({ raw: readRaw(raw['backendRef'], at, refuse), field: at }, namespace, refuse);
  const own = `${field}.${protocol === 'GRPC' ? 'grpc' : 'http'}`;
  const details = readRaw(raw[protocol === 'GRPC' ? 'grpc' : 'http'], own, refuse);
  const { path } = details;
  const hasPath = protocol === 'HTTP' && path !== undefined && path !== null && path !== '';
  const { maxSize } = readRaw(raw['forwardBody'], `${field}.forwardBody`, refuse);
  const forwardBody = readInteger(maxSize, `${field}.forwardBody.maxSize`, [0, largestBody], refuse);
  const names = (name: string) => readHeaderNames(details[name], `${own}.${name}`, refuse);
  return {
    type: 'ExternalAuth',
    protocol: protocol ?? 'HTTP',
    backend,
    path: hasPath ? (readPathText(path, `${own}.path`, refuse) ?? '') : '',
    allowedHeaders: names('allowedHeaders'),
    allowedResponseHeaders: protocol === 'HTTP' ? names('allowedResponseHeaders') : [],
    ...(forwardBody === undefined || forwardBody === 0 ? {} : { forwardBody }),
  };
}
