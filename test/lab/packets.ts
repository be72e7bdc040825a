/** Packets between pods, nodes and hosts outside of a lab: one station a machine, all asked at once (packet-station.ts runs there). */
import { createInterface } from 'node:readline';
import type { Lab } from '#lab/client.ts';
import { inNode } from '#lab/paths.ts';

export type ServedPort = { readonly protocol: 'tcp' | 'udp' | 'sctp'; readonly port: number };

/** Where something runs: a machine of the lab, and there in a pod's namespace or the machine's own. */
export type Place = { readonly machine: string; readonly netns?: string };

export type ProbeOrder = {
  readonly target: string;
  /** Default: as the kernel chooses. */
  readonly source?: string;
  readonly protocol: 'tcp' | 'udp' | 'sctp' | 'icmp';
  readonly port: number;
  readonly timeoutMs: number;
};

/** `dropped`: nothing came back in time. `refused`: an RST or ICMP error did. */
export type ProbeAnswer = {
  readonly outcome: 'allowed' | 'dropped' | 'refused';
  /** What the server calls itself, and the address that it sees; of TCP and UDP. */
  readonly server?: string;
  readonly client?: string;
  readonly detail?: string;
};

export type StationRequest = { readonly id: number; readonly netns?: string } & (
  | { readonly verb: 'serve' | 'release'; readonly name: string; readonly ports: readonly ServedPort[] }
  | ({ readonly verb: 'probe' } & ProbeOrder)
  | ({ readonly verb: 'keep'; readonly name: string } & ProbeOrder)
  | { readonly verb: 'ask' | 'drop'; readonly name: string }
  | { readonly verb: 'pods' }
);

export type StationAnswer = {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: string;
};

export type Packets = {
  /** Names of the network namespaces of a node's pods, by the pods' UIDs. */
  namespaces(node: string): Promise<Readonly<Record<string, string>>>;
  /** Answers on these ports until `release`. */
  serve(at: Place, name: string, ports: readonly ServedPort[]): Promise<void>;
  release(at: Place, name: string, ports: readonly ServedPort[]): Promise<void>;
  probe(from: Place, order: ProbeOrder): Promise<ProbeAnswer>;
  /** A TCP connection that stays open under a name. */
  keep(from: Place, name: string, order: ProbeOrder): Promise<ProbeAnswer>;
  /** Whether a kept connection still answers: `allowed` or `dropped`. */
  ask(from: Place, name: string): Promise<ProbeAnswer>;
  drop(from: Place, name: string): Promise<void>;
  close(): void;
};

type Station = { call(request: object): Promise<unknown>; close(): void };

export async function startPackets(lab: Lab, machines: readonly string[]): Promise<Packets> {
  const stations = new Map(
    await Promise.all(machines.map(async (machine) => [machine, await startStation(lab, machine)] as const)),
  );
  const call = (at: Place, request: object): Promise<unknown> => {
    const station = stations.get(at.machine);
    if (station === undefined) throw new Error(`no packets are sent from ${at.machine}`);
    return station.call(at.netns === undefined ? request : { ...request, netns: at.netns });
  };
  const answered = async (at: Place, request: object): Promise<ProbeAnswer> =>
    (await call(at, request)) as ProbeAnswer;
  return {
    namespaces: async (machine) => (await call({ machine }, { verb: 'pods' })) as Record<string, string>,
    serve: async (at, name, ports) => void (await call(at, { verb: 'serve', name, ports })),
    release: async (at, name, ports) => void (await call(at, { verb: 'release', name, ports })),
    probe: (from, order) => answered(from, { verb: 'probe', ...order }),
    keep: (from, name, order) => answered(from, { verb: 'keep', name, ...order }),
    ask: (from, name) => answered(from, { verb: 'ask', name }),
    drop: async (from, name) => void (await call(from, { verb: 'drop', name })),
    close: () => {
      for (const station of stations.values()) station.close();
    },
  };
}

async function startStation(lab: Lab, machine: string): Promise<Station> {
  const child = await lab.spawn(machine, ['node', `${inNode.source}/test/lab/packet-station.ts`]);
  const waiting = new Map<number, PromiseWithResolvers<unknown>>();
  let complaint = '';
  let last = 0;
  child.stderr.on('data', (part: Buffer) => {
    complaint = (complaint + part.toString('utf8')).slice(-2000);
  });
  child.stdin.on('error', () => {});
  child.once('exit', () => {
    for (const { reject } of waiting.values())
      reject(new Error(`${machine}: the station ended: ${complaint}`));
    waiting.clear();
  });
  createInterface({ input: child.stdout }).on('line', (line) => {
    const { id, value, error } = JSON.parse(line) as StationAnswer;
    const entry = waiting.get(id);
    waiting.delete(id);
    if (error === undefined) entry?.resolve(value);
    else entry?.reject(new Error(`${machine}: ${error}`));
  });
  return {
    call: (request) => {
      if (child.exitCode !== null) throw new Error(`${machine}: the station ended: ${complaint}`);
      last += 1;
      const entry = Promise.withResolvers<unknown>();
      waiting.set(last, entry);
      child.stdin.write(`${JSON.stringify({ ...request, id: last })}\n`);
      return entry.promise;
    },
    close: () => void child.kill('SIGKILL'),
  };
}
