/**
 * Two nodes, a router that is the outside, and pods, wired by hand in one sandbox, with a real engine on each node: for tests.
 *
 *   outside (r) 192.168.66.1 .200 .201 ─ bridge ─ n1 192.168.66.11, n2 192.168.66.12, all with fd66::1 …
 *   overlay pods 10.244.NODE.x, fd10:244:0:NODE::x; routed pods 10.245.NODE.x, fd10:245:0:NODE::x; plain (not masqueraded,
 *   routed) pods 10.246.NODE.x; pods of a cross-subnet Subnet 10.247.NODE.x, those of node 3 behind a router.
 */
import { closeSync } from 'node:fs';
import { emptyIntent, type IntentChange, type NodeIntent, type ServiceIntent } from '#intent/node.ts';
import { macBytes, parseMac } from '#net/mac.ts';
import { bind, send } from '#system/libc.ts';
import { socketIn } from '#system/namespace.ts';
import { createNftablesEngine, type ForeignChange, type NftablesEngine } from './driver.ts';
import { type Box, octet, type Pod, pods, type Shell, serve, wire } from './testnet-wiring.ts';

export { type Box, pods } from './testnet-wiring.ts';

const origin = { kind: 'Test', name: 'testnet' };

export type Testnet = {
  readonly box: Box;
  readonly engines: readonly [NftablesEngine, NftablesEngine];
  readonly foreign: ForeignChange[];
  /** Runs a shell script in a namespace (`n1`, `r`, a pod's name); gives its output, throws when it fails. */
  sh(where: string, script: string): Promise<string>;
  /** Opens a connection and gives what the server says (`name client-address`), or how it failed. */
  tcp(where: string, address: string, port: number, options?: string): Promise<string>;
  udp(where: string, address: string, port: number, options?: string): Promise<string>;
  /** Sends an Ethernet frame's payload, IPv4 or IPv6, from a device to its neighbour. */
  inject(where: string, device: string, packet: Uint8Array, toMac?: string): Promise<void>;
  /** Packets to UDP port 9999 that a namespace took in since the last call. */
  arrived(where: string): Promise<number>;
  counter(node: 1 | 2, name: string): Promise<number>;
  /** The same ones on both nodes, or those of each node. */
  setServices(services: Services | ((node: 1 | 2) => Services)): Promise<void>;
  /** Puts entries into the intent of a node, and removes others. */
  put(node: 1 | 2, entries: IntentChange['put'], remove?: IntentChange['remove']): Promise<void>;
  close(): Promise<void>;
};

type Services = Readonly<Record<string, ServiceIntent>>;

export function service(part: Partial<ServiceIntent> & Pick<ServiceIntent, 'frontends'>): ServiceIntent {
  return { origin: { kind: 'Service', name: 'test' }, protocol: 'tcp', backends: [], ...part };
}

/** The intent of a node of this net, without services. */
export function intentOf(node: 1 | 2): NodeIntent {
  const other = node === 1 ? 2 : 1;
  const subnet = (kind: Pod['subnet']) => ({
    origin,
    cidrs: [`10.${octet[kind]}.0.0/16`, `fd10:${octet[kind]}::/56`],
    mode: modeOf(kind),
    ...(kind === 'cross' ? { crossSubnet: true as const } : {}),
    masquerade: kind !== 'plain',
    allowFrom: ['192.168.66.201/32', 'fd66::201/128'],
    excluded: [],
  });
  const blocks = (['overlay', 'routed', 'plain', 'cross'] as const).flatMap((kind) =>
    [`10.${octet[kind]}.${other}.0/24`, `fd10:${octet[kind]}:0:${other}::/64`].map((cidr) => ({
      cidr,
      subnet: kind,
      mode: modeOf(kind),
    })),
  );
  return {
    ...emptyIntent,
    self: {
      [`n${node}`]: {
        origin,
        node: `n${node}`,
        nodeUID: `uid-${node}`,
        addresses: [`192.168.66.1${node}`, `fd66::1${node}`],
        blocks: [],
        tunnelAddresses: [`10.244.${node}.1`, `fd10:244:0:${node}::1`],
        assignUntil: 0,
      },
    },
    subnets: {
      overlay: subnet('overlay'),
      routed: subnet('routed'),
      plain: subnet('plain'),
      cross: subnet('cross'),
    },
    peers: { [`n${other}`]: { origin, addresses: [`192.168.66.1${other}`, `fd66::1${other}`], blocks } },
    endpoints: Object.fromEntries(
      pods
        .filter((each) => each.node === node)
        .map((each) => [
          `${each.name}/eth0`,
          {
            origin: { kind: 'Pod', namespace: 'test', name: each.name },
            podUID: `uid-${each.name}`,
            device: each.device,
            ifindex: 1,
            mac: '02:00:00:00:00:01',
            addresses: [each.address4, each.address6],
            subnet: each.subnet,
            mode: modeOf(each.subnet),
          },
        ]),
    ),
  };
}

const modeOf = (kind: Pod['subnet']) =>
  kind === 'overlay' || kind === 'cross' ? ('overlay' as const) : ('routed' as const);

/** Builds it in an empty sandbox, which it closes in the end. */
export async function openTestnet(box: Box): Promise<Testnet> {
  const paths = new Map<string, string>();
  const foreign: ForeignChange[] = [];
  const sh = async (where: string, script: string): Promise<string> => {
    const result = await box.exec(['sh', '-ec', script], { netns: where });
    if (result.code !== 0) throw new Error(`${where}: ${script}: ${result.stderr.trim()}`);
    return result.stdout;
  };
  try {
    for (const name of ['r', 'n1', 'n2', 'stray', ...pods.map((each) => each.name)]) {
      paths.set(name, await box.addNamespace(name));
    }
    await wire(sh);
    const engineOf = (node: 1 | 2) =>
      createNftablesEngine({
        command: ['nsenter', `--target=${box.pid}`, '--mount', `--net=${paths.get(`n${node}`)}`, '--'],
        namespace: paths.get(`n${node}`)!,
        serviceRanges: ['10.96.0.0/16', 'fd10:96::/112'],
        onForeignChange: (change) => void foreign.push(change),
        onError: (error) => {
          throw error;
        },
      });
    const engines = [engineOf(1), engineOf(2)] as const;
    let generation = 0;
    const change = (put: IntentChange['put'], remove: IntentChange['remove'] = {}): IntentChange => ({
      generation: ++generation,
      replace: false,
      put,
      remove,
    });
    await Promise.all(
      engines.map((engine, index) =>
        engine.apply({ generation: 0, replace: true, put: intentOf((index + 1) as 1 | 2), remove: {} }),
      ),
    );
    await serve(box);
    let current: readonly string[] = [];
    const ask = async (where: string, argv: readonly string[]): Promise<string> => {
      const result = await box.exec(['timeout', '4', 'socat', '-t1', '-T1', ...argv], {
        netns: where,
        input: 'x\n',
      });
      if (result.stdout !== '') return result.stdout.trim();
      // A local sender of UDP gets EPERM for what the output hook refuses.
      return /refused|not permitted/i.test(result.stderr) ? 'refused' : 'silence';
    };
    const target = (address: string, port: number) =>
      address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
    const kind = (address: string) => (address.includes(':') ? 6 : 4);
    return {
      box,
      engines,
      foreign,
      sh,
      tcp: (where, address, port, options = '') =>
        ask(where, ['-', `TCP${kind(address)}:${target(address, port)},connect-timeout=1${options}`]),
      udp: (where, address, port, options = '') =>
        ask(where, ['-', `UDP${kind(address)}:${target(address, port)}${options}`]),
      async inject(where, device, packet, toMac) {
        const link = JSON.parse(await sh(where, `ip -j link show ${device}`)) as {
          ifindex: number;
          address: string;
        }[];
        const { ifindex, address } = link[0]!;
        const to = toMac ?? (await neighbourMac(sh, where, device));
        const six = packet[0]! >> 4 === 6;
        const ether = Buffer.concat([
          macBytes(parseMac(to)!),
          macBytes(parseMac(address)!),
          Buffer.from(six ? [0x86, 0xdd] : [8, 0]),
        ]);
        const path = paths.get(where);
        if (path === undefined) throw new Error(`no namespace ${where}`);
        const fd = socketIn(path, 17, 3, 0);
        try {
          const name = Buffer.alloc(20);
          name.writeUInt16LE(17, 0);
          name.writeUInt16BE(3, 2);
          name.writeInt32LE(ifindex, 4);
          bind(fd, name);
          send(fd, Buffer.concat([ether, packet]));
        } finally {
          closeSync(fd);
        }
      },
      async arrived(where) {
        const text = await sh(where, 'nft -j reset counter inet probe hit');
        return Number(/"packets": (\d+)/.exec(text)?.[1]);
      },
      async counter(node, name) {
        const text = await sh(`n${node}`, `nft -j list counter inet netloom ${name}`);
        return Number(/"packets": (\d+)/.exec(text)?.[1]);
      },
      async setServices(services) {
        const of = typeof services === 'function' ? services : () => services;
        const gone = current.filter((key) => !(key in of(1)));
        current = Object.keys(of(1));
        for (const [index, engine] of engines.entries()) {
          await engine.apply(change({ services: of(index === 0 ? 1 : 2) }, { services: gone }));
        }
      },
      async put(node, entries, remove) {
        await engines[node - 1]!.apply(change(entries, remove));
      },
      async close() {
        await Promise.all(engines.map((engine) => engine.close()));
        await box.close();
      },
    };
  } catch (error) {
    await box.close();
    throw error;
  }
}

async function neighbourMac(sh: Shell, where: string, device: string): Promise<string> {
  const neighbours = JSON.parse(await sh(where, `ip -j neigh show dev ${device}`)) as { lladdr?: string }[];
  const found = neighbours.find((each) => each.lladdr !== undefined)?.lladdr;
  if (found === undefined) throw new Error(`${where} has no neighbour on ${device}`);
  return found;
}
