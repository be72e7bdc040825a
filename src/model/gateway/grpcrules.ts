/** Reads the rules of GRPCRoutes. */
import type { Refuse } from '../problem.ts';
import { shown } from '../raw.ts';
import { type Entry, readRaw, readText } from './fields.ts';
import { readHeaderMatches, readMatchType, readRegex, whole } from './matches.ts';
import { readMatches, readRuleBase, readRules, refusalsOf } from './rules.ts';
import type { GRPCMatchModel, GRPCRuleModel } from './types.ts';

/** A rule without matches has one, which takes every call; only one none of whose matches can be used has none. */
export function readGRPCRules(value: unknown, namespace: string, refuse: Refuse): readonly GRPCRuleModel[] {
  return readRules(value, refuse).map((entry) => {
    const { raw, field } = entry;
    const { refuse: bad, unusable } = refusalsOf(entry, refuse);
    const matches = readMatches(raw['matches'], `${field}.matches`, readMatch, bad) ?? [{ headers: [] }];
    const base = readRuleBase(entry, 'GRPCRoute', namespace, refuse, bad);
    const reason = unusable();
    return { ...base, matches, ...(reason === undefined ? {} : { unusable: reason }) };
  });
}

function readMatch({ raw, field }: Entry, refuse: Refuse): GRPCMatchModel | undefined {
  return whole(refuse, (bad) => {
    const method = readMethod(raw['method'], `${field}.method`, bad);
    return {
      ...(method === undefined ? {} : { method }),
      headers: readHeaderMatches(raw['headers'], `${field}.headers`, bad),
    };
  });
}

const names = { service: /^\.?[a-z_]\w*(\.[a-z_]\w*)*$/i, method: /^[A-Za-z_]\w*$/ } as const;

function readMethod(value: unknown, field: string, refuse: Refuse): GRPCMatchModel['method'] {
  if (value === undefined || value === null) return undefined;
  const raw = readRaw(value, field, refuse);
  const type = readMatchType(raw['type'], `${field}.type`, refuse);
  const part = (name: 'service' | 'method') => {
    const at = `${field}.${name}`;
    const text = readText(raw[name], at, refuse);
    if (text === undefined) return undefined;
    if (type === 'RegularExpression') return readRegex(text, at, refuse);
    if (text.length <= 1024 && names[name].test(text)) return text;
    return refuse(at, 'InvalidValue', `${shown(text)} is no name of a ${name}`);
  };
  const [service, method] = [part('service'), part('method')];
  if (service === undefined && method === undefined)
    refuse(field, 'Required', 'needs service, method or both');
  return {
    type,
    ...(service === undefined ? {} : { service }),
    ...(method === undefined ? {} : { method }),
  };
}
