/** PEM (RFC 7468) by its form: blocks of Base64 with a label. What stands between the blocks is dropped. */

export type PEMBlock = { readonly label: string; readonly text: string };

/** Undefined: a block doesn't end, or isn't Base64. */
export function readPEM(text: string): readonly PEMBlock[] | undefined {
  const blocks: PEMBlock[] = [];
  const lines = text.split(/\r\n|\n|\r/).map((line) => line.trim());
  for (let at = 0; at < lines.length; at += 1) {
    const label = /^-----BEGIN ([A-Z0-9][A-Z0-9 ]{0,40})-----$/.exec(lines[at] ?? '')?.[1];
    if (label === undefined) continue;
    const end = lines.indexOf(`-----END ${label}-----`, at);
    if (end === -1) return undefined;
    const body = lines.slice(at + 1, end).join('');
    if (!isBase64(body)) return undefined;
    const wrapped = body.match(/.{1,64}/g) ?? [];
    blocks.push({ label, text: [lines[at], ...wrapped, lines[end], ''].join('\n') });
    at = end;
  }
  return blocks;
}

/** Bytes of a Secret's field, which must be ASCII, as PEM is; undefined: they aren't. */
export function decodeASCII(base64: string): string | undefined {
  const packed = base64.replaceAll(/[\r\n]/g, '');
  if (!isBase64(packed)) return undefined;
  const text = atob(packed);
  return /^[\0-\x7f]*$/.test(text) ? text : undefined;
}

function isBase64(text: string): boolean {
  return text.length > 0 && text.length % 4 === 0 && /^[A-Za-z0-9+/]+={0,2}$/.test(text);
}
