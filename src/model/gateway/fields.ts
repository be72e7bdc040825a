/** Fields of an object that nobody has checked, one by one: what can't be used is told by its path, and left out. */
import type { KubeObject } from '#api/object.ts';
import { originOf, type Refuse } from '../problem.ts';
import { type Raw, rawOf, shown } from '../raw.ts';
import type { GatewayObject, ObjectReference } from './types.ts';

/** A member of a list, with its path. */
export type Entry = { readonly raw: Raw; readonly field: string };

/** What a text must look like, and what a message calls it. */
export type TextForm = { readonly pattern: RegExp; readonly longest: number; readonly what: string };

const label = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
const subdomain = `${label}(\\.${label})*`;

export const forms = {
  section: { pattern: new RegExp(`^${subdomain}$`), longest: 253, what: 'a name in lower case' },
  hostname: {
    pattern: new RegExp(`^(\\*\\.)?${subdomain}$`),
    longest: 253,
    what: 'a hostname, with at most `*.` before it',
  },
  preciseHostname: { pattern: new RegExp(`^${subdomain}$`), longest: 253, what: 'a hostname' },
} as const satisfies Readonly<Record<string, TextForm>>;

export function gatewayObject(object: KubeObject): GatewayObject {
  const metadata = rawOf(object.metadata) ?? {};
  const text = (name: string) => (typeof metadata[name] === 'string' ? metadata[name] : '');
  const { generation } = metadata;
  const [namespace, name] = [text('namespace'), text('name')];
  const { kind } = object;
  return {
    origin: originOf({ kind, metadata: namespace === '' ? { name } : { name, namespace } }),
    key: namespace === '' ? name : `${namespace}/${name}`,
    namespace,
    name,
    uid: text('uid'),
    generation: Number.isSafeInteger(generation) ? Number(generation) : 0,
    created: text('creationTimestamp'),
  };
}

/** An object's fields; absent is as good as empty, another value is refused. */
export function readRaw(value: unknown, field: string, refuse: Refuse): Raw {
  if (value === undefined || value === null) return {};
  return rawOf(value) ?? refuse(field, 'InvalidValue', `${shown(value)} is no object`) ?? {};
}

/** The members of a list of objects. Absent is as good as empty. */
export function readEntries(value: unknown, field: string, refuse: Refuse): readonly Entry[] {
  return readList(value, field, refuse).flatMap((each, index) => {
    const at = `${field}[${index}]`;
    const raw = rawOf(each) ?? refuse(at, 'InvalidValue', `${shown(each)} is no object`);
    return raw === undefined ? [] : [{ raw, field: at }];
  });
}

export function readList(value: unknown, field: string, refuse: Refuse): readonly unknown[] {
  if (value === undefined || value === null) return [];
  if (Array.isArray(value)) return value;
  return refuse(field, 'InvalidValue', `${shown(value)} is no list`) ?? [];
}

/** A text that is there; '' is as good as absent, which is no problem here. */
export function readText(value: unknown, field: string, refuse: Refuse): string | undefined {
  if (value === undefined || value === null || value === '') return undefined;
  if (typeof value === 'string') return value;
  return refuse(field, 'InvalidValue', `${shown(value)} is no text`);
}

export function readForm(
  value: unknown,
  field: string,
  { pattern, longest, what }: TextForm,
  refuse: Refuse,
): string | undefined {
  const text = readText(value, field, refuse);
  if (text === undefined || (text.length <= longest && pattern.test(text))) return text;
  return refuse(field, 'InvalidValue', `${shown(text)} is not ${what}`);
}

/** In lower case. */
export function readHostname(
  value: unknown,
  field: string,
  form: TextForm,
  refuse: Refuse,
): string | undefined {
  const text = readText(value, field, refuse)?.toLowerCase();
  if (text === undefined || (text.length <= form.longest && form.pattern.test(text))) return text;
  return refuse(field, 'InvalidHostname', `${shown(text)} is not ${form.what}`);
}

export function readChoice<const Choice extends string>(
  value: unknown,
  field: string,
  choices: readonly Choice[],
  refuse: Refuse,
): Choice | undefined {
  if (value === undefined || value === null) return undefined;
  const found = choices.find((each) => each === value);
  return found ?? refuse(field, 'NotSupported', `${shown(value)} is not one of ${choices.join(', ')}`);
}

export function readInteger(
  value: unknown,
  field: string,
  [least, most]: readonly [number, number],
  refuse: Refuse,
): number | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most) return value;
  return refuse(field, 'InvalidValue', `${shown(value)} is no whole number from ${least} to ${most}`);
}

export function readPort(value: unknown, field: string, refuse: Refuse): number | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= 65_535) return value;
  return refuse(field, 'InvalidPort', `${shown(value)} is not a port (1 to 65535)`);
}

/** Texts by key; what is none is left out. */
export function readTexts(value: unknown, field: string, refuse: Refuse): Readonly<Record<string, string>> {
  const texts = Object.entries(readRaw(value, field, refuse)).filter(
    ([key, text]) =>
      typeof text === 'string' ||
      refuse(`${field}[${shown(key)}]`, 'InvalidValue', `${shown(text)} is no text`) !== undefined,
  );
  return Object.fromEntries(texts) as Readonly<Record<string, string>>;
}

/** What an object that is referred to may be called; Gateway API's own schema lets any text through. */
export const called = {
  namespace: { pattern: new RegExp(`^${label}$`), longest: 63, what: 'a namespace' },
  name: { pattern: new RegExp(`^${subdomain}$`), longest: 253, what: 'the name of an object' },
} as const satisfies Readonly<Record<string, TextForm>>;

/**
 * What is missing in it, or in `fallback` where it may be: '' stands for it, which nothing is called. So does what no object can be called: a
 * slash in a name would make it look like another object's key.
 */
export function readReference(
  { raw, field }: Entry,
  fallback: Partial<ObjectReference>,
  refuse: Refuse,
): ObjectReference {
  const text = (name: 'group' | 'kind' | 'namespace' | 'name') => {
    const given = readText(raw[name], `${field}.${name}`, refuse);
    // An empty group is the core group, not the usual one.
    return raw[name] === '' && name === 'group' ? '' : (given ?? fallback[name] ?? '');
  };
  const reference = {
    group: text('group'),
    kind: text('kind'),
    namespace: text('namespace'),
    name: text('name'),
  };
  if (reference.name === '') refuse(`${field}.name`, 'Required', 'names no object');
  const isNone = (['namespace', 'name'] as const).some((part) => {
    const text = reference[part];
    return text !== '' && readForm(text, `${field}.${part}`, called[part], refuse) === undefined;
  });
  return isNone ? { ...reference, name: '' } : reference;
}
