/** Certificates and authorities of listeners, parsed once a worker and version. */
import { createDictionary, type Dictionary } from '../dictionary.ts';
import type { RouterListener, RouterTable } from '../table.ts';
import { type Authorities, parseAuthorities } from './tls-openssl.ts';

const ssl = require('ngx.ssl') as NgxSsl;

export type ParsedCertificate = { readonly chain: SslChain; readonly key: SslPrivateKey };

/** What was parsed, and of what: the table has another object once it is told of another certificate. */
type Parsed<I, P> = { readonly intent: I; readonly parsed: P | undefined };

type Pair = RouterTable['certificates'][string];
type Authority = RouterTable['authorities'][string];

const certificates: Dictionary<Parsed<Pair, ParsedCertificate>> =
  createDictionary<Parsed<Pair, ParsedCertificate>>();
const authorities: Dictionary<Parsed<Authority, Authorities>> =
  createDictionary<Parsed<Authority, Authorities>>();

/** How many are parsed before those that the table has no more are looked for. */
const patience = 256;
let parsedSince = 0;

/** By key; `undefined`: there is none of that name, or it is broken. */
export function parsedCertificate(table: RouterTable, key: string): ParsedCertificate | undefined {
  const intent = table.certificates[key];
  if (intent === undefined) return undefined;
  const known = certificates[key];
  if (known !== undefined && known.intent === intent) return known.parsed;
  const [chain] = ssl.parse_pem_cert(intent.certificate);
  const [privateKey] = ssl.parse_pem_priv_key(intent.privateKey);
  const parsed = chain === undefined || privateKey === undefined ? undefined : { chain, key: privateKey };
  makeRoom(table);
  certificates[key] = { intent, parsed };
  return parsed;
}

/** As parsedCertificate. */
export function parsedAuthorities(table: RouterTable, key: string): Authorities | undefined {
  const intent = table.authorities[key];
  if (intent === undefined) return undefined;
  const known = authorities[key];
  if (known !== undefined && known.intent === intent) return known.parsed;
  const parsed = parseAuthorities(intent.certificates);
  makeRoom(table);
  authorities[key] = { intent, parsed };
  return parsed;
}

function makeRoom(table: RouterTable): void {
  parsedSince += 1;
  if (parsedSince < patience) return;
  parsedSince = 0;
  for (const key in certificates) {
    if (table.certificates[key] !== certificates[key]!.intent) delete certificates[key];
  }
  for (const key in authorities) {
    if (table.authorities[key] !== authorities[key]!.intent) delete authorities[key];
  }
}

/**
 * Which of a listener's certificates are for `name`, in the listener's order: those whose names fit, else the first and those with the same
 * names. Several may be, of different kinds of key.
 */
export function certificatesFor(table: RouterTable, listener: RouterListener, name: string): string[] {
  const keys = listener.intent === undefined ? undefined : listener.intent.certificates;
  const fitting: string[] = [];
  if (keys === undefined) return fitting;
  const dot = name.indexOf('.');
  const wildcard = dot === -1 ? '' : `*${name.slice(dot)}`;
  for (let at = 0; at < keys.length; at++) {
    const pair = table.certificates[keys[at]!];
    if (pair !== undefined && hasName(pair, name, wildcard)) fitting.push(keys[at]!);
  }
  if (fitting.length > 0) return fitting;
  let names: string | undefined;
  for (let at = 0; at < keys.length; at++) {
    const pair = table.certificates[keys[at]!];
    if (pair !== undefined) {
      if (names === undefined) names = pair.names.join(',');
      if (pair.names.join(',') === names) fitting.push(keys[at]!);
    }
  }
  return fitting;
}

function hasName(pair: Pair, name: string, wildcard: string): boolean {
  for (let at = 0; at < pair.names.length; at++) {
    const candidate = pair.names[at]!;
    if (candidate === name || candidate === wildcard) return true;
  }
  return false;
}
