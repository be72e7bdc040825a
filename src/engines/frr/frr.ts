/** FRR as this engine sees it: files that its daemons start from, their running configuration, commands, sessions; real here, a model in fake.ts. */
import { chownSync, existsSync, mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { readIfExists, unlinkIfExists, writeFileAtomic } from '#system/files.ts';
import { type Counters, readMessages, readPackets } from './counters.ts';
import { type Daemon, type Line, printFile, redact } from './objects.ts';
import { type Operation, parseConfig } from './plan.ts';
import { type PeerState, readPeers } from './sessions.ts';
import { openVty, type Vty } from './vty.ts';

/** A session as FRR has it, and what it has counted of it. */
export type Peer = { readonly state: PeerState; readonly counters: Counters };

export type Frr = {
  /** What daemons start from, now and after a crash; undefined: they are to end. Says whether anything was different. */
  keep(lines: readonly Line[] | undefined): boolean;
  /** The running configuration; undefined while a daemon doesn't answer. */
  read(): Promise<readonly Line[] | undefined>;
  /** In order; for each what FRR said against it. One that fails stops none behind it. Rejects when a daemon goes away. */
  execute(operations: readonly Operation[]): Promise<readonly (string | undefined)[]>;
  /** By `peerKey`, of the main table and of these VRFs; undefined while bgpd doesn't answer. */
  peers(vrfs?: readonly string[]): Promise<ReadonlyMap<string, Peer> | undefined>;
  /** By address; empty while bfdd doesn't answer. */
  watched(): Promise<ReadonlyMap<string, Counters>>;
  /** Begins the session with that address, or on that interface, anew. */
  restart(name: string, vrf?: string): Promise<void>;
};

const daemons: readonly Daemon[] = ['bfdd', 'bgpd'];

/** `directory`: where programs/frr/run.sh looks. */
export function openFrr(directory: string): Frr {
  const socket = (daemon: Daemon) => join(directory, `${daemon}.vty`);
  const file = (name: string) => join(directory, `${name}.conf`);

  const within = async <T>(daemon: Daemon, work: (vty: Vty) => Promise<T>): Promise<T> => {
    const vty = await openVty(socket(daemon));
    try {
      return await work(vty);
    } finally {
      vty.close();
    }
  };

  return {
    keep(lines) {
      if (lines === undefined)
        return ['bgpd', 'bfdd', 'zebra'].map((name) => unlinkIfExists(file(name))).some((removed) => removed);
      mkdirSync(directory, { recursive: true, mode: 0o750 });
      const files = [['zebra', zebraFile], ...daemons.map((name) => [name, printFile(lines, name)])] as const;
      return files
        .map(([name, text]) => {
          if (readIfExists(file(name!)) === text) return false;
          // A password may be in it: nobody but the daemon, whose the directory is, and root reads it.
          writeFileAtomic(file(name!), text!, 0o600);
          const { uid, gid } = statSync(directory);
          chownSync(file(name!), uid, gid);
          return true;
        })
        .some((written) => written);
    },
    async read() {
      if (!daemons.every((daemon) => existsSync(socket(daemon)))) return undefined;
      const lines: Line[] = [];
      for (const daemon of daemons) {
        const answer = await within(daemon, (vty) => vty.command('show running-config')).catch(
          () => undefined,
        );
        if (answer === undefined) return undefined;
        lines.push(...parseConfig(answer.text, daemon));
      }
      return lines;
    },
    async execute(operations) {
      const outcomes: (string | undefined)[] = [];
      for (let at = 0; at < operations.length; ) {
        const { daemon } = operations[at]!;
        let end = at;
        while (operations[end]?.daemon === daemon) end += 1;
        const part = operations.slice(at, end);
        outcomes.push(...(await within(daemon, (vty) => configure(vty, part))));
        at = end;
      }
      return outcomes;
    },
    async peers(vrfs = []) {
      if (!existsSync(socket('bgpd'))) return undefined;
      const places: readonly (readonly [string, string])[] = [
        ['', 'show bgp neighbors json'],
        ...vrfs.map((vrf) => [`${vrf}/`, `show bgp vrf ${vrf} neighbors json`] as const),
      ];
      const peers = new Map<string, Peer>();
      for (const [before, command] of places) {
        const answer = await within('bgpd', (vty) => vty.command(command)).catch(() => undefined);
        if (answer === undefined) return undefined;
        const messages = readMessages(answer.text);
        for (const [name, state] of readPeers(answer.text))
          peers.set(`${before}${name}`, { state, counters: messages.get(name) ?? {} });
      }
      return peers;
    },
    async watched() {
      const command = 'show bfd peers counters json';
      const answer = await within('bfdd', (vty) => vty.command(command)).catch(() => undefined);
      return readPackets(answer?.text ?? '');
    },
    async restart(name, vrf) {
      await within('bgpd', (vty) =>
        vty.command(`clear bgp ${vrf === undefined ? '' : `vrf ${vrf} `}${name}`),
      );
    },
  };
}

/** Without it zebra holds each route back for 10 ms, to gather others; bgpd, whom it tells, gathers for 50 by itself. */
const zebraFile = '! Written by Netloom.\nzebra work-queue 0\n';

async function configure(vty: Vty, operations: readonly Operation[]): Promise<(string | undefined)[]> {
  const outcomes: (string | undefined)[] = [];
  let current: string | undefined;
  for (const { context, command } of operations) {
    const path = context.join('\n');
    if (path !== current) {
      if (current !== undefined) await vty.command('end');
      await vty.command('configure terminal');
      for (const line of context) await vty.command(line);
      current = path;
    }
    const { status, text } = await vty.command(command);
    outcomes.push(status === 0 || status === warning ? undefined : redact(text.trim() || `status ${status}`));
    // A command that opens a context leaves us in it.
    if (/^(router bgp|route-map|profile) /.test(command)) {
      await vty.command('end');
      current = undefined;
    }
  }
  await vty.command('end');
  return outcomes;
}

/** Done, with a remark (CMD_WARNING). */
const warning = 1;
