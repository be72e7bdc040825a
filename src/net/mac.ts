/** MAC addresses (EUI-48) as values. */

/** 48 bits, most significant octet first on the wire. */
export type Mac = bigint;

/** Reads six two-digit hex octets joined by `:` or by `-`, any case; anything else is `undefined`. */
export function parseMac(text: string): Mac | undefined {
  if (!/^[0-9a-fA-F]{2}(?:(?::[0-9a-fA-F]{2}){5}|(?:-[0-9a-fA-F]{2}){5})$/.test(text)) return undefined;
  return BigInt(`0x${text.replaceAll(/[:-]/g, '')}`);
}

/** Lower case, joined by colons, as `ip link` prints it. */
export function formatMac(mac: Mac): string {
  return (mac.toString(16).padStart(12, '0').match(/../g) ?? []).join(':');
}

/** Six bytes as on the wire. */
export function macBytes(mac: Mac): Uint8Array {
  return Uint8Array.from({ length: 6 }, (_, i) => Number((mac >> BigInt(40 - 8 * i)) & 0xffn));
}

/** `undefined` unless there are exactly six bytes. */
export function macFromBytes(bytes: Uint8Array): Mac | undefined {
  if (bytes.length !== 6) return undefined;
  return bytes.reduce((mac, byte) => (mac << 8n) | BigInt(byte), 0n);
}

/** A unicast, locally administered MAC (IEEE 802 §8.4) made of the low 48 bits of any number. */
export function localMac(seed: bigint): Mac {
  return (seed & 0xfcff_ffff_ffffn) | 0x0200_0000_0000n;
}

/** Whether one station can have it: not multicast, not broadcast, not zero. */
export function isUnicastMac(mac: Mac): boolean {
  return mac !== 0n && (mac & 0x0100_0000_0000n) === 0n;
}
