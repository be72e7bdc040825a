/** The string formats that CustomResourceDefinition schemas check. Unknown formats are ignored, as on every API server. */
import { isIPv4, isIPv6 } from 'node:net';
import { parseInterfacePrefix } from '#net/prefix.ts';

const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
const hostname =
  /^([a-zA-Z0-9\p{S}\p{L}]((-?[a-zA-Z0-9\p{S}\p{L}]{0,62})?)|([a-zA-Z0-9\p{S}\p{L}](([a-zA-Z0-9-\p{S}\p{L}]{0,61}[a-zA-Z0-9\p{S}\p{L}])?)(\.)){1,}([a-zA-Z]){2,63})$/u;
const uuid = (version: string) =>
  new RegExp(`^[0-9a-f]{8}-?[0-9a-f]{4}-?${version}[0-9a-f]{3}-?[0-9a-f]{4}-?[0-9a-f]{12}$`, 'i');
const dateTime = /^(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/;
const goDuration = /^[+-]?(?:0|(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+)$/;
const scalaDuration =
  /^\d+(?:\.\d+)? ?(?:d|days?|h|hours?|m|min|mins|minutes?|s|secs?|seconds?|ms|millis?|milliseconds?|us|µs|micros?|microseconds?|ns|nanos?|nanoseconds?|w|weeks?)$/;

const checks: Readonly<Record<string, (text: string) => boolean>> = {
  'date-time': isDateTime,
  datetime: isDateTime,
  date: (text) => /^\d{4}-\d\d-\d\d$/.test(text) && isDateTime(`${text}T00:00:00Z`),
  duration: (text) => goDuration.test(text) || scalaDuration.test(text),
  ipv4: isIPv4,
  ipv6: (text) => isIPv6(text) && !text.includes('%'),
  cidr: (text) => parseInterfacePrefix(text) !== undefined,
  mac: (text) =>
    /^(?:[0-9a-f]{2}([:-]))(?:[0-9a-f]{2}\1){4,18}[0-9a-f]{2}$/i.test(text) ||
    /^(?:[0-9a-f]{4}\.){2,9}[0-9a-f]{4}$/i.test(text),
  uri: isUri,
  hostname: (text) => text.length <= 255 && hostname.test(text),
  email: (text) => /^[^\s@<>]+@[^\s@<>]+$/.test(text),
  uuid: (text) => uuid('[0-9a-f]').test(text),
  uuid3: (text) => uuid('3').test(text),
  uuid4: (text) => /^[0-9a-f]{8}-?[0-9a-f]{4}-?4[0-9a-f]{3}-?[89ab][0-9a-f]{3}-?[0-9a-f]{12}$/i.test(text),
  uuid5: (text) => /^[0-9a-f]{8}-?[0-9a-f]{4}-?5[0-9a-f]{3}-?[89ab][0-9a-f]{3}-?[0-9a-f]{12}$/i.test(text),
  byte: (text) => base64.test(text.replace(/[\r\n]/g, '')),
  bsonobjectid: (text) => /^[0-9a-f]{24}$/i.test(text),
  hexcolor: (text) => /^#?(?:[0-9a-f]{3}|[0-9a-f]{6})$/i.test(text),
  rgbcolor: isRgb,
  ssn: (text) => /^\d{3}[- ]?\d{2}[- ]?\d{4}$/.test(text),
  isbn10: (text) => isIsbn10(text.replace(/[- ]/g, '')),
  isbn13: (text) => isIsbn13(text.replace(/[- ]/g, '')),
  isbn: (text) => isIsbn10(text.replace(/[- ]/g, '')) || isIsbn13(text.replace(/[- ]/g, '')),
  creditcard: (text) => isLuhn(text.replace(/\D/g, '')),
};

/** Whether a string has a format; true for formats that nobody checks (password, for one). */
export function hasFormat(format: string, text: string): boolean {
  const check = Object.hasOwn(checks, format) ? checks[format] : undefined;
  return check === undefined || check(text);
}

/** RFC 3339 date-time with days that exist. */
function isDateTime(text: string): boolean {
  const match = dateTime.exec(text);
  if (match === null) return false;
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const days = new Date(Date.UTC(year, month, 0)).getUTCDate();
  return month >= 1 && month <= 12 && day >= 1 && day <= days && hour <= 23 && minute <= 59 && second <= 59;
}

/** What Go's url.ParseRequestURI takes: an absolute URI, or an absolute path. */
function isUri(text: string): boolean {
  if (/[^!-~\u0080-\u{10ffff}]/u.test(text) || /%(?![0-9A-Fa-f]{2})/.test(text)) return false;
  return text.startsWith('/') || /^[A-Za-z][A-Za-z0-9+.-]*:./.test(text);
}

function isRgb(text: string): boolean {
  const match = /^rgb\(\s*(\d{1,3})\s*,\s*(\d{1,3})\s*,\s*(\d{1,3})\s*\)$/.exec(text);
  return match?.slice(1).every((part) => Number(part) <= 255) ?? false;
}

function isIsbn10(digits: string): boolean {
  if (!/^\d{9}[\dX]$/.test(digits)) return false;
  const sum = digits
    .split('')
    .reduce((total, each, i) => total + (10 - i) * (each === 'X' ? 10 : Number(each)), 0);
  return sum % 11 === 0;
}

function isIsbn13(digits: string): boolean {
  if (!/^\d{13}$/.test(digits)) return false;
  return (
    digits.split('').reduce((total, each, i) => total + (i % 2 === 0 ? 1 : 3) * Number(each), 0) % 10 === 0
  );
}

function isLuhn(digits: string): boolean {
  if (!/^\d{12,19}$/.test(digits)) return false;
  const sum = digits
    .split('')
    .reverse()
    .reduce((total, each, i) => {
      const doubled = i % 2 === 0 ? Number(each) : Number(each) * 2;
      return total + (doubled > 9 ? doubled - 9 : doubled);
    }, 0);
  return sum % 10 === 0;
}
