/** Reads the rules of HTTPRoutes. */
import type { Refuse } from '../problem.ts';
import { readDuration } from './duration.ts';
import { type Entry, readInteger, readList, readRaw } from './fields.ts';
import { readHTTPMatch } from './matches.ts';
import { readMatches, readRuleBase, readRules, refusalsOf } from './rules.ts';
import type { HTTPMatchModel, HTTPRuleModel } from './types.ts';

const everything: HTTPMatchModel = { path: { type: 'PathPrefix', value: '/' }, headers: [], query: [] };

/** A route that says none has one, which takes everything. Whether filters go together, and with the matches, is judged in compile/gateway. */
export function readHTTPRules(value: unknown, namespace: string, refuse: Refuse): readonly HTTPRuleModel[] {
  if (value === undefined || value === null)
    return [readRule({ raw: {}, field: 'spec.rules[0]' }, namespace, refuse)];
  return readRules(value, refuse).map((entry) => readRule(entry, namespace, refuse));
}

function readRule(entry: Entry, namespace: string, refuse: Refuse): HTTPRuleModel {
  const { raw, field } = entry;
  const { refuse: bad, unusable } = refusalsOf(entry, refuse);
  const matches = readMatches(raw['matches'], `${field}.matches`, readHTTPMatch, bad) ?? [everything];
  const base = readRuleBase(entry, 'HTTPRoute', namespace, refuse, bad);
  const timeouts = readTimeouts(raw['timeouts'], `${field}.timeouts`, bad);
  const retry = readRetry(raw['retry'], `${field}.retry`, bad);
  const reason = unusable();
  return {
    ...base,
    matches,
    timeouts,
    ...(retry === undefined ? {} : { retry }),
    ...(reason === undefined ? {} : { unusable: reason }),
  };
}

function readTimeouts(value: unknown, field: string, refuse: Refuse): HTTPRuleModel['timeouts'] {
  const raw = readRaw(value, field, refuse);
  const request = readDuration(raw['request'], `${field}.request`, refuse);
  const backendRequest = readDuration(raw['backendRequest'], `${field}.backendRequest`, refuse);
  if (request !== undefined && request !== 0 && backendRequest !== undefined && backendRequest > request)
    refuse(`${field}.backendRequest`, 'InvalidTimeout', 'is longer than request');
  return {
    ...(request === undefined ? {} : { request }),
    ...(backendRequest === undefined ? {} : { backendRequest }),
  };
}

/** More tries than these turn one failing backend into a flood. */
const mostAttempts = 20;

export function readRetry(value: unknown, field: string, refuse: Refuse): HTTPRuleModel['retry'] {
  if (value === undefined || value === null) return undefined;
  const raw = readRaw(value, field, refuse);
  const codes = readList(raw['codes'], `${field}.codes`, refuse).flatMap(
    (each, index) => readCode(each, `${field}.codes[${index}]`, refuse) ?? [],
  );
  const attempts = readInteger(raw['attempts'], `${field}.attempts`, [1, mostAttempts], refuse);
  const backoff = readDuration(raw['backoff'], `${field}.backoff`, refuse);
  return {
    codes: [...new Set(codes)],
    attempts: attempts ?? 1,
    ...(backoff === undefined ? {} : { backoff }),
  };
}

function readCode(value: unknown, field: string, refuse: Refuse): number | undefined {
  return readInteger(value, field, [400, 599], refuse) ?? refuse(field, 'InvalidValue', 'is no status code');
}
