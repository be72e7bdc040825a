/** What an object of ALB's asks for and doesn't get: fields that the catalogue refuses, and those that it doesn't know. */
import type { Refuse } from '../problem.ts';
import { type Raw, rawOf } from '../raw.ts';
import { type AlaudaKind, type FieldEntry, fieldsOfKind } from './catalogue.ts';

const known: Readonly<Record<AlaudaKind, ReadonlyMap<string, FieldEntry>>> = {
  ALB2: fieldsOfKind('ALB2'),
  Frontend: fieldsOfKind('Frontend'),
  Rule: fieldsOfKind('Rule'),
};

/** So many are told of one object. */
const most = 32;

export function refuseStrangers(kind: AlaudaKind, spec: Raw, refuse: Refuse): void {
  const fields = known[kind];
  const prefixes = new Set([...fields.keys()].flatMap(beginnings));
  let told = 0;
  const tell: Refuse = (...problem) => {
    told += 1;
    return told > most ? undefined : refuse(...problem);
  };
  const walk = (value: Raw, path: string): void => {
    for (const [name, each] of Object.entries(value)) {
      if (asksForNothing(each)) continue;
      const field = `${path}.${name}`;
      const entry = fields.get(field);
      const inner = rawOf(each);
      if (entry?.state === 'refused') tell(field, 'NotSupported', entry.what);
      else if (inner !== undefined && prefixes.has(field)) walk(inner, field);
      else if (entry === undefined) tell(field, 'NotSupported', 'is not known');
    }
  };
  walk(spec, 'spec');
}

/** `spec.a` and `spec.a.b` of `spec.a.b.c`. */
function beginnings(field: string): readonly string[] {
  const parts = field.split('.');
  return parts.slice(1).map((_, index) => parts.slice(0, index + 1).join('.'));
}

/** false, 0, '', an empty list or object, and what says that it isn't enabled. */
function asksForNothing(value: unknown): boolean {
  if (value === undefined || value === null || value === '' || value === false || value === 0) return true;
  if (value === 'false') return true;
  if (Array.isArray(value)) return value.length === 0;
  const raw = rawOf(value);
  return raw !== undefined && (Object.keys(raw).length === 0 || raw['enable'] === false);
}
