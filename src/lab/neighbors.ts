/** Who answers for addresses on a lab's first segment, asked from outside by ARP and NDP (neighbors.c). */
import { createInterface } from 'node:readline';
import type { Lab } from './client.ts';
import { eventually } from './eventually.ts';
import { inNode } from './paths.ts';

/** Of one answer. */
export type NeighborAnswer = {
  readonly address: string;
  /** The node's name; the MAC where it is none of a node. */
  readonly node: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
};

export type Neighbors = {
  /** Names of those that answer, by address, sorted: more than one is one too many. Asked several times in `forMs`. */
  whoAnswers(addresses: readonly string[], forMs?: number): Promise<ReadonlyMap<string, readonly string[]>>;
  /** Asks every `everyMs` until stopped; addresses are told as they are asked for. */
  watch(
    addresses: readonly string[],
    everyMs: number,
    heard: (answer: NeighborAnswer) => void,
  ): Promise<{ stop(): void }>;
};

const program = '/tmp/neighbors';
const timesAsked = 4;
const mostAtOnce = 500;

/** `from`: a machine on the first segment. */
export async function openNeighbors(lab: Lab, from = 'outside'): Promise<Neighbors> {
  const device = from === 'router' ? 'underlay' : 'eth0';
  const source = `${inNode.source}/src/lab/neighbors.c`;
  const { code, stderr } = await lab.exec(from, ['tcc', '-o', program, source]);
  if (code !== 0) throw new Error(`${source}: ${stderr}`);
  const names = async (): Promise<ReadonlyMap<string, string>> =>
    new Map(
      (await lab.status()).machines.map(({ name, addresses }) => [macOf(name, addresses), name] as const),
    );

  return {
    async whoAnswers(addresses, forMs = 400) {
      const nodes = await names();
      const found = new Map<string, Set<string>>(addresses.map((address) => [address, new Set()]));
      for (let first = 0; first < addresses.length; first += mostAtOnce) {
        const some = addresses.slice(first, first + mostAtOnce);
        const every = String(Math.ceil(forMs / timesAsked));
        const result = await lab.exec(from, [program, device, every, String(forMs), ...some]);
        if (result.code !== 0) throw new Error(result.stderr);
        for (const line of result.stdout.split('\n')) {
          const answer = parseAnswer(line, nodes);
          if (answer !== undefined) found.get(answer.address)?.add(answer.node);
        }
      }
      return new Map([...found].map(([address, by]) => [address, [...by].sort()]));
    },
    async watch(addresses, everyMs, heard) {
      const nodes = await names();
      const child = await lab.spawn(from, [program, device, String(everyMs), '0', ...addresses]);
      createInterface({ input: child.stdout }).on('line', (line) => {
        const answer = parseAnswer(line, nodes);
        if (answer !== undefined) heard(answer);
      });
      return { stop: () => void child.kill('SIGKILL') };
    },
  };
}

export function parseAnswer(line: string, nodes: ReadonlyMap<string, string>): NeighborAnswer | undefined {
  const [address = '', mac = '', microseconds] = line.split(' ');
  if (microseconds === undefined) return undefined;
  return { address, node: nodes.get(mac) ?? mac, at: Number(microseconds) / 1000 };
}

/** As topology.ts gives it; the router has one of its own. */
function macOf(name: string, [address = '']: readonly string[]): string {
  if (name === 'router') return '02:00:00:00:42:01';
  const host = Number(/[.:](\d+)$/.exec(address)?.[1]);
  return `02:00:00:00:42:${host.toString(16).padStart(2, '0')}`;
}

/** Waits until exactly these answer for an address; empty: nobody. */
export async function expectAnswers(
  neighbors: Neighbors,
  address: string,
  nodes: readonly string[],
  timeoutMs = 10_000,
): Promise<void> {
  await eventually(async () => {
    const found = (await neighbors.whoAnswers([address])).get(address) ?? [];
    if (found.join() !== [...nodes].sort().join())
      throw new Error(
        `${address} is answered by ${found.join(', ') || 'nobody'}, not by ${nodes.join(', ')}`,
      );
  }, timeoutMs);
}
