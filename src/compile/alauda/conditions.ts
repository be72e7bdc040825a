/** What must hold of a request for a Rule, as Gateway API's matches: hosts, paths, methods, headers, parameters; and clients. */
import type { Condition, RuleModel, Term, TermType } from '#model/alauda/types.ts';
import type { ValueMatch } from '#model/gateway/types.ts';
import { anyOf, foundIn, literally } from './patterns.ts';

/** A path, before it is known beside which others it stands. */
export type PathForm =
  | { readonly kind: 'exact'; readonly value: string }
  | { readonly kind: 'all' }
  | { readonly kind: 'regex'; readonly value: string };

export type Conditions = {
  /** Each of them is enough. '' in `hosts`: any. */
  readonly places: readonly { readonly hosts: readonly string[]; readonly header?: ValueMatch }[];
  /** None: any. */
  readonly url: readonly Condition[];
  readonly methods: readonly string[];
  readonly headers: readonly ValueMatch[];
  readonly query: readonly ValueMatch[];
  readonly clients?: readonly string[];
  /** Sentences: what of it Gateway API has no words for. Then it takes more than it should. */
  readonly lost: readonly string[];
};

const methods = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH'];

export function conditionsOf({ terms }: Pick<RuleModel, 'terms'>): Conditions {
  const lost: string[] = [];
  const only = (type: TermType): Term | undefined => {
    const [first, ...more] = terms.filter((term) => term.type === type);
    if (more.length > 0) lost.push(`two terms of type ${type} that must both hold`);
    return first;
  };
  const values = (of: TermType): readonly ValueMatch[] => {
    const those = terms.filter(({ type }) => type === of);
    const read = those.map((term) => valueMatch(term, lost));
    const names = new Set(read.map((each) => each?.name));
    if (names.size < those.length) lost.push(`two terms of type ${of} for one name that must both hold`);
    return read.flatMap((each, index) =>
      each === undefined || read.findIndex((other) => other?.name === each.name) < index ? [] : [each],
    );
  };
  const method = only('METHOD')?.conditions ?? [];
  const named = method.flatMap((each) => (each.is === 'exactly' ? [each.value.toUpperCase()] : []));
  const strange = named.filter((each) => !methods.includes(each));
  if (strange.length > 0) lost.push(`method ${strange[0]}`);
  const source = only('SRC_IP')?.conditions;
  const cookie = cookieMatch(
    terms.filter(({ type }) => type === 'COOKIE'),
    lost,
  );
  const headers = values('HEADER');
  if (cookie !== undefined && headers.some(({ name }) => name === 'cookie'))
    lost.push('a COOKIE and the HEADER cookie that must both hold');
  return {
    places: placesOf(only('HOST')?.conditions ?? [], lost),
    url: only('URL')?.conditions ?? [],
    methods: named.filter((each) => methods.includes(each)),
    headers: [
      ...headers.filter(({ name }) => name !== 'cookie' || cookie === undefined),
      ...(cookie ? [cookie] : []),
    ],
    query: values('PARAM'),
    ...(source === undefined
      ? {}
      : { clients: source.flatMap((each) => (each.is === 'within' ? each.cidrs : [])) }),
    lost,
  };
}

const hostname = /^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

/** What is no name or wildcard is looked for in the Host header. */
function placesOf(conditions: readonly Condition[], lost: string[]): Conditions['places'] {
  if (conditions.length === 0) return [{ hosts: [''] }];
  const hosts: string[] = [];
  const patterns: string[] = [];
  for (const each of conditions) {
    if (each.is === 'exactly' && hostname.test(each.value.toLowerCase()))
      hosts.push(each.value.toLowerCase());
    else if (each.is === 'suffix' && hostname.test(wildcardOf(each.value)))
      hosts.push(wildcardOf(each.value));
    else patterns.push(patternFor(each));
  }
  const places: { hosts: readonly string[]; header?: ValueMatch }[] = [];
  if (hosts.length > 0) places.push({ hosts: [...new Set(hosts)] });
  if (patterns.length === 0) return places;
  const value = anyOf([`(?:${patterns.join('|')})(?::\\d+)?`], 'i');
  if (value === undefined) lost.push('hosts whose expression is too long');
  else places.push({ hosts: [''], header: { name: 'host', type: 'RegularExpression', value } });
  return places;
}

/** ALB takes `*.a.example` and `.a.example` for the same. */
function wildcardOf(suffix: string): string {
  const name = suffix.toLowerCase().replace(/^\*?\.?/, '');
  return `*.${name}`;
}

function valueMatch({ key = '', conditions }: Term, lost: string[]): ValueMatch | undefined {
  const [first] = conditions;
  if (conditions.length === 1 && first?.is === 'exactly' && first.value !== '')
    return { name: key, type: 'Exact', value: first.value };
  const value = anyOf(conditions.map(patternFor), 's');
  if (value !== undefined) return { name: key, type: 'RegularExpression', value };
  lost.push(`${key}: too much for one regular expression`);
  return undefined;
}

/** Cookies stand in one header, in any order. */
function cookieMatch(terms: readonly Term[], lost: string[]): ValueMatch | undefined {
  const [term, ...more] = terms;
  if (term === undefined) return undefined;
  if (more.length > 0) lost.push('two cookies that must both be there');
  const values = term.conditions.map((each) => patternFor(each).replaceAll('.*', '[^;]*'));
  const value = anyOf([`(?:.*;)?\\s*${literally(term.key ?? '')}=(?:${values.join('|')})\\s*(?:;.*)?`]);
  if (value !== undefined) return { name: 'cookie', type: 'RegularExpression', value };
  lost.push(`cookie ${term.key}: too much for one regular expression`);
  return undefined;
}

/** That all of a text must match. */
export function patternFor(condition: Condition): string {
  switch (condition.is) {
    case 'exactly':
      return literally(condition.value);
    case 'prefix':
      return `${literally(condition.value)}.*`;
    case 'suffix':
      return `.*${literally(condition.value.replace(/^\*/, ''))}`;
    case 'regex':
      return foundIn(condition.value);
    default:
      return '.*';
  }
}
