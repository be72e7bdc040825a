/** Reads what rules match on: paths, headers, parameters of the query. */
import type { Refuse } from '../problem.ts';
import { shown } from '../raw.ts';
import { type Entry, readChoice, readEntries, readRaw, readText } from './fields.ts';
import { firsts, isToken, readHeaderName, readHeaderValue } from './headers.ts';
import { regexProblem } from './regex.ts';
import type { HTTPMatchModel, ValueMatch } from './types.ts';

const methods = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH'] as const;

/** Undefined: it can't be told what it takes. */
export function readHTTPMatch({ raw, field }: Entry, refuse: Refuse): HTTPMatchModel | undefined {
  return whole(refuse, (bad) => {
    const path = readPath(raw['path'], `${field}.path`, bad);
    const method = readChoice(raw['method'], `${field}.method`, methods, bad);
    return {
      path,
      ...(method === undefined ? {} : { method }),
      headers: readHeaderMatches(raw['headers'], `${field}.headers`, bad),
      query: readQueryMatches(raw['queryParams'], `${field}.queryParams`, bad),
    };
  });
}

/** What `read` gives, unless it refuses anything. */
export function whole<Value>(refuse: Refuse, read: (refuse: Refuse) => Value): Value | undefined {
  let bad = false;
  const value = read((...problem) => {
    bad = true;
    return refuse(...problem);
  });
  return bad ? undefined : value;
}

/** Of headers; names in lower case. */
export function readHeaderMatches(value: unknown, field: string, refuse: Refuse): readonly ValueMatch[] {
  const read = readEntries(value, field, refuse).flatMap((entry) => {
    const name = readHeaderName(entry.raw['name'], `${entry.field}.name`, refuse)?.toLowerCase();
    const match = readValueMatch(entry, readHeaderValue, refuse);
    return name === undefined || match === undefined ? [] : [{ name, ...match }];
  });
  return firsts(read);
}

/** Names in any case are different ones. */
function readQueryMatches(value: unknown, field: string, refuse: Refuse): readonly ValueMatch[] {
  const seen = new Set<string>();
  return readEntries(value, field, refuse).flatMap((entry) => {
    const { raw, field: at } = entry;
    const name = isToken(raw['name'])
      ? raw['name']
      : refuse(`${at}.name`, 'InvalidValue', `${shown(raw['name'])} is no name of a parameter`);
    const match = readValueMatch(entry, readParameterValue, refuse);
    if (name === undefined || match === undefined || seen.has(name)) return [];
    seen.add(name);
    return [{ name, ...match }];
  });
}

function readParameterValue(value: unknown, field: string, refuse: Refuse): string | undefined {
  if (typeof value === 'string' && value !== '' && value.length <= 1024) return value;
  return refuse(field, 'InvalidValue', `${shown(value)} is no text of 1 to 1024 characters`);
}

function readValueMatch(
  { raw, field }: Entry,
  readExact: (value: unknown, field: string, refuse: Refuse) => string | undefined,
  refuse: Refuse,
): Pick<ValueMatch, 'type' | 'value'> | undefined {
  const type = readMatchType(raw['type'], `${field}.type`, refuse);
  const value =
    type === 'RegularExpression'
      ? readRegex(raw['value'], `${field}.value`, refuse)
      : readExact(raw['value'], `${field}.value`, refuse);
  return value === undefined ? undefined : { type, value };
}

export function readMatchType(value: unknown, field: string, refuse: Refuse): ValueMatch['type'] {
  return readChoice(value, field, ['Exact', 'RegularExpression'], refuse) ?? 'Exact';
}

export function readRegex(value: unknown, field: string, refuse: Refuse): string | undefined {
  const text = readText(value, field, refuse);
  const problem = text === undefined ? 'is empty' : regexProblem(text);
  return problem === undefined ? text : refuse(field, 'InvalidPattern', `${shown(text)} ${problem}`);
}

const characters = /^(?:[-A-Za-z0-9/._~!$&'()*+,;=:@]|%[0-9a-fA-F]{2})+$/;
const foreign = /\/\/|\/\.\.?(\/|$)|%2f/i;

function readPath(value: unknown, field: string, refuse: Refuse): HTTPMatchModel['path'] {
  const raw = readRaw(value, field, refuse);
  const type =
    readChoice(raw['type'], `${field}.type`, ['Exact', 'PathPrefix', 'RegularExpression'], refuse) ??
    'PathPrefix';
  const at = `${field}.value`;
  const given = raw['value'] ?? '/';
  if (type === 'RegularExpression') return { type, value: readRegex(given, at, refuse) ?? '' };
  const text = readPathText(given, at, refuse) ?? '/';
  if (foreign.test(text))
    refuse(at, 'InvalidPath', `${shown(text)} has //, /./, /../ or %2f, which no path that is looked up has`);
  // A prefix ends at a segment with or without the slash.
  return { type, value: type === 'PathPrefix' && text.length > 1 ? text.replace(/\/$/, '') : text };
}

/** A path, or what takes its place: absolute, in the characters of RFC 3986. */
export function readPathText(value: unknown, field: string, refuse: Refuse): string | undefined {
  if (typeof value === 'string' && value.length <= 1024 && value.startsWith('/') && characters.test(value))
    return value;
  return refuse(field, 'InvalidPath', `${shown(value)} is no path that begins with / (RFC 3986)`);
}
