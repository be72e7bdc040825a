/** Reads filters of HTTPRoutes and GRPCRoutes. One that can't be done, or not wholly, is unusable: it is never passed over. */
import type { ProblemCode, Refuse } from '../problem.ts';
import { rawOf, shown } from '../raw.ts';
import { readBackend } from './backends.ts';
import {
  type Entry,
  forms,
  readChoice,
  readEntries,
  readHostname,
  readInteger,
  readPort,
  readRaw,
} from './fields.ts';
import { readCORS, readExternalAuth } from './guards.ts';
import { readHeaderChange } from './headers.ts';
import { readPathText } from './matches.ts';
import type { FilterModel, PathChange } from './types.ts';

type Typed<Type extends FilterModel['type']> = Extract<FilterModel, { readonly type: Type }>;

/** By type: the field that it is said in, and how that is read. */
type Reader = readonly [
  field: string,
  read: (entry: Entry, namespace: string, refuse: Refuse) => FilterModel,
];

const shared: Readonly<Record<string, Reader>> = {
  RequestHeaderModifier: [
    'requestHeaderModifier',
    (entry, _, refuse) => ({ type: 'RequestHeaderModifier', headers: readHeaderChange(entry, refuse) }),
  ],
  ResponseHeaderModifier: [
    'responseHeaderModifier',
    (entry, _, refuse) => ({ type: 'ResponseHeaderModifier', headers: readHeaderChange(entry, refuse) }),
  ],
  RequestMirror: ['requestMirror', readMirror],
};

const readers = {
  GRPCRoute: shared,
  HTTPRoute: {
    ...shared,
    RequestRedirect: ['requestRedirect', (entry, _, refuse) => readRedirect(entry, refuse)],
    URLRewrite: ['urlRewrite', (entry, _, refuse) => readRewrite(entry, refuse)],
    CORS: ['cors', (entry, _, refuse) => readCORS(entry, refuse)],
    ExternalAuth: ['externalAuth', readExternalAuth],
  },
} as const satisfies Readonly<Record<string, Readonly<Record<string, Reader>>>>;

/** Types that a list may have once. */
const single = ['RequestHeaderModifier', 'ResponseHeaderModifier', 'RequestRedirect', 'URLRewrite', 'CORS'];

export function readFilters(
  value: unknown,
  field: string,
  kind: keyof typeof readers,
  namespace: string,
  refuse: Refuse,
): readonly FilterModel[] {
  if (value !== undefined && value !== null && !Array.isArray(value))
    return [unusable(field, 'InvalidValue', `${shown(value)} is no list of filters`, refuse)];
  const seen = new Set<string>();
  const all: readonly unknown[] = value ?? [];
  return all.map((each, index) => {
    const at = `${field}[${index}]`;
    const [entry] = readEntries([each], at, () => undefined);
    if (entry === undefined) return unusable(at, 'InvalidValue', `${shown(each)} is no filter`, refuse);
    const filter = readFilter({ raw: entry.raw, field: at }, readers[kind], namespace, refuse);
    const { type } = filter;
    if (seen.has(type) && single.includes(type))
      return unusable(at, 'NotSupported', `${type} stands there twice`, refuse, 'IncompatibleFilters');
    if (
      (type === 'URLRewrite' && seen.has('RequestRedirect')) ||
      (type === 'RequestRedirect' && seen.has('URLRewrite'))
    )
      return unusable(
        at,
        'NotSupported',
        'a RequestRedirect and a URLRewrite contradict each other',
        refuse,
        'IncompatibleFilters',
      );
    seen.add(type);
    return filter;
  });
}

function readFilter(
  { raw, field }: Entry,
  known: Readonly<Record<string, Reader>>,
  namespace: string,
  refuse: Refuse,
): FilterModel {
  const { type } = raw;
  if (type === 'ExtensionRef') {
    const message = `there is no extension ${shown(rawOf(raw['extensionRef'])?.['kind'])} here`;
    return unusable(`${field}.extensionRef`, 'NotSupported', message, refuse, 'InvalidKind');
  }
  const reader = typeof type === 'string' && Object.hasOwn(known, type) ? known[type] : undefined;
  if (reader === undefined)
    return unusable(`${field}.type`, 'NotSupported', `filters of type ${shown(type)} are not known`, refuse);
  const [name, read] = reader;
  const at = `${field}.${name}`;
  if (raw[name] === undefined || raw[name] === null)
    return unusable(at, 'Required', `a filter of type ${shown(type)} needs it`, refuse);
  let first: FilterModel | undefined;
  const bad: Refuse = (where, code, message) => {
    first ??= { type: 'unusable', field: where, message };
    return refuse(where, code, message);
  };
  const filter = read({ raw: readRaw(raw[name], at, bad), field: at }, namespace, bad);
  return first ?? filter;
}

function unusable(
  field: string,
  code: ProblemCode,
  message: string,
  refuse: Refuse,
  reason?: Typed<'unusable'>['reason'],
): FilterModel {
  refuse(field, code, message);
  return { type: 'unusable', field, message, ...(reason === undefined ? {} : { reason }) };
}

export function readMirror({ raw, field }: Entry, namespace: string, refuse: Refuse): Typed<'RequestMirror'> {
  const at = `${field}.backendRef`;
  const backend = readBackend({ raw: readRaw(raw['backendRef'], at, refuse), field: at }, namespace, refuse);
  const percent = readInteger(raw['percent'], `${field}.percent`, [0, 100], refuse);
  const fraction = readFraction(raw['fraction'], `${field}.fraction`, refuse);
  if (percent !== undefined && fraction !== undefined)
    refuse(`${field}.fraction`, 'NotSupported', 'give either percent or fraction');
  const share = percent === undefined ? fraction : percent / 100;
  return { type: 'RequestMirror', backend, share: Math.round((share ?? 1) * 1_000_000) };
}

export function readFraction(value: unknown, field: string, refuse: Refuse): number | undefined {
  if (value === undefined || value === null) return undefined;
  const raw = readRaw(value, field, refuse);
  const most = 2_147_483_647;
  const denominator = readInteger(raw['denominator'], `${field}.denominator`, [1, most], refuse) ?? 100;
  const numerator = readInteger(raw['numerator'], `${field}.numerator`, [0, denominator], refuse);
  return numerator === undefined
    ? refuse(`${field}.numerator`, 'Required', `needs a number up to ${denominator}`)
    : numerator / denominator;
}

const statusCodes = [301, 302, 303, 307, 308];

function readRedirect({ raw, field }: Entry, refuse: Refuse): Typed<'RequestRedirect'> {
  const scheme = readChoice(raw['scheme'], `${field}.scheme`, ['http', 'https'], refuse);
  const hostname = readHostname(raw['hostname'], `${field}.hostname`, forms.preciseHostname, refuse);
  const port = readPort(raw['port'], `${field}.port`, refuse);
  const path = readPathChange(raw['path'], `${field}.path`, refuse);
  const statusCode = raw['statusCode'] ?? 302;
  if (!statusCodes.includes(statusCode as number))
    refuse(
      `${field}.statusCode`,
      'NotSupported',
      `${shown(statusCode)} is not one of ${statusCodes.join(', ')}`,
    );
  return {
    type: 'RequestRedirect',
    ...(scheme === undefined ? {} : { scheme }),
    ...(hostname === undefined ? {} : { hostname }),
    ...(port === undefined ? {} : { port }),
    ...(path === undefined ? {} : { path }),
    statusCode: Number(statusCode),
  };
}

function readRewrite({ raw, field }: Entry, refuse: Refuse): Typed<'URLRewrite'> {
  const hostname = readHostname(raw['hostname'], `${field}.hostname`, forms.preciseHostname, refuse);
  const path = readPathChange(raw['path'], `${field}.path`, refuse);
  return {
    type: 'URLRewrite',
    ...(hostname === undefined ? {} : { hostname }),
    ...(path === undefined ? {} : { path }),
  };
}

const changes = { ReplaceFullPath: 'replaceFullPath', ReplacePrefixMatch: 'replacePrefixMatch' } as const;

function readPathChange(value: unknown, field: string, refuse: Refuse): PathChange | undefined {
  if (value === undefined || value === null) return undefined;
  const raw = readRaw(value, field, refuse);
  const choices = ['ReplaceFullPath', 'ReplacePrefixMatch'] as const;
  const type = readChoice(raw['type'], `${field}.type`, choices, refuse);
  if (type === undefined) return refuse(`${field}.type`, 'Required', 'needs a type');
  const name = changes[type];
  // No prefix at all is what '' and '/' both say.
  const text = raw[name] === '' ? '/' : readPathText(raw[name], `${field}.${name}`, refuse);
  return text === undefined ? undefined : { type, value: text };
}
