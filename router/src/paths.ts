/**
 * The one form of a path that is matched and sent on, so that router and backend can't mean different things by it.
 *
 * It stays percent-encoded, as paths in routes are: `%7E` becomes `~` (unreserved, RFC 3986 §6.2.2.2), `%c3` becomes `%C3`, `%2F` stays
 * what it is: a character of a segment, never a separator. Dot segments are resolved (§5.2.4), empty segments dropped. Refused is what
 * backends are known to read differently from each other: a path that climbs over the root, a NUL, a broken escape, a `#` (for some the
 * path ends there) or `\` (for some it separates), and segments that turn into dot segments where `%2F` and `%5C` separate or `;` ends a
 * name.
 */

const slash = 47;

/** `path` is the request target's up to `?`, in the characters of RFC 3986 (nginx/serve.ts escapes others). `undefined`: the request gets 400. */
export function normalisePath(path: string): string | undefined {
  if (
    path.charCodeAt(0) === slash &&
    path.indexOf('%') === -1 &&
    path.indexOf('/.') === -1 &&
    path.indexOf('//') === -1 &&
    path.indexOf('#') === -1 &&
    path.indexOf('\\') === -1
  ) {
    return path;
  }
  return normaliseSlowly(path);
}

/** A path as a route has it (the API lets no dot segments through): only its escapes. */
export function normaliseRoutePath(path: string): string {
  const plain = plainEscapes(path);
  return plain === undefined ? path : plain;
}

/** A prefix ends at a segment, so its last slash says nothing: `/a/` is `/a`, `/` is ''. */
export function normalisePrefix(prefix: string): string {
  const path = normaliseRoutePath(prefix);
  return path.charCodeAt(path.length - 1) === slash ? path.slice(0, path.length - 1) : path;
}

/** How many segments a normalised prefix has: slashes in it. */
export function depthOf(prefix: string): number {
  let depth = 0;
  let at = prefix.indexOf('/');
  while (at !== -1) {
    depth += 1;
    at = prefix.indexOf('/', at + 1);
  }
  return depth;
}

/** The path of a request target: `/a?b`, or in absolute form `http://host/a?b`. */
export function targetPath(target: string): string {
  const from = target.charCodeAt(0) === slash ? 0 : authorityEnd(target);
  const question = target.indexOf('?');
  const end = question === -1 ? target.length : question;
  return from >= end ? '/' : target.slice(from, end);
}

/** What follows `?`; `undefined` without one. */
export function targetQuery(target: string): string | undefined {
  const question = target.indexOf('?');
  return question === -1 ? undefined : target.slice(question + 1);
}

/** The value of two hexadecimal digits; -1: they aren't. */
export function hexByte(text: string, at: number): number {
  const high = hexDigit(text.charCodeAt(at));
  const low = hexDigit(text.charCodeAt(at + 1));
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

/** Where the path begins in an absolute target; at 0 in anything else, which normalisePath then refuses (`*`). */
function authorityEnd(target: string): number {
  const scheme = target.indexOf('://');
  if (scheme === -1) return 0;
  const end = target.indexOf('/', scheme + 3);
  return end === -1 ? target.length : end;
}

function normaliseSlowly(path: string): string | undefined {
  if (path.charCodeAt(0) !== slash) return undefined;
  if (path.indexOf('#') !== -1 || path.indexOf('\\') !== -1) return undefined;
  const plain = plainEscapes(path);
  return plain === undefined ? undefined : withoutDots(plain);
}

/** Unreserved characters as themselves, all other escapes in capitals; `undefined`: one is broken, or a NUL. */
function plainEscapes(path: string): string | undefined {
  let at = path.indexOf('%');
  if (at === -1) return path;
  const pieces: string[] = [];
  let from = 0;
  while (at !== -1) {
    const code = hexByte(path, at + 1);
    if (code <= 0) return undefined;
    pieces.push(path.slice(from, at));
    pieces.push(
      isUnreserved(code) ? String.fromCharCode(code) : `%${path.slice(at + 1, at + 3).toUpperCase()}`,
    );
    from = at + 3;
    at = path.indexOf('%', from);
  }
  pieces.push(path.slice(from));
  return pieces.join('');
}

function withoutDots(path: string): string | undefined {
  const kept: string[] = [];
  const length = path.length;
  // A path that ends in a slash or a dot segment names a directory and ends in a slash again.
  let directory = false;
  let from = 1;
  while (from <= length) {
    let end = path.indexOf('/', from);
    if (end === -1) end = length;
    const segment = path.slice(from, end);
    from = end + 1;
    directory = segment === '' || segment === '.' || segment === '..';
    if (segment === '..') {
      if (kept.length === 0) return undefined;
      kept.pop();
    } else if (!directory) {
      if (readsAsDots(segment)) return undefined;
      kept.push(segment);
    }
  }
  if (kept.length === 0) return '/';
  return directory ? `/${kept.join('/')}/` : `/${kept.join('/')}`;
}

function readsAsDots(segment: string): boolean {
  const end = segment.indexOf(';');
  if (end === 1 || end === 2) {
    const name = segment.slice(0, end);
    if (name === '.' || name === '..') return true;
  }
  if (segment.indexOf('..') === -1) return false;
  return (
    segment.indexOf('..%2F') !== -1 ||
    segment.indexOf('%2F..') !== -1 ||
    segment.indexOf('..%5C') !== -1 ||
    segment.indexOf('%5C..') !== -1
  );
}

/** Letters, digits, `-` `.` `_` `~`. */
function isUnreserved(code: number): boolean {
  if (code >= 97 && code <= 122) return true;
  if (code >= 65 && code <= 90) return true;
  if (code >= 48 && code <= 57) return true;
  return code === 45 || code === 46 || code === 95 || code === 126;
}

function hexDigit(code: number): number {
  if (code >= 48 && code <= 57) return code - 48;
  if (code >= 65 && code <= 70) return code - 55;
  if (code >= 97 && code <= 102) return code - 87;
  return -1;
}
