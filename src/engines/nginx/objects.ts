/** What nginx holds: entries, each a line of a change, of the file that nginx starts from, and of the list of what it has. */
import { crc32 } from 'node:zlib';
import type { GatewayDomain } from '#intent/gateway.ts';

/** Domains that nginx is told of, each after those that it refers to. Identities are the TLS originator's. */
export const heldDomains = [
  'certificates',
  'authorities',
  'backends',
  'firewallRules',
  'users',
  'policies',
  'tenants',
  'actions',
  'ports',
  'listeners',
  'rules',
  'streams',
] as const satisfies readonly GatewayDomain[];

export type HeldDomain = (typeof heldDomains)[number];

/** One entry of the intent. */
export type Entry = {
  readonly domain: HeldDomain;
  readonly key: string;
  /** JSON on one line. */
  readonly text: string;
};

/** The first line of a change, and of the file. */
export type Head = {
  /** Which nginx it is for: one that began anew holds other versions. Absent in the file. */
  readonly boot?: string;
  /** The version that it changes: another one is refused. Absent in the file. */
  readonly after?: number;
  /** Which generation of the intent is held after it; absent: more is to follow. */
  readonly generation?: number;
};

/** What parts of a line are told apart by; neither JSON nor a key has one of these in it. */
const separator = '\t';

/** `DOMAIN⇥KEY⇥JSON`. */
export function printEntry({ domain, key, text }: Entry): string {
  return `${domain}${separator}${key}${separator}${text}\n`;
}

/** A line without a value takes the entry away. */
export function printRemoval({ domain, key }: Pick<Entry, 'domain' | 'key'>): string {
  return `${domain}${separator}${key}${separator}\n`;
}

export function printHead(head: Head): string {
  return `${JSON.stringify(head)}\n`;
}

/** Names an entry in lists and problems. */
export function entryName({ domain, key }: Pick<Entry, 'domain' | 'key'>): string {
  return `${domain}/${key}`;
}

/** By which nginx and this process tell whether they hold the same: decimal CRC-32 of the text, as nginx prints it. */
export function digest(text: string): string {
  return String(crc32(text));
}

/** Reads `DOMAIN⇥KEY⇥DIGEST` lines: the list of what nginx has. What isn't such a line is left out. */
export function parseList(
  list: string,
): Map<string, { readonly entry: Pick<Entry, 'domain' | 'key'>; readonly digest: string }> {
  const held = new Map<string, { readonly entry: Pick<Entry, 'domain' | 'key'>; readonly digest: string }>();
  for (const line of list.split('\n')) {
    const [domain = '', key, sum] = line.split(separator);
    if (key === undefined || sum === undefined || !isHeld(domain)) continue;
    const entry = { domain, key };
    held.set(entryName(entry), { entry, digest: sum });
  }
  return held;
}

export function isHeld(domain: string): domain is HeldDomain {
  return heldDomains.some((each) => each === domain);
}
