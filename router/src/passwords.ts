/** Names and passwords (RFC 7617), and which hashes of a password file are verified in which way. */

export type Credentials = { readonly name: string; readonly password: string };

/** `crypt`: by the C library. `undefined`: what isn't known, isn't a hash, or would take so long that it could be used to keep us busy. */
export type HashKind = 'apr1' | 'sha1' | 'crypt';

export type Digest = (this: void, bytes: string) => string;

/** bcrypt doubles its time with each; 12 takes a quarter of a second. */
const mostCost = 12;
const mostRounds = 100_000;
/** Longer passwords take longer, and nobody has them. */
const longestPassword = 256;

/** `text` is what stands behind `Basic `, decoded, as bytes. */
export function readCredentials(text: string): Credentials | undefined {
  const colon = text.indexOf(':');
  if (colon === -1) return undefined;
  const password = text.slice(colon + 1);
  // C would not see what is behind a NUL.
  if (password.length > longestPassword || password.indexOf('\0') !== -1) return undefined;
  return { name: text.slice(0, colon), password };
}

export function hashKind(hash: string): HashKind | undefined {
  if (hash.indexOf('$apr1$') === 0) return 'apr1';
  if (hash.indexOf('{SHA}') === 0) return 'sha1';
  if (hash.indexOf('$2') === 0) return isCheapBcrypt(hash) ? 'crypt' : undefined;
  if (hash.indexOf('$5$') === 0 || hash.indexOf('$6$') === 0) return isCheapSha(hash) ? 'crypt' : undefined;
  if (hash.indexOf('$1$') === 0) return 'crypt';
  // yescrypt as Debian makes it, or cheaper.
  if (hash.indexOf('$y$j') === 0) {
    const cost = hash.charCodeAt(4);
    return cost >= 53 && cost <= 57 && hash.slice(5, 7) === 'T$' ? 'crypt' : undefined;
  }
  return undefined;
}

/** Takes the same time wherever they differ. */
export function isSame(one: string, other: string): boolean {
  let difference = one.length === other.length ? 0 : 1;
  const length = Math.min(one.length, other.length);
  for (let at = 0; at < length; at++) {
    const apart = one.charCodeAt(at) - other.charCodeAt(at);
    difference += apart * apart;
  }
  return difference === 0;
}

/** Apache's own, which no C library has: MD5 a thousand times over. `md5` is of bytes, in bytes. */
export function apr1(password: string, hash: string, md5: Digest): string {
  const rest = hash.slice(6);
  const dollar = rest.indexOf('$');
  const salt = (dollar === -1 ? rest : rest.slice(0, dollar)).slice(0, 8);
  const mixed = md5(`${password}${salt}${password}`);
  let first = `${password}$apr1$${salt}`;
  for (let left = password.length; left > 0; left -= 16) first += mixed.slice(0, Math.min(16, left));
  for (let left = password.length; left > 0; left = Math.floor(left / 2)) {
    first += left % 2 === 1 ? '\0' : password.slice(0, 1);
  }
  let sum = md5(first);
  for (let round = 0; round < 1000; round++) {
    let text = round % 2 === 1 ? password : sum;
    if (round % 3 !== 0) text += salt;
    if (round % 7 !== 0) text += password;
    text += round % 2 === 1 ? sum : password;
    sum = md5(text);
  }
  let encoded = `$apr1$${salt}$`;
  for (let at = 0; at < 5; at++) {
    encoded += sixties(
      sum.charCodeAt(at) * 65_536 + sum.charCodeAt(at + 6) * 256 + sum.charCodeAt(at === 4 ? 5 : at + 12),
      4,
    );
  }
  return encoded + sixties(sum.charCodeAt(11), 2);
}

const alphabet = './0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/** The lowest six bits first. */
function sixties(number: number, count: number): string {
  let text = '';
  let rest = number;
  for (let at = 0; at < count; at++) {
    text += alphabet.charAt(rest % 64);
    rest = Math.floor(rest / 64);
  }
  return text;
}

/** `$2y$10$…`, 60 characters. */
function isCheapBcrypt(hash: string): boolean {
  const kind = hash.charCodeAt(2);
  if (hash.length !== 60 || (kind !== 97 && kind !== 98 && kind !== 121)) return false;
  const cost = numberAt(hash, 4, 6);
  return hash.charAt(3) === '$' && hash.charAt(6) === '$' && cost >= 4 && cost <= mostCost;
}

function isCheapSha(hash: string): boolean {
  if (hash.indexOf('rounds=') !== 3) return true;
  const end = hash.indexOf('$', 10);
  const rounds = end === -1 || end > 20 ? -1 : numberAt(hash, 10, end);
  return rounds >= 1 && rounds <= mostRounds;
}

/** -1: it isn't one. */
function numberAt(text: string, from: number, end: number): number {
  let number = 0;
  for (let at = from; at < end; at++) {
    const digit = text.charCodeAt(at) - 48;
    if (!(digit >= 0 && digit <= 9)) return -1;
    number = number * 10 + digit;
  }
  return number;
}
