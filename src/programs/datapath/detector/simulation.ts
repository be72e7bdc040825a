/** Detectors of several nodes on a network that tests cut, slow down and lie on, in steps of simulated time. */
import { longestMessage, type Message } from './messages.ts';
import type { Outgoing } from './outgoing.ts';
import { times } from './peer.ts';
import { createWatch, type Watch } from './watch.ts';

export type World = {
  readonly names: readonly string[];
  now(): number;
  watch(node: string): Watch;
  /** Runs for so many milliseconds; `look` is called after each step. */
  run(milliseconds: number, look?: (now: number) => void): void;
  /** Nothing passes a node's cable. */
  cut(node: string, is?: boolean): void;
  /** Nothing passes between two. */
  part(a: string, b: string, is?: boolean): void;
  /** Its datapath stands still; its kernel goes on. */
  freeze(node: string, is?: boolean): void;
  /** Its kernel answers no echo. */
  mute(node: string): void;
  /** Its loop doesn't turn for so long. */
  starve(node: string, milliseconds: number): void;
  /** It tells this, as if it had found it. */
  lie(node: string, message: Message): void;
  /** Of all packets so many are lost, 0 to 1. */
  lose(share: number): void;
  pause(node: string, milliseconds: number): void;
  /** A new process without any memory. */
  restart(node: string): void;
  connected(a: string, b: string): boolean;
  /** Who takes it for dead. */
  deadFor(node: string): string[];
  silentFor(node: string): string[];
};

type Packet =
  | { readonly at: number; readonly to: string; readonly echo: number; readonly of: string }
  | { readonly at: number; readonly to: string; readonly from: string; readonly message: Message };

const step = 10;

export function createWorld(count: number, random: () => number = () => 0.5): World {
  const names = Array.from({ length: count }, (_, i) => `node${i + 1}`);
  let now = 1_000;
  const watches = new Map(names.map((name) => [name, createWatch(name)]));
  for (const [name, watch] of watches) {
    const others = names.filter((other) => other !== name);
    watch.setNodes(others, now);
  }
  const phases = new Map(names.map((name, i) => [name, (i * 20) % times.tick]));
  const [cut, frozen, mute] = [new Set<string>(), new Set<string>(), new Set<string>()];
  const parted = new Set<string>();
  const starved = new Map<string, number>();
  let loss = 0;
  let onWire: Packet[] = [];
  const inbox = new Map<string, Packet[]>(names.map((name) => [name, []]));

  const pair = (a: string, b: string): string => [a, b].toSorted().join(' ');
  const connected = (a: string, b: string): boolean => !cut.has(a) && !cut.has(b) && !parted.has(pair(a, b));
  const passes = (a: string, b: string): boolean => connected(a, b) && random() >= loss;
  const delay = (): number => 1 + Math.floor(random() * 15);
  const away = (name: string): boolean => frozen.has(name) || now < (starved.get(name) ?? 0);

  const send = (from: string, outgoing: readonly Outgoing[]): void => {
    for (const out of outgoing) {
      if (out.kind === 'echo') {
        // There and back: the other's kernel answers whatever its processes do.
        if (passes(from, out.to) && !mute.has(out.to) && random() >= loss)
          onWire.push({ at: now + delay(), to: from, echo: out.number, of: out.to });
        continue;
      }
      const to = out.kind === 'broadcast' ? names.filter((name) => name !== from) : [out.to];
      if (JSON.stringify(out.message).length > longestMessage) throw new Error('too long');
      for (const name of to)
        if (passes(from, name)) onWire.push({ at: now + delay(), to: name, from, message: out.message });
    }
  };
  const read = (name: string): void => {
    const watch = watches.get(name)!;
    for (const packet of inbox.get(name)!.splice(0)) {
      if ('echo' in packet) watch.echoed(packet.echo, now);
      else send(name, watch.heard(packet.from, packet.message, now));
    }
  };

  const world: World = {
    names,
    now: () => now,
    watch: (node) => watches.get(node)!,
    run(milliseconds, look = () => {}) {
      for (const end = now + milliseconds; now < end; now += step) {
        const due = onWire.filter(({ at }) => at <= now);
        onWire = onWire.filter(({ at }) => at > now);
        for (const packet of due) {
          const from = 'echo' in packet ? packet.of : packet.from;
          if (connected(from, packet.to)) inbox.get(packet.to)!.push(packet);
        }
        for (const name of names) {
          if (away(name)) continue;
          read(name);
          if (now % times.tick === phases.get(name)) send(name, watches.get(name)!.tick(now));
        }
        look(now);
      }
    },
    cut: (node, is = true) => void (is ? cut.add(node) : cut.delete(node)),
    part: (a, b, is = true) => void (is ? parted.add(pair(a, b)) : parted.delete(pair(a, b))),
    freeze: (node, is = true) => void (is ? frozen.add(node) : frozen.delete(node)),
    mute: (node) => void mute.add(node),
    starve: (node, milliseconds) => void starved.set(node, now + milliseconds),
    lie: (node, message) => send(node, [{ kind: 'broadcast', message }]),
    lose: (share) => {
      loss = share;
    },
    pause: (node, milliseconds) =>
      send(node, [{ kind: 'broadcast', message: { kind: 'pause', for: milliseconds } }]),
    restart(node) {
      const watch = createWatch(node);
      watch.setNodes(
        names.filter((other) => other !== node),
        now,
      );
      watches.set(node, watch);
    },
    connected,
    deadFor: (node) => names.filter((name) => watches.get(name)!.liveness().dead.has(node)),
    silentFor: (node) => names.filter((name) => watches.get(name)!.liveness().silent.has(node)),
  };
  return world;
}
