/** Interfaces of the node, and which of them can be answered on. */

import { type Message, readAttributes, readU32 } from '#system/netlink-codec.ts';
import { linkGroups, links as ownLinks } from '#system/registry.ts';
import { readLink } from '../netlink/link-messages.ts';

export type L2Link = {
  readonly ifindex: number;
  readonly name: string;
  readonly mac: string;
  readonly up: boolean;
  /** Ethernet frames that reach everybody on the segment, who ask by ARP and NDP. */
  readonly broadcasts: boolean;
  /** Index of the bridge, bond or VRF that it is part of; 0: none. */
  readonly master: number;
  readonly kind: string;
  readonly group: number;
};

/** linux/if.h, linux/if_arp.h, linux/if_link.h. */
const iff = { BROADCAST: 0x2, LOOPBACK: 0x8, NOARP: 0x80 } as const;
const ethernet = 1;
const iflaMaster = 10;

/** Other programs' own: what they connect is no segment of the outside. An advertisement may name them all the same. */
const unasked =
  /^(?:docker|br-[0-9a-f]{12}$|cbr|dummy|virbr|lxcbr|lxdbr|veth|cali|cilium|tunl|flannel|kube-ipvs|kube-bridge|cni|podman|nodelocaldns|lxc)/;

/** Names that stand for themselves in nft's language. */
const plain = /^[A-Za-z0-9_.:@+-]{1,15}$/;

/** Of pods' devices, which come and go by the second, nothing is kept. */
export function readL2Link(message: Message): L2Link | undefined {
  const { ifindex, name, mac, up, kind, group } = readLink(message);
  if (isPods({ name, group })) return undefined;
  const flags = message.payload.readUInt32LE(8);
  const attributes = readAttributes(message.payload, 16);
  const talks = (flags & iff.BROADCAST) !== 0 && (flags & (iff.NOARP | iff.LOOPBACK)) === 0;
  return {
    ifindex,
    name,
    mac,
    up,
    kind,
    group,
    broadcasts: talks && message.payload.readUInt16LE(2) === ethernet && mac !== '',
    master: readU32(attributes, iflaMaster) ?? 0,
  };
}

/** Why nothing can be answered there; undefined: it can. */
export function reasonAgainst(link: L2Link, all: readonly L2Link[]): string | undefined {
  if (isOwn(link)) return "is Netloom's own";
  if (!link.broadcasts) return 'is no Ethernet that can broadcast: nobody asks there by ARP or NDP';
  const master = all.find(({ ifindex }) => ifindex === link.master);
  if (link.master !== 0 && master?.kind !== 'vrf') return `is part of ${master?.name ?? 'another interface'}`;
  if (!plain.test(link.name)) return 'has a name that nft can not be told';
  return link.up ? undefined : 'is down';
}

/** Whether an advertisement that names no interface means this one. */
export function isMeantByAll({ name }: L2Link): boolean {
  return !unasked.test(name);
}

function isOwn({ name, group }: L2Link): boolean {
  return group === linkGroups.tunnel.value || name === ownLinks.tunnel.value;
}

function isPods({ name, group }: Pick<L2Link, 'name' | 'group'>): boolean {
  return (
    group === linkGroups.pods.value ||
    name.startsWith(ownLinks.podPrefix.value) ||
    name.startsWith(ownLinks.ifbPrefix.value)
  );
}
