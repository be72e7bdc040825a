/** Reads what TrafficPolicies say of who may come in, and how much. */
import { formatPrefix } from '#net/prefix.ts';
import { readPrefix } from '../ipblock.ts';
import type { Refuse } from '../problem.ts';
import { readQuantity } from '../quantity.ts';
import { shown } from '../raw.ts';
import { readDuration } from './duration.ts';
import { type Entry, readChoice, readEntries, readForm, readInteger, readList, readRaw } from './fields.ts';
import { readHeaderName } from './headers.ts';
import type { CountedBy, TrafficSettings } from './policy-types.ts';

type Setting<K extends keyof TrafficSettings> = NonNullable<TrafficSettings[K]>;

const mostPrefixes = 256;
const mostLimits = 8;
const mostRequests = 1_000_000_000;
const day = 86_400_000;

/** Addresses and prefixes, each once, as prefixes without bits behind them. */
export function readPrefixes(value: unknown, field: string, refuse: Refuse): readonly string[] {
  const list = readSome(readList(value, field, refuse), field, mostPrefixes, refuse);
  const read = list.flatMap((each, index) => {
    const prefix = readPrefix(withLength(each));
    if (prefix !== undefined) return [formatPrefix(prefix)];
    return refuse(`${field}[${index}]`, 'InvalidCIDR', `${shown(each)} is no address and no prefix`) ?? [];
  });
  return [...new Set(read)];
}

function withLength(text: unknown): unknown {
  if (typeof text !== 'string' || text.includes('/')) return text;
  return `${text}/${text.includes(':') ? 128 : 32}`;
}

export function readAccess(value: unknown, field: string, refuse: Refuse): Setting<'access'> {
  const raw = readRaw(value, field, refuse);
  const prefixes = (name: 'allow' | 'deny') => {
    const given = raw[name];
    if (given === undefined || given === null) return undefined;
    return readPrefixes(given, `${field}.${name}`, refuse);
  };
  const [allow, deny] = [prefixes('allow'), prefixes('deny')];
  if (allow === undefined && deny === undefined) refuse(field, 'Required', 'needs allow or deny');
  return { ...(allow === undefined ? {} : { allow }), ...(deny === undefined ? {} : { deny }) };
}

export function readRateLimits(value: unknown, field: string, refuse: Refuse): Setting<'rateLimits'> {
  return readLimits(value, field, refuse).map((entry) => {
    const { raw, field: at } = entry;
    const per = readDuration(raw['per'] ?? '1s', `${at}.per`, refuse) ?? 1000;
    if (per < 1000 || per > day) refuse(`${at}.per`, 'InvalidTimeout', 'is not from 1s to 24h');
    return {
      requests: readCount(entry, refuse),
      per,
      burst: readInteger(raw['burst'], `${at}.burst`, [0, mostRequests], refuse) ?? 0,
      by: readCountedBy(entry, refuse),
    };
  });
}

export function readConcurrency(value: unknown, field: string, refuse: Refuse): Setting<'concurrency'> {
  return readLimits(value, field, refuse).map((entry) => ({
    requests: readCount(entry, refuse),
    by: readCountedBy(entry, refuse),
  }));
}

function readLimits(value: unknown, field: string, refuse: Refuse): readonly Entry[] {
  return readSome(readEntries(value, field, refuse), field, mostLimits, refuse);
}

function readCount({ raw, field }: Entry, refuse: Refuse): number {
  const at = `${field}.requests`;
  if (raw['requests'] === undefined || raw['requests'] === null) refuse(at, 'Required', 'says how many');
  return readInteger(raw['requests'], at, [1, mostRequests], refuse) ?? 1;
}

function readCountedBy({ raw, field }: Entry, refuse: Refuse): readonly CountedBy[] {
  const by = readList(raw['by'], `${field}.by`, refuse).flatMap((each, index): readonly CountedBy[] => {
    const read = readChoice(each, `${field}.by[${index}]`, ['Client', 'Route', 'Tenant'], refuse);
    return read === undefined ? [] : [countedBy[read]];
  });
  const header = raw['byHeader'];
  if (header === undefined || header === null) return [...new Set(by)];
  const name = readHeaderName(header, `${field}.byHeader`, refuse)?.toLowerCase();
  return name === undefined ? [] : [...new Set(by), { header: name }];
}

const countedBy = { Client: 'client', Route: 'route', Tenant: 'tenant' } as const;

/** Bytes. */
export function readMaxBody(value: unknown, field: string, refuse: Refuse): number {
  const bytes = readQuantity(
    typeof value === 'number' ? String(value) : typeof value === 'string' ? value : '',
  );
  if (bytes !== undefined && bytes >= 0n && bytes <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(bytes);
  refuse(field, 'InvalidValue', `${shown(value)} is no number of bytes, such as 8Mi`);
  return 0;
}

/** Without quotes and backslashes: it goes into a header. */
const realms = {
  pattern: /^[ !#-[\]-~]+$/,
  longest: 128,
  what: 'printable ASCII without quotes and backslashes, at most 128 characters',
} as const;

export function readBasicAuth(value: unknown, field: string, refuse: Refuse): Setting<'basicAuth'> {
  const raw = readRaw(value, field, refuse);
  const realm = readForm(raw['realm'], `${field}.realm`, realms, refuse) ?? 'Authentication required';
  const at = `${field}.secretRef`;
  const reference = readRaw(raw['secretRef'], at, refuse);
  const form = { pattern: /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/, longest: 253, what: 'the name of an object' };
  const secret = readForm(reference['name'], `${at}.name`, form, refuse);
  if (secret === undefined) refuse(`${at}.name`, 'Required', 'names no Secret');
  return { realm, secret: secret ?? '' };
}

/** The first of too many; that there are more is a problem. */
export function readSome<T>(all: readonly T[], field: string, most: number, refuse: Refuse): readonly T[] {
  if (all.length === 0) refuse(field, 'Required', 'is empty');
  if (all.length > most) refuse(field, 'LimitExceeded', `has ${all.length} entries; at most ${most} can be`);
  return all.slice(0, most);
}
