/** The detector of this node on the real network: echoes by raw sockets, messages by UDP, and the clock for `watch.ts`. */

import { createSocket, type Socket } from 'node:dgram';
import { closeSync } from 'node:fs';
import type { AbsentNode } from '#intent/handover.ts';
import { everybodyLives, type Liveness } from '#intent/liveness.ts';
import type { NodeIntent } from '#intent/node.ts';
import { type EchoSocket, openEchoSocket } from '#system/echo-socket.ts';
import { udpFdIn } from '#system/namespace.ts';
import { ports } from '#system/registry.ts';
import type { Log } from '#telemetry/log.ts';
import type { Registry } from '#telemetry/metrics.ts';
import { createThinned } from '#telemetry/thinned.ts';
import { readMemory, writeMemory } from './memory.ts';
import { decodeMessage, encodeMessage, type Message } from './messages.ts';
import type { Outgoing } from './outgoing.ts';
import { times } from './peer.ts';
import { createTold } from './told.ts';
import { createWatch } from './watch.ts';

export type Detector = {
  /** The node's own addresses and the others, whenever one of them is another; undefined: not known yet. */
  setNodes(own: readonly string[] | undefined, peers: NodeIntent['peers']): void;
  /** For what is sent to nodes. */
  liveness(): Liveness;
  /** For virtual addresses: a node that is back rests a while before it counts. */
  addressLiveness(): Liveness;
  absent(): readonly AbsentNode[];
  /** To all other nodes. */
  broadcast(message: Message): void;
  /** To one. */
  tell(node: string, message: Message): void;
  /** The datapath ends, and is back within so many milliseconds. Resolves when the others were told. */
  pause(milliseconds: number): Promise<void>;
  close(): void;
};

export type DetectorOptions = {
  readonly node: string;
  /** File of what the next process of this node is to know. */
  readonly memoryFile: string;
  /** One of the livenesses is another one. */
  readonly onChange: () => void;
  /** Another node said this. */
  readonly onMessage?: ((from: string, message: Message) => void) | undefined;
  /** Whether this node's agent lives; default: it does. */
  readonly informed?: (() => boolean) | undefined;
  /** Of the node's network; default: this process's own. */
  readonly namespace?: string | undefined;
  readonly log: Log;
  readonly metrics: Registry;
};

/** For whom all others live. */
export function noDetector(): Detector {
  return {
    setNodes: () => {},
    liveness: () => everybodyLives,
    addressLiveness: () => everybodyLives,
    absent: () => [],
    broadcast: () => {},
    tell: () => {},
    pause: () => Promise.resolve(),
    close: () => {},
  };
}

type Link = { readonly address: string; readonly socket: Socket };

const port = ports.detector.value;
/** A report to thousands of nodes goes out in slices, so that the event loop turns. */
const slice = 200;
const retryMs = 1_000;
const lineEveryMs = 60_000;

export function createDetector(options: DetectorOptions): Detector {
  const { node, onChange, namespace, memoryFile, log, metrics } = options;
  const watch = createWatch(node, readMemory(memoryFile));
  const told = createTold(node, watch, log, metrics);
  const cantListen = createThinned(lineEveryMs);
  const echoSockets = new Map<4 | 6, EchoSocket>();
  const links = new Map<4 | 6, Link>();
  /** By name: addresses that this node can reach by family, in the intent's order. */
  let addresses = new Map<string, readonly string[]>();
  let nameOf = new Map<string, string>();
  let wanted: readonly string[] = [];
  let retryAt = Number.POSITIVE_INFINITY;
  let revision = watch.revision();
  let closed = false;

  const addressOf = (name: string, turn: number): string | undefined => {
    const list = addresses.get(name) ?? [];
    return list[turn % list.length];
  };
  const sendMessage = (to: string, datagram: Buffer, way?: string): void => {
    const address = way ?? addressOf(to, watch.turn(to));
    // The send fails where the network does: that is what the detector is for.
    if (address !== undefined) links.get(familyOf(address))?.socket.send(datagram, port, address, () => {});
  };
  const broadcast = (message: Message): Promise<void> => {
    const datagram = encodeMessage(node, message);
    const names = [...addresses.keys()];
    return new Promise((resolve) => {
      const next = (): void => {
        for (const name of names.splice(0, slice)) sendMessage(name, datagram);
        if (names.length > 0 && !closed) setImmediate(next);
        else resolve();
      };
      next();
    });
  };
  /** `way`: the address that a question came from, which the answer goes to. */
  const send = (outgoing: readonly Outgoing[], way?: string): void => {
    for (const out of outgoing) {
      if (out.kind === 'echo') {
        const address = addressOf(out.to, watch.turn(out.to));
        if (address !== undefined) echoSockets.get(familyOf(address))?.send(address, out.number);
      } else if (out.kind === 'broadcast') void broadcast(out.message);
      else sendMessage(out.to, encodeMessage(node, out.message), way);
    }
  };
  const news = (): void => {
    told.tell();
    if (revision === watch.revision()) return;
    revision = watch.revision();
    writeMemory(memoryFile, watch.liveness());
    onChange();
  };

  const open = (address: string): void => {
    const family = familyOf(address);
    if (!echoSockets.has(family)) echoSockets.set(family, openEchoSocket(family, namespace));
    const fd = udpFdIn(namespace, address, port);
    const socket = createSocket({ type: family === 4 ? 'udp4' : 'udp6' });
    socket.on('error', (error) => log.warn('the detector’s socket failed', { address, error }));
    socket.on('message', (datagram, { address: from }) => {
      const read = decodeMessage(datagram);
      // Only from the node's own address: what pods send to this port the filter drops.
      if (read === undefined || nameOf.get(from) !== read.from) return;
      send(watch.heard(read.from, read.message, performance.now()), from);
      options.onMessage?.(read.from, read.message);
      news();
    });
    try {
      socket.bind({ fd });
    } catch (error) {
      closeSync(fd);
      throw error;
    }
    links.set(family, { address, socket });
  };
  /** An address may come to the node's device a moment after the intent has it. */
  const openAll = (): void => {
    retryAt = Number.POSITIVE_INFINITY;
    for (const [family, { address, socket }] of links) {
      if (wanted.includes(address)) continue;
      socket.close();
      links.delete(family);
    }
    for (const address of wanted) {
      if (links.has(familyOf(address))) continue;
      try {
        open(address);
        cantListen.over(() => log.info('the detector listens now', { address, port }));
      } catch (error) {
        cantListen.happened(() => log.warn('the detector can’t listen', { address, port, error }));
        retryAt = performance.now() + retryMs;
      }
    }
  };

  const tick = (): void => {
    for (const socket of echoSockets.values())
      for (const number of socket.receive()) watch.echoed(number, performance.now());
    const now = performance.now();
    if (now >= retryAt) openAll();
    watch.setInformed(options.informed?.() ?? true);
    if (links.size > 0) send(watch.tick(now));
    news();
  };
  const timer = setInterval(tick, times.tick);

  return {
    setNodes(own, peers) {
      const sameAddresses = own?.join() === wanted.join();
      if (own === undefined) return;
      wanted = own;
      if (!sameAddresses) openAll();
      const families = new Set(own.map(familyOf));
      const usable = Object.entries(peers).map(
        ([name, peer]) =>
          [name, peer.addresses.filter((address) => families.has(familyOf(address)))] as const,
      );
      addresses = new Map(usable.filter(([, list]) => list.length > 0));
      nameOf = new Map([...addresses].flatMap(([name, list]) => list.map((address) => [address, name])));
      watch.setNodes(addresses.keys(), performance.now());
      news();
    },
    liveness: () => watch.liveness(),
    addressLiveness: () => watch.addressLiveness(),
    absent: () => told.absent(),
    broadcast: (message) => void broadcast(message),
    tell: (to, message) => sendMessage(to, encodeMessage(node, message)),
    async pause(milliseconds) {
      writeMemory(memoryFile, watch.liveness(), Date.now() + milliseconds);
      // Twice, since a datagram may be lost.
      for (let times = 0; times < 2; times++) await broadcast({ kind: 'pause', for: milliseconds });
      // What was given to a socket is sent before this comes back from the loop.
      await new Promise((resolve) => setImmediate(resolve));
    },
    close() {
      if (closed) return;
      closed = true;
      clearInterval(timer);
      for (const socket of echoSockets.values()) socket.close();
      for (const { socket } of links.values()) socket.close();
    },
  };
}

function familyOf(address: string): 4 | 6 {
  return address.includes(':') ? 6 : 4;
}
