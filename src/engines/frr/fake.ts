/** FRR in memory, with the rules that matter: a line stands in a context that is there, a neighbor has an AS before anything else. */
import type { Frr } from './frr.ts';
import { type Line, opens } from './objects.ts';
import { identity, type Operation } from './plan.ts';

export type FakeFrr = Frr & {
  /** Everything that is there, sorted. */
  dump(): string[];
  /** Whether there are files for daemons to start from. */
  kept(): readonly Line[] | undefined;
  /** Daemons answer only while it runs; when it starts it has what its files say. */
  setRunning(running: boolean): void;
  /** The process dies before the operation after the next `count`. */
  killAfter(count: number): void;
};

export class Killed extends Error {}

export function createFakeFrr(): FakeFrr {
  let lines = new Map<string, Line>();
  let files: readonly Line[] | undefined;
  let running = false;
  let left = Number.POSITIVE_INFINITY;

  const opened = ({ daemon, context }: Operation): boolean =>
    context.every(
      (text, depth) =>
        !opens(text) || lines.has(identity({ daemon, context: context.slice(0, depth), text })),
    );
  const remove = (operation: Operation, text: string): string | undefined => {
    const target = { ...operation, text };
    const neighbor = /^neighbor (\S+)$/.exec(text)?.[1];
    if (neighbor === undefined && !lines.delete(identity(target))) return `no such line: ${text}`;
    const path = [...operation.context, text];
    for (const [id, line] of lines) {
      const inside = path.every((part, depth) => line.context[depth] === part);
      const ofNeighbor =
        neighbor !== undefined &&
        line.context[0] === operation.context[0] &&
        line.text.startsWith(`neighbor ${neighbor} `);
      if (line.daemon === operation.daemon && (inside || ofNeighbor)) lines.delete(id);
    }
    // Without BFD there is no profile of it.
    const bfd = /^(neighbor \S+ bfd)$/.exec(text)?.[1];
    if (bfd !== undefined)
      for (const [id, line] of lines) if (line.text.startsWith(`${bfd} profile `)) lines.delete(id);
    return undefined;
  };
  const one = (operation: Operation): string | undefined => {
    if (left-- <= 0) throw new Killed('killed');
    if (!opened(operation)) return 'no such context';
    const { daemon, context, command } = operation;
    const put = (text: string) => {
      const line = { daemon, context, text };
      lines.set(identity(line), line);
      return undefined;
    };
    if (command === 'no bgp default ipv4-unicast') return put(command);
    if (command.startsWith('no ')) return remove(operation, command.slice(3));
    const neighbor = /^neighbor (\S+) (.*)$/.exec(command);
    if (neighbor !== null && !/^(interface )?remote-as /.test(neighbor[2]!)) {
      const known = [...lines.values()].some(
        ({ text }) =>
          text.startsWith(`neighbor ${neighbor[1]} remote-as `) ||
          text.startsWith(`neighbor ${neighbor[1]} interface remote-as `),
      );
      if (!known) return 'Specify remote-as or peer-group commands first';
    }
    if (command.startsWith('router bgp ')) {
      const other = [...lines.values()].find(
        ({ text }) => text.startsWith('router bgp ') && text !== command && vrfOf(text) === vrfOf(command),
      );
      if (other !== undefined) return `BGP is already running: ${other.text}`;
    }
    const value =
      /^(neighbor \S+ (?:(?:interface )?remote-as|description|port|password|update-source|local-as|timers connect|bfd profile)|bgp (?:router-id|cluster-id|route-map delay-timer)|receive-interval|transmit-interval|detect-multiplier|minimum-ttl|echo \S+-interval|(?:match|set) (?:metric|tag|community|large-community|local-preference)) /.exec(
        command,
      )?.[0] ?? /^neighbor \S+ timers (?=\d)/.exec(command)?.[0];
    const map = /^(neighbor \S+ route-map) \S+ (in|out)$/.exec(command);
    for (const [id, line] of lines) {
      if (line.daemon !== daemon || line.context.join() !== context.join()) continue;
      const same =
        map === null
          ? value !== undefined &&
            line.text.startsWith(value) &&
            !(value.endsWith('timers ') && line.text.includes('connect'))
          : line.text.startsWith(`${map[1]} `) && line.text.endsWith(` ${map[2]}`);
      if (same) lines.delete(id);
    }
    return put(command);
  };

  return {
    keep(next) {
      const changed = JSON.stringify(next) !== JSON.stringify(files);
      files = next;
      return changed;
    },
    read: async () => (running ? [...lines.values()] : undefined),
    execute: async (operations) => operations.map(one),
    peers: async () => (running ? new Map() : undefined),
    watched: async () => new Map(),
    restart: async () => {},
    dump: () => [...lines.values()].map(identity).toSorted(),
    kept: () => files,
    setRunning(next) {
      running = next;
      lines = new Map((next ? (files ?? []) : []).map((line) => [identity(line), line]));
    },
    killAfter(count) {
      left = count;
    },
  };
}

function vrfOf(text: string): string | undefined {
  return / vrf (\S+)$/.exec(text)?.[1];
}
