/** Which Service addresses and node ports are taken, and the choice of free ones. */
import { randomInt } from 'node:crypto';
import { type Addr, type Family, formatAddr, parseAddr } from '#net/addr.ts';
import { type Prefix, parsePrefix, prefixHas, prefixSize } from '#net/prefix.ts';

export const nodePortRange = { first: 30_000, last: 32_767 } as const;

export type PortProtocol = 'TCP' | 'UDP' | 'SCTP';

/** Taken values with the Service that has each; the caller keeps it in step with the store. */
export class ServiceAllocator {
  readonly prefixes: readonly Prefix[];
  readonly #addresses = new Map<string, string>();
  readonly #ports = new Map<string, string>();

  /** `cidrs`: one or two, of different families. Throws for anything else. */
  constructor(cidrs: readonly string[]) {
    this.prefixes = cidrs.map((cidr) => {
      const prefix = parsePrefix(cidr);
      if (prefix === undefined) throw new Error(`serviceCidrs: ${JSON.stringify(cidr)} is no prefix`);
      return prefix;
    });
    const families = new Set(this.prefixes.map((prefix) => prefix.family));
    if (families.size !== this.prefixes.length || this.prefixes.length === 0) {
      throw new Error('serviceCidrs: one prefix, or one of each family');
    }
  }

  prefix(family: Family): Prefix | undefined {
    return this.prefixes.find((prefix) => prefix.family === family);
  }

  addressOwner(address: string): string | undefined {
    return this.#addresses.get(address);
  }

  portOwner(protocol: PortProtocol, port: number): string | undefined {
    return this.#ports.get(`${protocol}/${port}`);
  }

  takeAddress(address: string, owner: string): void {
    this.#addresses.set(address, owner);
  }

  takePort(protocol: PortProtocol, port: number, owner: string): void {
    this.#ports.set(`${protocol}/${port}`, owner);
  }

  releaseAddress(address: string): void {
    this.#addresses.delete(address);
  }

  releasePort(protocol: PortProtocol, port: number): void {
    this.#ports.delete(`${protocol}/${port}`);
  }

  /**
   * A free address; undefined when there is none. The lower part of the range is used last: people choose fixed
   * addresses there, such as 10.96.0.10 for DNS (KEP-3070).
   */
  freeAddress(family: Family): string | undefined {
    const prefix = this.prefix(family);
    if (prefix === undefined) return undefined;
    const size = Number(prefixSize(prefix) < 65_536n ? prefixSize(prefix) : 65_536n);
    // Neither the network's own address nor, for IPv4, the broadcast address.
    const last = family === 4 ? size - 2 : size - 1;
    const reserved = Math.min(Math.max(16, Math.floor(size / 16)), 256, last);
    return this.#search(prefix, reserved, last) ?? this.#search(prefix, 1, reserved - 1);
  }

  freePort(protocols: readonly PortProtocol[], taken: ReadonlySet<number>): number | undefined {
    const count = nodePortRange.last - nodePortRange.first + 1;
    const start = randomInt(count);
    for (let step = 0; step < count; step++) {
      const port = nodePortRange.first + ((start + step) % count);
      if (taken.has(port)) continue;
      if (protocols.every((protocol) => this.portOwner(protocol, port) === undefined)) return port;
    }
    return undefined;
  }

  /** Why an address that a user asked for can't be a Service's; undefined when it can. */
  refusal(address: string, family: Family, owner: string): string | undefined {
    const parsed = parseAddr(address);
    if (parsed === undefined) return 'must be a valid IP address';
    if (parsed.family !== family) return `expected an IPv${family} value as indicated by ipFamilies`;
    const prefix = this.prefix(family);
    if (prefix === undefined || !prefixHas(prefix, parsed)) {
      return 'failed to allocate IP: the provided IP is not in the valid range';
    }
    const holder = this.addressOwner(formatAddr(parsed));
    return holder === undefined || holder === owner
      ? undefined
      : `failed to allocate IP ${address}: provided IP is already allocated`;
  }

  #search(prefix: Prefix, first: number, last: number): string | undefined {
    const count = last - first + 1;
    if (count <= 0) return undefined;
    const start = randomInt(count);
    for (let step = 0; step < count; step++) {
      const offset = BigInt(first + ((start + step) % count));
      const address: Addr = { family: prefix.family, value: prefix.value + offset };
      const text = formatAddr(address);
      if (!this.#addresses.has(text)) return text;
    }
    return undefined;
  }
}
