/** Finds out whether the physical network carries a Subnet's addresses: by sending from one, not by knowing whose network it is. */
import { randomInt } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { assignable } from '#compile/ipam/blocks.ts';
import type { IpamState } from '#compile/ipam/state.ts';
import type { WirePlace } from '#engines/netlink/driver.ts';
import type { WireReport } from '#intent/handover.ts';
import type { NodeIntent, SubnetIntent } from '#intent/node.ts';
import { formatAddr, parseAddr } from '#net/addr.ts';
import { echoRequest, readEchoReply } from '#net/echo.ts';
import {
  arpReply,
  etherTypes,
  neighbourAdvertisement,
  readNeighbourMessage,
  solicitedNode,
} from '#net/neighbour.ts';
import { parsePrefix, prefixHas } from '#net/prefix.ts';
import { has, intersect, setOfPrefixes } from '#net/set.ts';
import type { FilterStep } from '#system/libc.ts';
import { openPacketSocket, type PacketSocket } from '#system/packet-socket.ts';
import { icmpv6Filter, type PlaceOf, sendOrMiss, whoHas } from './ask.ts';

/** Whom to ask: nodes by name, and the gateway. */
const asked = 3;
const rounds = 3;
const roundMs = 300;
const look = 5;
const question = { rounds: 2, waitMs: 150 } as const;

/** BPF: IPv4, protocol ICMP, type echo reply. */
const echoReply4: readonly FilterStep[] = [
  [0x30, 0, 0, 23],
  [0x15, 0, 3, 1],
  [0xb1, 0, 0, 14],
  [0x50, 0, 0, 14],
  [0x15, 1, 0, 0],
  [0x06, 0, 0, 0],
  [0x06, 0, 0, 0xffff],
];

export type CarryContext = {
  readonly node: string;
  readonly intent: NodeIntent;
  readonly state: IpamState;
  readonly placeOf: PlaceOf;
};

/**
 * Sends pings to other nodes and the gateway, from the node's own address and from one of the Subnet that no pod has, for which it
 * answers while it asks. Only where the node's own address is answered does silence for the other one mean anything: otherwise
 * (nobody there, nobody answers pings, no free address in this node's blocks) nothing is found, and `undefined` returned.
 */
export async function probeCarry(
  context: CarryContext,
  subnet: string,
  family: 4 | 6,
  turn: number,
): Promise<WireReport | undefined> {
  const { intent, placeOf } = context;
  const settings = intent.subnets[subnet];
  const address = settings && spareAddress(context, subnet, settings, family);
  const place = address === undefined ? undefined : placeOf(address);
  if (settings === undefined || address === undefined || place?.own === undefined) return undefined;
  const names = partners(context, settings, address, place, turn);
  const macs = await whoHas([...names.keys()], placeOf, question);
  if (macs.size === 0) return undefined;
  const heard = await pingFrom(address, { ...place, own: place.own }, macs);
  const told = (list: Iterable<string>) => [...new Set(list)].map((each) => names.get(each)).join(', ');
  const at = new Date().toISOString();
  if (heard.probe.size > 0) {
    const detail = `${told(heard.probe)} answered ${address}`;
    return { subnet, family, carried: true, detail, at };
  }
  if (heard.own.size === 0) return undefined;
  const detail = `${told(heard.own)} answered the node's own address ${place.own} and not ${address}, an address of the Subnet`;
  return { subnet, family, carried: false, detail, at };
}

/** The last one that a pod could get: the least likely to be given next. A pod that gets it all the same is at this node anyway. */
function spareAddress(
  { node, intent, state }: CarryContext,
  subnet: string,
  settings: SubnetIntent,
  family: 4 | 6,
): string | undefined {
  const all = assignable(settings);
  const own = (intent.self[node]?.blocks ?? []).filter(
    (block) => block.subnet === subnet && block.cidr.includes(':') === (family === 6),
  );
  for (const block of own) {
    const prefix = parsePrefix(block.cidr);
    const usable = intersect(all, setOfPrefixes(prefix === undefined ? [] : [prefix]));
    for (const range of usable.ranges.toReversed()) {
      for (let value = range.last; value >= range.first && has(usable, { family, value }); value--) {
        const address = formatAddr({ family, value });
        if (!state.owners.has(address)) return address;
      }
    }
  }
  return undefined;
}

/** Names by address, on the same wire; others with each turn. */
function partners(
  { intent, placeOf }: CarryContext,
  settings: SubnetIntent,
  address: string,
  place: WirePlace,
  turn: number,
): ReadonlyMap<string, string> {
  const six = address.includes(':');
  const addr = parseAddr(address)!;
  const nodes = Object.entries(intent.peers)
    .flatMap(([name, peer]) => peer.addresses.map((each) => [each, `node ${name}`] as const))
    .filter(([each]) => each.includes(':') === six && placeOf(each)?.ifindex === place.ifindex);
  const start = nodes.length === 0 ? 0 : (turn * asked) % nodes.length;
  const chosen = [...nodes.slice(start), ...nodes.slice(0, start)].slice(0, asked);
  const cidr = settings.cidrs
    .flatMap((text) => parsePrefix(text) ?? [])
    .find((prefix) => prefixHas(prefix, addr));
  const gateway = (settings.gateways ?? []).filter((each) => {
    const parsed = parseAddr(each);
    return parsed !== undefined && cidr !== undefined && prefixHas(cidr, parsed);
  });
  return new Map([...chosen, ...gateway.map((each) => [each, `gateway ${each}`] as const)]);
}

type Heard = { readonly probe: ReadonlySet<string>; readonly own: ReadonlySet<string> };

async function pingFrom(
  address: string,
  place: WirePlace & { readonly own: string },
  macs: ReadonlyMap<string, string>,
): Promise<Heard> {
  const six = address.includes(':');
  const { ifindex, mac, own } = place;
  const probe = new Set<string>();
  const others = new Set<string>();
  const id = randomInt(1, 0xffff);
  const sockets: PacketSocket[] = [];
  let group: Socket | undefined;
  const open = (etherType: number, filter?: readonly FilterStep[]): PacketSocket => {
    const socket = openPacketSocket({ ifindex, etherType, ...(filter === undefined ? {} : { filter }) });
    sockets.push(socket);
    return socket;
  };
  try {
    const answers = six ? open(etherTypes.ipv6, icmpv6Filter([129])) : open(etherTypes.ipv4, echoReply4);
    const questions = six ? open(etherTypes.ipv6, icmpv6Filter([135])) : open(etherTypes.arp);
    if (six) group = await joinGroup(solicitedNode(address), place.device);
    const take = (): void => {
      for (const frame of questions.receive()) {
        const said = readNeighbourMessage(frame);
        if (said?.kind !== 'question' || said.target !== address || said.mac === mac) continue;
        const asker = said.sender === '::' ? undefined : { mac: said.mac, address: said.sender };
        sendOrMiss(questions, (six ? neighbourAdvertisement : arpReply)(mac, address, asker));
      }
      for (const frame of answers.receive()) {
        const reply = readEchoReply(frame);
        if (reply?.id !== id || !macs.has(reply.source)) continue;
        if (reply.to === address) probe.add(reply.source);
        else if (reply.to === own) others.add(reply.source);
      }
    };
    for (let round = 0; round < rounds && probe.size === 0; round++) {
      for (const [to, toMac] of macs) {
        for (const source of [own, address]) sendOrMiss(answers, echoRequest({ source, to, id, mac, toMac }));
      }
      const deadline = performance.now() + roundMs;
      do {
        await new Promise((resolve) => setTimeout(resolve, look));
        take();
      } while (performance.now() < deadline && probe.size === 0);
    }
    return { probe, own: others };
  } finally {
    for (const socket of sockets) socket.close();
    group?.close();
  }
}

/** As a host with an address in that group would: a switch that listens to MLD forwards nothing to a port that did not ask for it. */
function joinGroup(group: string, device: string): Promise<Socket> {
  const socket = createSocket('udp6');
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.bind(0, () => {
      try {
        socket.addMembership(group, `::%${device}`);
        resolve(socket);
      } catch (error) {
        socket.close();
        reject(error as Error);
      }
    });
  });
}
