/** GatewayIntent ─► entries as nginx holds them; pure. Each is taken alone, so a change costs what it changes. */
import type { GatewayChange, GatewayIntent } from '#intent/gateway.ts';
import { type Entry, entryName, heldDomains } from './objects.ts';

export type Problem = { readonly entry: string; readonly reason: string };

/** Bytes of one entry: a certificate chain with its key takes some 10 kB. */
const entryLimit = 256 * 1024;
/** Bytes of a key. */
const keyLimit = 4096;

export type Lowered = {
  readonly value: readonly Entry[];
  readonly problems: readonly Problem[];
};

/** Entries that can't be held are left out, each with a problem; the rest is. */
export function lower(put: Partial<GatewayIntent>): Lowered {
  const value: Entry[] = [];
  const problems: Problem[] = [];
  for (const domain of heldDomains) {
    for (const [key, content] of Object.entries(put[domain] ?? {})) {
      const entry = { domain, key, text: JSON.stringify(content) };
      const reason = refusal(entry);
      if (reason === undefined) value.push(entry);
      else problems.push({ entry: entryName({ domain, key: printable(key) }), reason });
    }
  }
  return { value, problems };
}

/** Entries that a change takes away, of domains that nginx holds. */
export function lowerRemovals(remove: GatewayChange['remove']): Pick<Entry, 'domain' | 'key'>[] {
  return heldDomains.flatMap((domain) => (remove[domain] ?? []).map((key) => ({ domain, key })));
}

function refusal({ key, text }: Entry): string | undefined {
  // A line break or a tab in a key would end the entry on its way to nginx.
  if (key === '' || printable(key) !== key) return 'its key has characters that no name has';
  if (Buffer.byteLength(key) > keyLimit) return `its key is longer than ${keyLimit} bytes`;
  if (Buffer.byteLength(text) > entryLimit) return `it is larger than ${entryLimit / 1024} kB`;
  return undefined;
}

function printable(key: string): string {
  return key.replace(/\p{Cc}/gu, '?');
}
