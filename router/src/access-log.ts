/** Lines of the access log: JSON, with what was asked for and nothing else, so that no request can forge one. */

/** All that a line may have. */
export const logFields = [
  'time',
  'requestId',
  'trace',
  'client',
  'method',
  'scheme',
  'host',
  'path',
  'query',
  'protocol',
  'status',
  'bytesReceived',
  'bytesSent',
  'duration',
  'listener',
  'route',
  'rule',
  'policy',
  'tenant',
  'backend',
  'upstream',
  'upstreamStatus',
  'upstreamDuration',
  'tries',
  'userAgent',
  'referer',
  'tlsVersion',
  'tlsServerName',
] as const;

export type LogField = (typeof logFields)[number];

/** Bytes of a line; a pipe takes as many at once, so that lines of two workers never mix. */
export const longestLine = 4_096;
/** Of one value: what is behind is cut off, and `...` stands there. */
const longestValue = 1_024;

/** With its line break. What isn't known is left out, and so is what would make the line too long. */
export function logLine(
  fields: readonly string[],
  told: (this: void, field: string) => string | number | undefined,
): string {
  const pieces: string[] = [];
  let length = 3;
  for (let at = 0; at < fields.length; at++) {
    const value = told(fields[at]!);
    if (value !== undefined) {
      const piece = `"${fields[at]!}":${typeof value === 'number' ? `${value}` : jsonText(value)}`;
      if (length + piece.length + 1 <= longestLine) {
        pieces.push(piece);
        length += piece.length + 1;
      }
    }
  }
  return `{${pieces.join(',')}}\n`;
}

/** A string of JSON in ASCII: bytes and characters that aren't are written `\xNN`, as nginx does, since they may not be UTF-8. */
export function jsonText(text: string): string {
  const cut = text.length > longestValue;
  const shown = cut ? text.slice(0, longestValue) : text;
  const pieces: string[] = [];
  let from = 0;
  for (let at = 0; at < shown.length; at++) {
    const code = shown.charCodeAt(at);
    if (code < 32 || code > 126 || code === 34 || code === 92) {
      pieces.push(shown.slice(from, at));
      pieces.push(escaped(code));
      from = at + 1;
    }
  }
  pieces.push(shown.slice(from));
  return `"${pieces.join('')}${cut ? '...' : ''}"`;
}

function escaped(code: number): string {
  if (code === 34) return '\\"';
  if (code === 92) return '\\\\';
  const hexadecimal = code.toString(16);
  const digits = hexadecimal.length === 1 ? `0${hexadecimal}` : hexadecimal;
  return code < 32 ? `\\u00${digits}` : `\\\\x${digits}`;
}
