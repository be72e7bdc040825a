/** Sends packets on to pods, past the filter that held them back: as frames on their devices. */
import { heldBytes } from '#engines/nftables/dns-answers.ts';
import type { EndpointIntent } from '#intent/node.ts';
import { ipProtocols, readPacketStart } from '#net/packet.ts';
import { tcpFrames } from '#net/tcp.ts';
import { udpFrame } from '#net/udp.ts';
import { openPacketSocket, type PacketSocket } from '#system/packet-socket.ts';
import { links } from '#system/registry.ts';

export type Senders = {
  /** Throws when the device is gone or down. */
  send(endpoint: Pick<EndpointIntent, 'ifindex' | 'mac'>, packet: Uint8Array): void;
  /** Lets go of devices that no endpoint has. */
  keep(endpoints: Iterable<Pick<EndpointIntent, 'ifindex'>>): void;
  close(): void;
};

/** Sockets stay open: closing a packet socket waits until all CPUs have looked away. */
export function createSenders(): Senders {
  const sockets = new Map<number, PacketSocket>();
  return {
    send({ ifindex, mac }, packet) {
      const socket = sockets.get(ifindex) ?? openPacketSocket({ ifindex });
      sockets.set(ifindex, socket);
      const macs = { from: links.podMac.value, to: mac };
      const isTcp = readPacketStart(packet)?.protocol === ipProtocols.tcp;
      const frames = isTcp ? tcpFrames(packet, { ...macs, atMost: heldBytes }) : [udpFrame(packet, macs)];
      for (const frame of frames) socket.send(frame);
    },
    keep(endpoints) {
      const kept = new Set([...endpoints].map(({ ifindex }) => ifindex));
      for (const [ifindex, socket] of sockets) {
        if (kept.has(ifindex)) continue;
        sockets.delete(ifindex);
        socket.close();
      }
    },
    close() {
      for (const socket of sockets.values()) socket.close();
      sockets.clear();
    },
  };
}
