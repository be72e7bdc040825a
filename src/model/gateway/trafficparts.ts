/** Reads what TrafficPolicies say of where requests go, and of what clients are given. */
import { accessLogFields, accessLogSchema, compressionSchema } from '#api/kinds/trafficparts.ts';
import type { GatewayHash } from '#intent/gateway-policy.ts';
import type { Refuse } from '../problem.ts';
import { shown } from '../raw.ts';
import { readBackend, readBackends } from './backends.ts';
import { readDuration } from './duration.ts';
import {
  type Entry,
  readChoice,
  readEntries,
  readForm,
  readInteger,
  readList,
  readRaw,
  readText,
} from './fields.ts';
import { readFraction } from './filters.ts';
import { isToken, readHeaderName, readHeaderValue } from './headers.ts';
import type { TrafficSettings } from './policy-types.ts';
import { regexProblem } from './regex.ts';
import { readPersistence } from './rules.ts';
import { readSome } from './trafficlimits.ts';

type Setting<K extends keyof TrafficSettings> = NonNullable<TrafficSettings[K]>;

export function readPolicyTimeouts(value: unknown, field: string, refuse: Refuse): Setting<'timeouts'> {
  const raw = readRaw(value, field, refuse);
  const request = readDuration(raw['request'], `${field}.request`, refuse);
  const backendRequest = readDuration(raw['backendRequest'], `${field}.backendRequest`, refuse);
  const connect = readDuration(raw['connect'], `${field}.connect`, refuse);
  return {
    ...(request === undefined ? {} : { request }),
    ...(backendRequest === undefined ? {} : { backendRequest }),
    ...(connect === undefined ? {} : { connect }),
  };
}

export function readAffinity(
  value: unknown,
  field: string,
  refuse: Refuse,
): TrafficSettings['affinity'] | undefined {
  const raw = readRaw(value, field, refuse);
  const session = readPersistence(raw['session'], `${field}.session`, refuse);
  const hash = raw['hash'] == null ? undefined : readHash(raw['hash'], `${field}.hash`, refuse);
  if ((session === undefined) === (hash === undefined))
    return refuse(field, 'Required', 'give either session or hash');
  if (session !== undefined) return { type: 'session', session };
  return hash === undefined ? undefined : { type: 'hash', hash };
}

const hashedBy = {
  Client: 'client',
  Header: 'header',
  Cookie: 'cookie',
  Query: 'query',
  Path: 'path',
} as const;

export function readHash(value: unknown, field: string, refuse: Refuse): GatewayHash | undefined {
  const raw = readRaw(value, field, refuse);
  const choices = ['Client', 'Header', 'Cookie', 'Query', 'Path'] as const;
  const by = readChoice(raw['by'], `${field}.by`, choices, refuse);
  if (by === undefined) return refuse(`${field}.by`, 'Required', `needs one of ${choices.join(', ')}`);
  if (by === 'Client' || by === 'Path') return { by: hashedBy[by] };
  const { name } = raw;
  if (!isToken(name)) return refuse(`${field}.name`, 'InvalidHeader', `${shown(name)} is no name`);
  return { by: hashedBy[by], name: by === 'Header' ? name.toLowerCase() : name };
}

type Canary = Setting<'canaries'>[number];

const mostCanaries = 8;
const mostBackends = 16;

export function readCanaries(
  value: unknown,
  field: string,
  namespace: string,
  refuse: Refuse,
): Setting<'canaries'> {
  return readSome(readEntries(value, field, refuse), field, mostCanaries, refuse).map((entry) => {
    const { raw, field: at } = entry;
    const header =
      raw['header'] == null ? undefined : readCanaryHeader(raw['header'], `${at}.header`, refuse);
    const { cookie } = raw;
    if (cookie !== undefined && cookie !== null && !isToken(cookie))
      refuse(`${at}.cookie`, 'InvalidHeader', `${shown(cookie)} is no name of a cookie`);
    const share = readShare(entry, refuse);
    if (header === undefined && !isToken(cookie) && share === undefined)
      refuse(at, 'Required', 'needs header, cookie, percent or fraction');
    const backends = readBackends(raw['backendRefs'], `${at}.backendRefs`, namespace, refuse);
    return {
      ...(header === undefined ? {} : { header }),
      ...(isToken(cookie) ? { cookie } : {}),
      ...(share === undefined ? {} : { share }),
      backends: readSome(backends, `${at}.backendRefs`, mostBackends, refuse).map(
        ({ reference }) => reference,
      ),
    };
  });
}

function readCanaryHeader(value: unknown, field: string, refuse: Refuse): Canary['header'] {
  const raw = readRaw(value, field, refuse);
  const name = readHeaderName(raw['name'], `${field}.name`, refuse)?.toLowerCase();
  const type = readChoice(raw['type'], `${field}.type`, ['Exact', 'RegularExpression'], refuse) ?? 'Exact';
  const given = raw['value'];
  const hasValue = given !== undefined && given !== null && given !== '';
  const text = hasValue ? readHeaderValue(given, `${field}.value`, refuse) : undefined;
  if (type === 'RegularExpression') {
    const problem = text === undefined ? 'is not there' : regexProblem(text);
    if (problem !== undefined) refuse(`${field}.value`, 'InvalidPattern', problem);
  }
  if (name === undefined) return undefined;
  return {
    name,
    ...(text === undefined ? {} : { value: text }),
    ...(type === 'RegularExpression' ? { regex: true } : {}),
  };
}

/** Of a million. */
function readShare({ raw, field }: Entry, refuse: Refuse): number | undefined {
  const percent = readInteger(raw['percent'], `${field}.percent`, [0, 100], refuse);
  const fraction = readFraction(raw['fraction'], `${field}.fraction`, refuse);
  if (percent !== undefined && fraction !== undefined)
    refuse(`${field}.fraction`, 'NotSupported', 'give either percent or fraction');
  const share = percent === undefined ? fraction : percent / 100;
  return share === undefined ? undefined : Math.round(share * 1_000_000);
}

const mediaTypes = {
  pattern: /^[a-z0-9][a-z0-9!#$&^_.+-]*\/(\*|[a-z0-9][a-z0-9!#$&^_.+-]*)$/,
  longest: 127,
  what: 'a media type, such as text/* or application/json',
} as const;
const usualTypes = compressionSchema.properties.types.default;

export function readCompression(value: unknown, field: string, refuse: Refuse): Setting<'compression'> {
  const raw = readRaw(value, field, refuse);
  const given = readList(raw['types'] ?? usualTypes, `${field}.types`, refuse);
  const types = given.slice(0, 64).flatMap((each, index) => {
    const at = `${field}.types[${index}]`;
    return readForm(each, at, mediaTypes, refuse) ?? refuse(at, 'InvalidValue', 'is no media type') ?? [];
  });
  const minLength = readInteger(raw['minLength'], `${field}.minLength`, [0, 1_073_741_824], refuse);
  return { types: [...new Set(types)], minLength: minLength ?? 1024 };
}

const contentTypes = {
  pattern: /^[a-z0-9.+-]+\/[a-z0-9.+-]+(; ?charset=[A-Za-z0-9._-]+)?$/,
  longest: 128,
  what: 'a media type, such as text/html; charset=utf-8',
} as const;
const longestPage = 4096;
const mostPages = 8;

export function readErrors(
  value: unknown,
  field: string,
  namespace: string,
  refuse: Refuse,
): Setting<'errors'> {
  return readSome(readEntries(value, field, refuse), field, mostPages, refuse).map(({ raw, field: at }) => {
    const codes = readSome(readList(raw['codes'], `${at}.codes`, refuse), `${at}.codes`, 64, refuse).flatMap(
      (each, index) =>
        readInteger(each, `${at}.codes[${index}]`, [400, 599], refuse) ??
        refuse(`${at}.codes[${index}]`, 'InvalidValue', 'is no status from 400 to 599') ??
        [],
    );
    const backend =
      raw['backendRef'] == null
        ? undefined
        : readBackend(
            { raw: readRaw(raw['backendRef'], `${at}.backendRef`, refuse), field: `${at}.backendRef` },
            namespace,
            refuse,
          );
    const body = raw['body'] == null ? undefined : readPage(raw['body'], `${at}.body`, refuse);
    if ((backend === undefined) === (body === undefined))
      refuse(at, 'Required', 'give either backendRef or body');
    return {
      codes: [...new Set(codes)],
      ...(backend === undefined ? {} : { backend }),
      ...(body === undefined ? {} : { body }),
    };
  });
}

function readPage(value: unknown, field: string, refuse: Refuse): Setting<'errors'>[number]['body'] {
  const raw = readRaw(value, field, refuse);
  const contentType = readForm(raw['contentType'], `${field}.contentType`, contentTypes, refuse);
  const text = readText(raw['text'], `${field}.text`, refuse) ?? '';
  if (text.length > longestPage)
    refuse(`${field}.text`, 'LimitExceeded', `has ${text.length} characters; at most ${longestPage} can be`);
  return { contentType: contentType ?? 'text/html; charset=utf-8', text };
}

const usualFields = accessLogSchema.properties.fields.default;

export function readAccessLog(value: unknown, field: string, refuse: Refuse): Setting<'accessLog'> {
  const raw = readRaw(value, field, refuse);
  const percent = readInteger(raw['percent'], `${field}.percent`, [0, 100], refuse) ?? 100;
  const given = readList(raw['fields'] ?? usualFields, `${field}.fields`, refuse);
  const fields = given.flatMap(
    (each, index) => readChoice(each, `${field}.fields[${index}]`, accessLogFields, refuse) ?? [],
  );
  const share = percent * 10_000;
  return fields.length === 0 || share === 0 ? { share } : { fields: [...new Set(fields)], share };
}

export function readBuffering(value: unknown, field: string, refuse: Refuse): Setting<'buffering'> {
  const raw = readRaw(value, field, refuse);
  const flag = (name: 'requests' | 'responses'): boolean | undefined => {
    const given = raw[name];
    if (given === undefined || given === null || typeof given === 'boolean') return given ?? undefined;
    return refuse(`${field}.${name}`, 'InvalidValue', `${shown(given)} is not true or false`);
  };
  const [requests, answers] = [flag('requests'), flag('responses')];
  return {
    ...(requests === undefined ? {} : { requests }),
    ...(answers === undefined ? {} : { answers }),
  };
}
