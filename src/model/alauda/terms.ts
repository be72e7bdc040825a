/** Reads `dslx` of Rules: what must hold of a request, and the weight and length that ALB sorts Rules by. */

import { parseAddr } from '#net/addr.ts';
import { formatPrefix, hostPrefix } from '#net/prefix.ts';
import { rangeToPrefixes } from '#net/range.ts';
import { type Entry, readChoice, readEntries, readList } from '../gateway/fields.ts';
import { isToken } from '../gateway/headers.ts';
import { regexProblem } from '../gateway/regex.ts';
import type { Refuse } from '../problem.ts';
import { type Raw, shown } from '../raw.ts';
import type { Condition, Term, TermType } from './types.ts';

export type Terms = {
  readonly terms: readonly Term[];
  /** One of them, or of their conditions, is not among `terms`. */
  readonly isVague: boolean;
  /** All of what it says of hosts is among `terms`. */
  readonly hasHosts: boolean;
  readonly weight: number;
  readonly length: number;
};

const types = ['HOST', 'URL', 'SRC_IP', 'METHOD', 'HEADER', 'PARAM', 'COOKIE'] as const;
const keyed: readonly TermType[] = ['HEADER', 'PARAM', 'COOKIE'];

/** Terms of this many conditions, each with this many values, are no rules that somebody wrote. */
const most = { terms: 32, conditions: 128, length: 1024 } as const;

export function readTerms(value: unknown, field: string, refuse: Refuse): Terms {
  const entries = readEntries(value, field, refuse);
  let isVague = entries.length !== (Array.isArray(value) ? value.length : 0);
  if (entries.length > most.terms) refuse(field, 'LimitExceeded', `has more than ${most.terms} terms`);
  const read = entries.slice(0, most.terms).map((entry) => readTerm(entry, refuse));
  isVague ||= entries.length > most.terms || read.some((each) => each === undefined || each.isVague);
  const terms = read.flatMap((each) => (each?.term === undefined ? [] : [each.term]));
  const raws = entries.map(({ raw }) => raw);
  const hosts = raws.filter(({ type, values }) => type === 'HOST' && rowsOf(values).length > 0).length;
  const hasHosts = terms.filter(({ type }) => type === 'HOST').length === hosts;
  return {
    terms,
    isVague,
    hasHosts,
    weight: weightOf(raws),
    length: JSON.stringify(expressionOf(raws)).length,
  };
}

function readTerm(
  { raw, field }: Entry,
  refuse: Refuse,
): { readonly term?: Term; readonly isVague: boolean } | undefined {
  const type = readChoice(raw['type'], `${field}.type`, types, refuse);
  if (type === undefined) {
    if (raw['type'] === undefined) refuse(`${field}.type`, 'Required', 'says not what it looks at');
    return undefined;
  }
  const key = keyed.includes(type) ? readKey(type, raw['key'], `${field}.key`, refuse) : undefined;
  if (keyed.includes(type) && key === undefined) return undefined;
  const rows = readList(raw['values'], `${field}.values`, refuse);
  // As in ALB: a term without values is none.
  if (rows.length === 0) return { isVague: false };
  const conditions = rows
    .slice(0, most.conditions)
    .map((row, index) => readConditions(type, row, `${field}.values[${index}]`, refuse));
  // Without one of its alternatives the Rule would leave requests to others that ask for less.
  if (rows.length > most.conditions || conditions.includes(undefined)) return undefined;
  const good = conditions.flatMap((each) => each ?? []);
  return { term: { type, ...(key === undefined ? {} : { key }), conditions: good }, isVague: false };
}

function readKey(type: TermType, value: unknown, field: string, refuse: Refuse): string | undefined {
  if (!isToken(value)) return refuse(field, 'InvalidValue', `${shown(value)} is no name`);
  // ALB reads headers as nginx's variables, where dashes are underscores.
  return type === 'HEADER' ? value.toLowerCase().replaceAll('_', '-') : value;
}

function readConditions(
  type: TermType,
  row: unknown,
  field: string,
  refuse: Refuse,
): readonly Condition[] | undefined {
  const [operator, ...values] = readList(row, field, refuse);
  const texts = values.filter(
    (each): each is string => typeof each === 'string' && each.length <= most.length,
  );
  if (texts.length !== values.length || texts.length > most.conditions)
    return refuse(field, 'InvalidValue', `${shown(row)} has what is no text, or too much of it`);
  const [first] = texts;
  const one = texts.length === 1 ? first : undefined;
  const bad = () => refuse(field, 'NotSupported', `${shown(row)}: ${type} isn't looked at so`);
  if (type === 'SRC_IP') return readAddresses(operator, texts, field, refuse);
  switch (operator) {
    case 'EQ':
      return one === undefined ? bad() : [{ is: 'exactly', value: one }];
    case 'IN':
      return texts.length === 0 ? bad() : texts.map((value) => ({ is: 'exactly' as const, value }));
    case 'STARTS_WITH':
      return one === undefined || one === '' || type === 'METHOD' ? bad() : [{ is: 'prefix', value: one }];
    case 'ENDS_WITH':
      return one === undefined || one === '' || type === 'METHOD' || type === 'URL'
        ? bad()
        : [{ is: 'suffix', value: one }];
    case 'EXIST':
      return texts.length > 0 || !keyed.includes(type) ? bad() : [{ is: 'there' }];
    case 'REGEX': {
      if (one === undefined || type === 'METHOD') return bad();
      const problem = regexProblem(one);
      return problem === undefined
        ? [{ is: 'regex', value: one }]
        : refuse(field, 'InvalidPattern', `${shown(one)} ${problem}`);
    }
    default:
      return bad();
  }
}

/** ALB believes what clients say in X-Real-IP and X-Forwarded-For; here it is the connection that tells. */
function readAddresses(
  operator: unknown,
  texts: readonly string[],
  field: string,
  refuse: Refuse,
): readonly Condition[] | undefined {
  const addresses = texts.map(parseAddr);
  const known = addresses.flatMap((each) => each ?? []);
  if (known.length !== texts.length || known.length === 0)
    return refuse(field, 'InvalidAddress', `${shown(texts)} are no addresses`);
  if ((operator === 'EQ' && known.length === 1) || operator === 'IN')
    return [{ is: 'within', cidrs: known.map((each) => formatPrefix(hostPrefix(each))) }];
  const [from, to] = known;
  if (operator !== 'RANGE' || from === undefined || to === undefined || known.length !== 2)
    return refuse(field, 'NotSupported', `${shown(operator)} is not EQ, IN or RANGE`);
  if (from.family !== to.family || from.value > to.value)
    return refuse(field, 'InvalidRange', `${shown(texts)} is no range`);
  const range = { family: from.family, first: from.value, last: to.value };
  return [{ is: 'within', cidrs: rangeToPrefixes(range).map(formatPrefix) }];
}

/** Upstream's: an exact host counts most, then a wildcard, then exact paths, then others by their length. */
function weightOf(terms: readonly Raw[]): number {
  return terms.reduce((sum, { type, values }) => {
    const rows = rowsOf(values);
    const [first = []] = rows;
    if (type === 'HOST') {
      if (first[0] === 'EQ' || first[0] === 'IN') return sum + 50_000;
      return first[0] === 'ENDS_WITH' ? sum + 10_000 : sum;
    }
    if (type !== 'URL') return sum + 100 * rows.length;
    return rows.reduce((own, [operator, text = '']) => {
      if (operator === 'EQ') return own + 2000;
      const bytes = new TextEncoder().encode(text).length;
      if (operator === 'STARTS_WITH') return own + 1002 + bytes;
      return operator === 'REGEX' ? own + 1000 + bytes : own;
    }, sum);
  }, 0);
}

/** Upstream's expression, whose length as JSON decides between rules of one weight. */
function expressionOf(terms: readonly Raw[]): readonly unknown[] {
  const read = terms.flatMap(({ type, key, values }) => {
    const rows = rowsOf(values).map(([operator, ...rest]) => [
      operator,
      type,
      ...(typeof key === 'string' && key !== '' ? [key] : []),
      ...rest,
    ]);
    if (rows.length === 0) return [];
    return [rows.length > 1 ? ['OR', ...rows] : rows[0]];
  });
  return terms.length > 1 ? ['AND', ...read] : read;
}

function rowsOf(values: unknown): readonly (readonly string[])[] {
  if (!Array.isArray(values)) return [];
  return values.map((row: unknown) => (Array.isArray(row) ? row.map(String) : []));
}
