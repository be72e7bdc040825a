/** The router's view of a request in nginx. One object for all: a request is routed in one go. */
import { queryValue, type RouterReader, type RouterRequest, type RouterRule, targetQuery } from '../main.ts';
import { clientBy } from './client.ts';
import { headerOf } from './request.ts';
import { currentTable } from './worker.ts';

export type NginxRequest = RouterRequest & {
  pointer: FFIPointer;
  /** As the client sent it: path and query. */
  target: string;
  host: string;
  path: string;
  method: string;
};

export const reader: RouterReader<NginxRequest> = {
  header: (request, name) => headerOf(request.pointer, name),
  query: (request, name) => {
    const query = targetQuery(request.target);
    return query === undefined ? undefined : queryValue(query, name);
  },
  matches: (subject, pattern) => found(subject, pattern, false),
  beginsWith: (subject, pattern) => found(subject, pattern, true),
  client: (request, action) => {
    const table = currentTable();
    const policy = table.actions[action]?.intent.policy;
    return clientBy(request.pointer, policy === undefined ? undefined : table.policies[policy]).address;
  },
};

/** Patterns that can be used, as they are given to PCRE; false: that can't. */
type Patterns = Record<string, string | false>;

let whole: Patterns = {};
let beginnings: Patterns = {};
let count = 0;
const limit = 20_000;

function found(subject: string, pattern: string, loose: boolean): boolean {
  const usable = usablePattern(pattern, loose);
  if (usable === false) return false;
  const [from] = ngx.re.find(subject, usable, loose ? 'joi' : 'jo');
  return from !== undefined;
}

/** What the groups of a rule's pattern matched; of a group that matched nothing ''. */
export function capturesOf(this: void, path: string, rule: RouterRule): readonly string[] {
  const usable = usablePattern(rule.path, rule.loose);
  if (usable === false) return [];
  const [match] = ngx.re.match(path, usable, rule.loose ? 'joi' : 'jo');
  const captures: string[] = [];
  if (match === undefined) return captures;
  for (let group = 1; group <= 9; group++) {
    const text = match.get(group);
    captures.push(text === undefined || text === false ? '' : text);
  }
  return captures;
}

function usablePattern(pattern: string, loose: boolean): string | false {
  const known = loose ? beginnings[pattern] : whole[pattern];
  if (known !== undefined) return known;
  if (count >= limit) {
    whole = {};
    beginnings = {};
    count = 0;
  }
  const made = checked(pattern, loose ? `\\A(?:${pattern})` : `\\A(?:${pattern})\\z`);
  if (loose) beginnings[pattern] = made;
  else whole[pattern] = made;
  count += 1;
  return made;
}

/** Alone it must be a pattern, else what stands around it would complete it to another. */
function checked(pattern: string, made: string): string | false {
  for (const one of [pattern, made]) {
    const [_from, _to, problem] = ngx.re.find('', one, '');
    if (problem !== undefined) {
      ngx.log(ngx.WARN, 'a pattern of a rule can not be used: ', problem);
      return false;
    }
  }
  return made;
}
