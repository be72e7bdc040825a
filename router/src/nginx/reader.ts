/** The router's view of a request in nginx. One object for all: a request is routed in one go. */
import { queryValue, type RouterReader, type RouterRequest, targetQuery } from '../main.ts';
import { headerOf } from './request.ts';

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
  matches,
};

/** Patterns that can be used, as they are given to PCRE; false: that can't. */
let patterns: Record<string, string | false> = {};
let count = 0;
const limit = 20_000;

function matches(this: void, subject: string, pattern: string): boolean {
  let whole = patterns[pattern];
  if (whole === undefined) {
    whole = wholePattern(pattern);
    if (count >= limit) {
      patterns = {};
      count = 0;
    }
    patterns[pattern] = whole;
    count += 1;
  }
  if (whole === false) return false;
  const [from] = ngx.re.find(subject, whole, 'jo');
  return from !== undefined;
}

/** Alone it must be a pattern, else what stands around it would complete it to another. */
function wholePattern(pattern: string): string | false {
  const whole = `\\A(?:${pattern})\\z`;
  for (const one of [pattern, whole]) {
    const [_from, _to, problem] = ngx.re.find('', one, '');
    if (problem !== undefined) {
      ngx.log(ngx.WARN, 'a pattern of a rule can not be used: ', problem);
      return false;
    }
  }
  return whole;
}
