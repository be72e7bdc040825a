/** What changes of an intent must look like, whoever hands them to whom: entries to put and keys to remove, by domain. */

export type JSONObject = Readonly<Record<string, unknown>>;

/**
 * What is wrong, as one clause, or undefined. Shapes only: entries are the work of who sends them. `refuseDomain`: why there is nothing to be
 * said of a domain.
 */
export function wrongShape(
  { put, remove }: JSONObject,
  refuseDomain: (domain: string) => string | undefined,
): string | undefined {
  if (!isObject(put) || !isObject(remove)) return 'put and remove: not objects';
  for (const domain of [...Object.keys(put), ...Object.keys(remove)]) {
    const refusal = refuseDomain(domain);
    if (refusal !== undefined) return `${domain}: ${refusal}`;
  }
  for (const [domain, entries] of Object.entries(put)) {
    if (!isObject(entries) || !Object.values(entries).every(isObject))
      return `put.${domain}: not a record of objects`;
  }
  for (const [domain, keys] of Object.entries(remove)) {
    if (!Array.isArray(keys) || !keys.every((key) => typeof key === 'string'))
      return `remove.${domain}: not a list of strings`;
  }
  return undefined;
}

export function isObject(value: unknown): value is JSONObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
