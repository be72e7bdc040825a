/** What rules of HTTPRoutes and GRPCRoutes have in common: a name, filters, backends, persistence, and that one may be unusable. */
import type { Refuse } from '../problem.ts';
import { rawOf, shown } from '../raw.ts';
import { readBackends } from './backends.ts';
import { readDuration } from './duration.ts';
import { type Entry, forms, readChoice, readForm, readList, readRaw } from './fields.ts';
import { readFilters } from './filters.ts';
import { isToken } from './headers.ts';
import type { RuleBase, SessionPersistenceModel } from './types.ts';

/** `refuse` of what makes the rule unusable, with the first sentence it was told. */
export type RuleRefuse = { readonly refuse: Refuse; readonly unusable: () => string | undefined };

/** In their places: what is no rule is one that says nothing. */
export function readRules(value: unknown, refuse: Refuse): readonly Entry[] {
  return readList(value, 'spec.rules', refuse).map((each, index) => {
    const field = `spec.rules[${index}]`;
    return { raw: rawOf(each) ?? refuse(field, 'InvalidValue', `${shown(each)} is no rule`) ?? {}, field };
  });
}

/** A place for what is wrong with one rule. */
export function refusalsOf({ field }: Entry, refuse: Refuse): RuleRefuse {
  let first: string | undefined;
  return {
    refuse: (where, code, message) => {
      first ??= `${where.startsWith(`${field}.`) ? where.slice(field.length + 1) : where}: ${message}`;
      return refuse(where, code, message);
    },
    unusable: () => first,
  };
}

/** All but what makes it unusable. A backend's own filters are its own matter: they cost its share only. */
export function readRuleBase(
  { raw, field }: Entry,
  kind: 'HTTPRoute' | 'GRPCRoute',
  namespace: string,
  refuse: Refuse,
  bad: Refuse,
): Omit<RuleBase, 'unusable'> {
  const name = readForm(raw['name'], `${field}.name`, forms.section, refuse);
  const persistence = readPersistence(raw['sessionPersistence'], `${field}.sessionPersistence`, bad);
  const backends = readBackends(raw['backendRefs'], `${field}.backendRefs`, namespace, refuse);
  return {
    ...(name === undefined ? {} : { name }),
    filters: readFilters(raw['filters'], `${field}.filters`, kind, namespace, bad),
    backends: backends.map(({ reference, entry }) => ({
      ...reference,
      filters: readFilters(entry.raw['filters'], `${entry.field}.filters`, kind, namespace, refuse),
    })),
    ...(persistence === undefined ? {} : { sessionPersistence: persistence }),
  };
}

/** Of a rule's matches those that can be told; undefined: it has none of its own. What isn't a match makes the rule unusable. */
export function readMatches<Match>(
  value: unknown,
  field: string,
  read: (entry: Entry, refuse: Refuse) => Match | undefined,
  bad: Refuse,
): readonly Match[] | undefined {
  const given = readList(value, field, bad);
  if (given.length === 0)
    return value === undefined || value === null || Array.isArray(value) ? undefined : [];
  return given.flatMap((each, index) => {
    const at = `${field}[${index}]`;
    if (typeof each !== 'object' || each === null || Array.isArray(each))
      return bad(at, 'InvalidValue', `${shown(each)} is no match`) ?? [];
    return read({ raw: readRaw(each, at, bad), field: at }, bad) ?? [];
  });
}

export function readPersistence(
  value: unknown,
  field: string,
  refuse: Refuse,
): SessionPersistenceModel | undefined {
  if (value === undefined || value === null) return undefined;
  const raw = readRaw(value, field, refuse);
  const type = readChoice(raw['type'], `${field}.type`, ['Cookie', 'Header'], refuse) ?? 'Cookie';
  const given = raw['sessionName'];
  const named = given !== undefined && given !== null && given !== '';
  if (named && (!isToken(given) || given.length > 128))
    refuse(`${field}.sessionName`, 'InvalidHeader', `${shown(given)} is no name of a cookie or header`);
  const timeout = readDuration(raw['absoluteTimeout'], `${field}.absoluteTimeout`, refuse);
  const cookie = readRaw(raw['cookieConfig'], `${field}.cookieConfig`, refuse);
  const lifetime =
    readChoice(
      cookie['lifetimeType'],
      `${field}.cookieConfig.lifetimeType`,
      ['Permanent', 'Session'],
      refuse,
    ) ?? 'Session';
  if (lifetime === 'Permanent' && (timeout === undefined || type === 'Header'))
    refuse(
      `${field}.cookieConfig.lifetimeType`,
      'NotSupported',
      'Permanent is for cookies with an absoluteTimeout',
    );
  return {
    type,
    ...(named && isToken(given) ? { name: type === 'Header' ? given.toLowerCase() : given } : {}),
    // Of whole seconds: a session that was said to be shorter than one is none.
    ...(timeout === undefined ? {} : { absoluteTimeout: Math.ceil(timeout / 1000) }),
    lifetime,
  };
}
