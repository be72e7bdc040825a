/** The IP, CIDR and URL libraries. */
import type { Environment } from '@marcbachmann/cel-js';
import { type Addr, formatAddr, maxValue, parseAddr } from '#net/addr.ts';
import {
  hostPrefix,
  type Prefix,
  parseInterfacePrefix,
  parsePrefix,
  prefixContains,
  prefixHas,
} from '#net/prefix.ts';
import { hasFormat } from '../formats.ts';
import { define, defineNamespace, fail } from './functions.ts';

class Ip {
  readonly addr: Addr;
  constructor(addr: Addr) {
    this.addr = addr;
  }
  valueOf(): string {
    return formatAddr(this.addr);
  }
}

class Cidr {
  readonly addr: Addr;
  readonly prefix: Prefix;
  constructor(addr: Addr, prefix: Prefix) {
    this.addr = addr;
    this.prefix = prefix;
  }
  valueOf(): string {
    return `${formatAddr(this.addr)}/${this.prefix.length}`;
  }
}

class Url {
  readonly scheme: string;
  readonly host: string;
  readonly path: string;
  readonly query: string;
  constructor(text: string) {
    const [, scheme = '', host = '', path = '', query = ''] =
      /^(?:([A-Za-z][A-Za-z0-9+.-]*):)?(?:\/\/(?:[^/?@]*@)?([^/?]*))?([^?]*)(?:\?(.*))?$/s.exec(text) ?? [];
    this.scheme = scheme.toLowerCase();
    this.host = host;
    this.path = path;
    this.query = query;
  }
  valueOf(): string {
    return `${this.scheme}://${this.host}${this.path}?${this.query}`;
  }
}

const ip = 'net.IP';
const cidr = 'net.CIDR';
const url = 'kubernetes.URL';

/** ip(), cidr(), url(), their tests and methods. */
export function addAddresses(environment: Environment): void {
  addIps(environment);
  addCidrs(environment);
  addUrls(environment);
}

/** IPv4-mapped IPv6 addresses and zones are refused, as on the server. */
function readIp(text: string): Ip | undefined {
  const addr = parseAddr(text);
  return addr === undefined || isMapped(addr) ? undefined : new Ip(addr);
}

function isMapped(addr: Addr): boolean {
  return addr.family === 6 && addr.value >> 32n === 0xffffn;
}

function readCidr(text: string): Cidr | undefined {
  const parsed = parseInterfacePrefix(text);
  return parsed === undefined || isMapped(parsed.addr) ? undefined : new Cidr(parsed.addr, parsed.prefix);
}

function addIps(environment: Environment): void {
  const within = (...prefixes: readonly string[]) => {
    const parsed = prefixes.map((each) => parsePrefix(each)!);
    return ({ addr }: Ip) => parsed.some((prefix) => prefixHas(prefix, addr));
  };
  const unspecified = within('0.0.0.0/32', '::/128');
  const loopback = within('127.0.0.0/8', '::1/128');
  const linkLocal = within('169.254.0.0/16', 'fe80::/10');
  const multicast = within('224.0.0.0/4', 'ff00::/8');
  environment.registerType(ip, { ctor: Ip, fields: {} });
  environment.registerOperator(`${ip} == ${ip}`, (a: Ip, b: Ip) => a.valueOf() === b.valueOf());
  define(environment, 'isIP(string): bool', (text: string) => readIp(text) !== undefined);
  define(
    environment,
    `ip(string): ${ip}`,
    (text: string) => readIp(text) ?? fail(`IP Address "${text}" parse error`),
  );
  define(environment, `string(${ip}): string`, (each: Ip) => each.valueOf());
  define(environment, `${ip}.family(): int`, (each: Ip) => BigInt(each.addr.family));
  define(environment, `${ip}.isUnspecified(): bool`, unspecified);
  define(environment, `${ip}.isLoopback(): bool`, loopback);
  define(environment, `${ip}.isLinkLocalMulticast(): bool`, (each: Ip) =>
    each.addr.family === 4 ? within('224.0.0.0/24')(each) : each.addr.value >> 112n === 0xff02n,
  );
  define(environment, `${ip}.isLinkLocalUnicast(): bool`, linkLocal);
  define(environment, `${ip}.isGlobalUnicast(): bool`, (each: Ip) => {
    const broadcast = each.addr.family === 4 && each.addr.value === maxValue(4);
    return !(broadcast || [unspecified, loopback, linkLocal, multicast].some((test) => test(each)));
  });
  defineNamespace(environment, 'ip', {
    'isCanonical(string): bool': (text: string) =>
      (readIp(text) ?? fail(`IP Address "${text}" parse error`)).valueOf() === text,
  });
}

function addCidrs(environment: Environment): void {
  environment.registerType(cidr, { ctor: Cidr, fields: {} });
  environment.registerOperator(`${cidr} == ${cidr}`, (a: Cidr, b: Cidr) => a.valueOf() === b.valueOf());
  define(environment, 'isCIDR(string): bool', (text: string) => readCidr(text) !== undefined);
  const read = (text: string) =>
    readCidr(text) ?? fail(`network address parse error during conversion from string: ${text}`);
  define(environment, `cidr(string): ${cidr}`, read);
  define(environment, `string(${cidr}): string`, (each: Cidr) => each.valueOf());
  define(environment, `${cidr}.ip(): ${ip}`, (each: Cidr) => new Ip(each.addr));
  define(environment, `${cidr}.prefixLength(): int`, (each: Cidr) => BigInt(each.prefix.length));
  define(
    environment,
    `${cidr}.masked(): ${cidr}`,
    (each: Cidr) => new Cidr({ family: each.addr.family, value: each.prefix.value }, each.prefix),
  );
  const hasIp = (each: Cidr, other: Ip | undefined, text: string) =>
    other === undefined
      ? fail(`IP Address "${text}" parse error`)
      : prefixContains(each.prefix, hostPrefix(other.addr));
  define(environment, `${cidr}.containsIP(${ip}): bool`, (each: Cidr, other: Ip) => hasIp(each, other, ''));
  define(environment, `${cidr}.containsIP(string): bool`, (each: Cidr, text: string) =>
    hasIp(each, readIp(text), text),
  );
  define(environment, `${cidr}.containsCIDR(${cidr}): bool`, (each: Cidr, other: Cidr) =>
    prefixContains(each.prefix, other.prefix),
  );
  define(environment, `${cidr}.containsCIDR(string): bool`, (each: Cidr, text: string) =>
    prefixContains(each.prefix, read(text).prefix),
  );
}

function addUrls(environment: Environment): void {
  environment.registerType(url, { ctor: Url, fields: {} });
  environment.registerOperator(`${url} == ${url}`, (a: Url, b: Url) => a.valueOf() === b.valueOf());
  define(environment, 'isURL(string): bool', (text: string) => hasFormat('uri', text));
  define(environment, `url(string): ${url}`, (text: string) =>
    hasFormat('uri', text)
      ? new Url(text)
      : fail(`URL parse error during conversion from string: parse "${text}": invalid URI for request`),
  );
  define(environment, `${url}.getScheme(): string`, (each: Url) => each.scheme);
  define(environment, `${url}.getHost(): string`, (each: Url) => each.host);
  define(environment, `${url}.getHostname(): string`, (each: Url) =>
    each.host.replace(/:\d*$/, '').replace(/^\[(.*)\]$/, '$1'),
  );
  define(environment, `${url}.getPort(): string`, (each: Url) => /:(\d+)$/.exec(each.host)?.[1] ?? '');
  define(environment, `${url}.getEscapedPath(): string`, (each: Url) => each.path);
  define(environment, `${url}.getQuery(): map<string, list<string>>`, (each: Url) => {
    const query = new Map<string, string[]>();
    for (const [key, value] of new URLSearchParams(each.query))
      query.set(key, [...(query.get(key) ?? []), value]);
    return query;
  });
}
