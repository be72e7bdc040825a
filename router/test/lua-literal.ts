/** Plain data as Lua source, so that LuaJIT reads it without a library. For tests and benches. */

export function luaLiteral(value: unknown): string {
  if (value === undefined) return 'nil';
  if (typeof value === 'string') return luaString(value);
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (Array.isArray(value)) return `{${value.map(luaLiteral).join(',')}}`;
  const entries = Object.entries(value as object).filter(([, field]) => field !== undefined);
  return `{${entries.map(([key, field]) => `[${luaString(key)}]=${luaLiteral(field)}`).join(',')}}`;
}

/** Bytes other than plain letters by number: three digits each, so that what follows can't be taken for one more. */
function luaString(text: string): string {
  const bytes = [...Buffer.from(text, 'utf8')];
  const printable = (byte: number) => byte >= 32 && byte < 127 && byte !== 34 && byte !== 92;
  return `"${bytes
    .map((byte) => (printable(byte) ? String.fromCharCode(byte) : `\\${String(byte).padStart(3, '0')}`))
    .join('')}"`;
}
