/** The VXLAN device as rtnetlink messages (linux/if_link.h, IFLA_VXLAN_*). */
import { addrBytes, addrFromBytes, formatAddr } from '#net/addr.ts';
import type { Request } from '#system/netlink-codec.ts';
import { bytes, readAttributes, readU8, readU32, u8, u16be, u32 } from '#system/netlink-codec.ts';
import { type LinkState, newLink } from './link-messages.ts';
import type { Link } from './objects.ts';
import { mustAddr } from './wire.ts';

const vxlan = { ID: 1, LOCAL: 4, LEARNING: 7, PORT: 15, LOCAL6: 17 } as const;

/** Makes the device, down. It is bound to no lower device: the route to each peer decides where its packets leave. */
export function newVxlan(link: Link): Request {
  const local = mustAddr(link.local);
  return newLink(link.name, 'vxlan', { mtu: link.mtu, mac: link.mac, group: link.group }, [
    u32(vxlan.ID, link.vni),
    bytes(local.family === 4 ? vxlan.LOCAL : vxlan.LOCAL6, addrBytes(local)),
    u8(vxlan.LEARNING, link.learning ? 1 : 0),
    u16be(vxlan.PORT, link.port),
  ]);
}

/** The device as found; one of another kind reads as a tunnel that nobody wants, so it is made anew. */
export function readVxlan(state: LinkState): Link {
  const data = readAttributes(
    state.kind === 'vxlan' && state.data !== undefined ? state.data : Buffer.alloc(0),
  );
  const local = addrFromBytes(data.get(vxlan.LOCAL) ?? data.get(vxlan.LOCAL6) ?? Buffer.alloc(0));
  const port = data.get(vxlan.PORT);
  return {
    kind: 'link',
    name: state.name,
    vni: readU32(data, vxlan.ID) ?? 0,
    port: port === undefined ? 0 : port.readUInt16BE(),
    local: local === undefined ? '' : formatAddr(local),
    mac: state.mac,
    mtu: state.mtu,
    alias: state.alias,
    group: state.group,
    up: state.up,
    learning: (readU8(data, vxlan.LEARNING) ?? 1) !== 0,
  };
}
