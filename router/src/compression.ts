/** Which answers are compressed. */

/** Whether a Content-Type is one of these media types, or of a kind that ends in `/*`. */
export function hasMediaType(types: readonly string[], contentType: string): boolean {
  const semicolon = contentType.indexOf(';');
  const written = semicolon === -1 ? contentType : contentType.slice(0, semicolon);
  const type = written.trim().toLowerCase();
  for (let at = 0; at < types.length; at++) {
    const wanted = types[at]!.toLowerCase();
    if (wanted === type) return true;
    const kind = wanted.length - 1;
    if (wanted.slice(kind) === '*' && wanted.slice(0, kind) === type.slice(0, kind) && type !== '')
      return true;
  }
  return false;
}

/** Whether compressing would change what is there (RFC 9110 §7.7), or would come too late. */
export function staysAsItIs(cacheControl: string | undefined, contentEncoding: string | undefined): boolean {
  if (contentEncoding !== undefined && contentEncoding !== '') return true;
  return cacheControl !== undefined && cacheControl.toLowerCase().indexOf('no-transform') !== -1;
}
