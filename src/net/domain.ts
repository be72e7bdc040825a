/** Domain names as policies write them and DNS answers have them: lower case, without the dot at the end; pure. */

/** What a rule may say: a name of two labels or more, `*.` before it for one or more labels. */
const label = '[a-zA-Z0-9_](?:[-a-zA-Z0-9_]*[a-zA-Z0-9])?';
const pattern = new RegExp(`^(?:\\*\\.)?(?:${label}\\.)+${label}\\.?$`);

/** RFC 1035 §2.3.4, as text. */
const longestName = 253;

/** Undefined for what is no name or pattern. */
export function readNamePattern(text: string): string | undefined {
  const name = canonicalName(text);
  return pattern.test(text) && name.length <= longestName ? name : undefined;
}

export function canonicalName(text: string): string {
  return (text.endsWith('.') ? text.slice(0, -1) : text).toLowerCase();
}

/** `*.example.org` takes names with one or more labels before it, not `example.org`. Both canonical. */
export function nameMatches(wanted: string, name: string): boolean {
  return wanted.startsWith('*.')
    ? name.endsWith(wanted.slice(1)) && name.length >= wanted.length
    : name === wanted;
}
