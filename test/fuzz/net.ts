/** The test network of the nftables engine as the fuzzer uses it: packets sent and answered by this process. */

import { openTestnet, pods, type Testnet } from '#engines/nftables/testnet.ts';
import { openSandbox } from '#lab/sandbox.ts';
import type { Family } from '#net/addr.ts';
import { probe } from '../lab/packet-probe.ts';
import { serve } from '../lab/packet-server.ts';
import type { ProbeAnswer, ProbeOrder } from '../lab/packets.ts';

export type Way = {
  /** `p11`, `n1` (a node's own programs) or `r` (the outside). */
  readonly from: string;
  readonly to: string;
  readonly family: Family;
  /** The address that the packets go to, and the one that they carry where policy sees them. */
  readonly target: string;
  readonly source: string;
};

export type FuzzNet = {
  readonly net: Testnet;
  /** All ways that packets can go while nobody is restricted. */
  readonly ways: readonly Way[];
  probe(way: Way, order: Omit<ProbeOrder, 'target' | 'source'>): Promise<ProbeAnswer>;
  close(): Promise<void>;
};

export const servedPorts = [53, 80, 81] as const;
/** The address of the outside that Subnets let in. */
const guest = { 4: '192.168.66.201', 6: 'fd66::201' } as const;
const nodeNames = ['n1', 'n2'] as const;

export async function openFuzzNet(): Promise<FuzzNet> {
  const box = await openSandbox();
  const net = await openTestnet(box);
  const closers: (() => void)[] = [];
  const pathOf = (name: string) => `/proc/${box.pid}/root/run/netns/${name}`;
  const close = async () => {
    for (const each of closers) each();
    await net.close();
  };
  try {
    for (const name of [...pods.map((pod) => pod.name), ...nodeNames, 'r']) {
      const addresses = [addressOf(name, 4), addressOf(name, 6)];
      for (const port of servedPorts) {
        for (const protocol of ['tcp', 'udp'] as const)
          closers.push(await serve(pathOf(name), { protocol, port }, name, addresses));
      }
      if (pods.some((pod) => pod.name === name))
        closers.push(await serve(pathOf(name), { protocol: 'sctp', port: 80 }, name));
    }
    const send: FuzzNet['probe'] = (way, order) =>
      probe(pathOf(way.from), {
        ...order,
        target: way.target,
        ...(way.from === 'r' ? { source: guest[way.family] } : {}),
      });
    const ways = await openWays(send);
    return { net, ways, probe: send, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function openWays(send: FuzzNet['probe']): Promise<readonly Way[]> {
  const ends = [...pods.map(({ name }) => name), ...nodeNames, 'r'];
  const possible = ends.flatMap((from) =>
    ends
      .filter((to) => to !== from && (isPod(from) || isPod(to)))
      .flatMap((to) =>
        ([4, 6] as const).map((family) => ({ from, to, family, target: addressOf(to, family) })),
      ),
  );
  const tried = await Promise.all(
    possible.map(async (way) => {
      const order = { protocol: 'tcp', port: 80, timeoutMs: 3000 } as const;
      const { outcome, client = '' } = await send({ ...way, source: '' }, order);
      // A node has a link-local address beside its own towards its pods, and whatever it sends them is its own.
      const isOwn = pods.some(({ name, node }) => name === way.to && `n${node}` === way.from);
      const source = isPod(way.from) || isOwn ? addressOf(way.from, way.family) : client;
      return outcome === 'allowed' ? [{ ...way, source }] : [];
    }),
  );
  return tried.flat();
}

export const isPod = (name: string): boolean => pods.some((pod) => pod.name === name);

export function addressOf(name: string, family: Family): string {
  const pod = pods.find((each) => each.name === name);
  if (pod !== undefined) return family === 4 ? pod.address4 : pod.address6;
  if (name === 'r') return family === 4 ? '192.168.66.200' : 'fd66::200';
  return family === 4 ? `192.168.66.1${name.slice(1)}` : `fd66::1${name.slice(1)}`;
}
