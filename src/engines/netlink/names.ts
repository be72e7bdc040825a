/** Names and addresses that are derived, so that every node and every restart comes to the same without asking. */
import { createHash } from 'node:crypto';
import { addrFromBytes, formatAddr, parseAddr } from '#net/addr.ts';
import { formatMac, localMac, macBytes, parseMac } from '#net/mac.ts';
import { links, numbers } from '#system/registry.ts';

/** Name of the node's end for a pod interface: the same for every call, 14 bytes. */
export function podDeviceName(containerID: string, ifName: string): string {
  return links.podPrefix.value + digest(`${containerID}/${ifName}`).slice(0, 11);
}

/** MAC of the pod's end when none is asked for: of the device's name, so that it is known without asking anybody. */
export function podMacOf(hostName: string): string {
  return formatMac(localMac(BigInt(`0x${digest(hostName).slice(0, 12)}`)));
}

/** Alias of our devices: the wiring version and, for a pod's, `containerID/interface`. */
export function formatAlias(endpoint?: string): string {
  const version = `netloom/${numbers.wiringVersion.value}`;
  return endpoint === undefined ? version : `${version} ${endpoint}`;
}

/** The parts of a pod's alias; none for one that isn't ours. */
export function parseAlias(alias: string): { endpoint?: string; wiringVersion?: number } {
  const match = /^netloom\/(\d+) (.+)$/.exec(alias);
  return match === null ? {} : { endpoint: match[2]!, wiringVersion: Number(match[1]) };
}

/**
 * MAC of a node's tunnel end, known to every node without asking: `02:6e` and the IPv4 address, or a hash of the IPv6 one.
 * `address` is the first of the node's underlay addresses.
 */
export function tunnelMac(address: string): string {
  const addr = parseAddr(address);
  if (addr?.family === 4) return formatMac(0x026e_0000_0000n | addr.value);
  return formatMac(localMac(BigInt(`0x${digest(address).slice(0, 12)}`)));
}

/** The modified EUI-64 link-local address of a MAC (RFC 4291, appendix A). */
export function linkLocalOf(mac: string): string {
  const [a, b, c, d, e, f] = macBytes(parseMac(mac)!) as unknown as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const bytes = Uint8Array.of(0xfe, 0x80, 0, 0, 0, 0, 0, 0, a ^ 0x02, b, c, 0xff, 0xfe, d, e, f);
  return formatAddr(addrFromBytes(bytes)!);
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
