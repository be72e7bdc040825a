/** Names and values of headers: nothing that could end a line, or a message, gets past here. */
import type { Refuse } from '../problem.ts';
import { shown } from '../raw.ts';
import { type Entry, readEntries, readList } from './fields.ts';
import type { HeaderChange } from './types.ts';

const token = /^[A-Za-z0-9!#$%&'*+\-.^_`|~]{1,256}$/;
/** RFC 9110 §5.5 without obs-text; no blank at either end. */
const printable = /^[!-~](?:[\t -~]*[!-~])?$/;

/** What the message's own framing and the connection hang on: changed by nobody (RFC 9112 §6, RFC 9110 §7.6). */
const framing = new Set([
  'connection',
  'content-length',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

export function isToken(value: unknown): value is string {
  return typeof value === 'string' && token.test(value);
}

/** As written. */
export function readHeaderName(value: unknown, field: string, refuse: Refuse): string | undefined {
  if (isToken(value)) return value;
  return refuse(field, 'InvalidHeader', `${shown(value)} is no name of a header`);
}

export function readHeaderValue(value: unknown, field: string, refuse: Refuse): string | undefined {
  if (typeof value === 'string' && value.length <= 4096 && printable.test(value)) return value;
  return refuse(
    field,
    'InvalidHeader',
    `${shown(value)} is no value of a header: printable ASCII without blanks at the ends, at most 4096 characters`,
  );
}

/** Lower case, each once. */
export function readHeaderNames(value: unknown, field: string, refuse: Refuse): readonly string[] {
  const names = readList(value, field, refuse).flatMap(
    (each, index) => readHeaderName(each, `${field}[${index}]`, refuse)?.toLowerCase() ?? [],
  );
  return [...new Set(names)];
}

/** Of RequestHeaderModifier and ResponseHeaderModifier. Of entries for one header the first is in effect, as the specification has it. */
export function readHeaderChange({ raw, field }: Entry, refuse: Refuse): HeaderChange {
  const pairs = (list: 'set' | 'add') =>
    firsts(
      readEntries(raw[list], `${field}.${list}`, refuse).flatMap((entry) => {
        const name = readChanged(entry.raw['name'], `${entry.field}.name`, refuse);
        const value = readHeaderValue(entry.raw['value'], `${entry.field}.value`, refuse);
        return name === undefined || value === undefined ? [] : [{ name, value }];
      }),
    );
  const remove = readList(raw['remove'], `${field}.remove`, refuse).flatMap((each, index) => {
    const name = readChanged(each, `${field}.remove[${index}]`, refuse);
    return name === undefined ? [] : [{ name }];
  });
  return { set: pairs('set'), add: pairs('add'), remove: firsts(remove).map(({ name }) => name) };
}

/** Of entries with one name, whatever its case, the first. */
export function firsts<Named extends { readonly name: string }>(entries: readonly Named[]): readonly Named[] {
  const seen = new Set<string>();
  return entries.filter(({ name }) => {
    const key = name.toLowerCase();
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}

function readChanged(value: unknown, field: string, refuse: Refuse): string | undefined {
  const name = readHeaderName(value, field, refuse);
  const key = name?.toLowerCase() ?? '';
  if (key === 'host')
    return refuse(field, 'InvalidHeader', 'Host is changed by a URLRewrite with hostname, not as a header');
  if (framing.has(key))
    return refuse(field, 'InvalidHeader', `${name} belongs to the connection, not to a route`);
  return name;
}
