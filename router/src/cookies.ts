/** Cookies of a request, read by hand: their names are strangers', and no variable of nginx. */

/** The first of that name in a `Cookie` header; `undefined`: there is none. */
export function cookieValue(header: string | undefined, name: string): string | undefined {
  if (header === undefined) return undefined;
  let from = 0;
  while (from < header.length) {
    let end = header.indexOf(';', from);
    if (end === -1) end = header.length;
    const equals = header.indexOf('=', from);
    if (equals !== -1 && equals < end && header.slice(from, equals).trim() === name) {
      return header.slice(equals + 1, end).trim();
    }
    from = end + 1;
  }
  return undefined;
}
