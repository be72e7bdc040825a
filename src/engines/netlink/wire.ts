/** Addresses and hardware addresses between their text and the bytes of rtnetlink. */
import { type Addr, addrFromBytes, formatAddr, parseAddr } from '#net/addr.ts';
import { macBytes, parseMac } from '#net/mac.ts';
import { linux } from '#system/libc.ts';

/** AF_INET or AF_INET6. */
export const linuxFamily = (addr: { readonly family: 4 | 6 }) =>
  addr.family === 4 ? linux.AF_INET : linux.AF_INET6;

/** An address that the caller knows to be one; anything else is a bug, not input. */
export function mustAddr(value: string): Addr {
  const addr = parseAddr(value);
  if (addr === undefined) throw new TypeError(`not an IP address: ${value}`);
  return addr;
}

/** An address of four or sixteen bytes as text; undefined for anything else. Dumps come here tens of thousands of times. */
export function addressText(bytes: Buffer | undefined): string | undefined {
  if (bytes?.length === 4) return `${bytes[0]}.${bytes[1]}.${bytes[2]}.${bytes[3]}`;
  const addr = bytes === undefined ? undefined : addrFromBytes(bytes);
  return addr === undefined ? undefined : formatAddr(addr);
}

export function macText(bytes: Buffer | undefined): string {
  return bytes?.length === 6 ? (bytes.toString('hex').match(/../g) ?? []).join(':') : '';
}

export function mustMac(value: string): Uint8Array {
  const mac = parseMac(value);
  if (mac === undefined) throw new TypeError(`not a MAC address: ${value}`);
  return macBytes(mac);
}
