/**
 * Two nodes, a router that is the outside, and pods, wired by hand in one sandbox, with a real engine on each node: for tests.
 *
 *   outside (r) 192.168.66.1 .200 .201 ─ bridge ─ n1 192.168.66.11, n2 192.168.66.12, all with fd66::1 …
 *   overlay pods 10.244.NODE.x, fd10:244:0:NODE::x; routed pods 10.245.NODE.x, fd10:245:0:NODE::x; plain (not masqueraded,
 *   routed) pods 10.246.NODE.x.
 */
import { closeSync } from 'node:fs';
import type { Engine } from '#engines/engine.ts';
import { emptyIntent, type IntentChange, type NodeIntent, type ServiceIntent } from '#intent/node.ts';
import { macBytes, parseMac } from '#net/mac.ts';
import { bind, send } from '#system/libc.ts';
import { socketIn } from '#system/namespace.ts';
import { links, numbers, ports } from '#system/registry.ts';
import { createNftablesEngine, type ForeignChange } from './driver.ts';

const origin = { kind: 'Test', name: 'testnet' };

export type Pod = {
  readonly name: string;
  readonly node: 1 | 2;
  readonly device: string;
  readonly address4: string;
  readonly address6: string;
  readonly subnet: 'overlay' | 'routed' | 'plain';
};

/** What is needed of a lab sandbox (this folder can't import the lab; its tests can). */
export type Box = {
  readonly pid: number;
  exec(
    argv: readonly string[],
    options?: { readonly input?: string; readonly netns?: string },
  ): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }>;
  spawn(argv: readonly string[], options?: { readonly netns?: string }): unknown;
  addNamespace(name: string): Promise<string>;
  close(): Promise<void>;
};

export type Testnet = {
  readonly box: Box;
  readonly engines: readonly [Engine, Engine];
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
  setServices(services: Readonly<Record<string, ServiceIntent>>): Promise<void>;
  close(): Promise<void>;
};

const octet = { overlay: 244, routed: 245, plain: 246 } as const;

export const pods: readonly Pod[] = [
  pod('p11', 1, 'overlay', 11),
  pod('p12', 1, 'overlay', 12),
  pod('q11', 1, 'routed', 11),
  pod('m11', 1, 'plain', 11),
  pod('p21', 2, 'overlay', 21),
  pod('q21', 2, 'routed', 21),
];

function pod(name: string, node: 1 | 2, subnet: Pod['subnet'], last: number): Pod {
  return {
    name,
    node,
    device: `${links.podPrefix.value}${name}`,
    address4: `10.${octet[subnet]}.${node}.${last}`,
    address6: `fd10:${octet[subnet]}:0:${node}::${last}`,
    subnet,
  };
}

export function service(part: Partial<ServiceIntent> & Pick<ServiceIntent, 'frontends'>): ServiceIntent {
  return { origin: { kind: 'Service', name: 'test' }, protocol: 'tcp', backends: [], ...part };
}

/** The intent of a node of this net, without services. */
export function intentOf(node: 1 | 2): NodeIntent {
  const other = node === 1 ? 2 : 1;
  const subnet = (kind: Pod['subnet']) => ({
    origin,
    cidrs: [`10.${octet[kind]}.0.0/16`, `fd10:${octet[kind]}::/56`],
    mode: kind === 'overlay' ? ('overlay' as const) : ('routed' as const),
    masquerade: kind !== 'plain',
    allowFrom: ['192.168.66.201/32', 'fd66::201/128'],
    excluded: [],
  });
  const blocks = (['overlay', 'routed', 'plain'] as const).flatMap((kind) =>
    [`10.${octet[kind]}.${other}.0/24`, `fd10:${octet[kind]}:0:${other}::/64`].map((cidr) => ({
      cidr,
      subnet: kind,
      mode: kind === 'overlay' ? ('overlay' as const) : ('routed' as const),
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
    subnets: { overlay: subnet('overlay'), routed: subnet('routed'), plain: subnet('plain') },
    peers: { [`n${other}`]: { origin, addresses: [`192.168.66.1${other}`, `fd66::1${other}`], blocks } },
    endpoints: Object.fromEntries(
      pods
        .filter((each) => each.node === node)
        .map((each) => [
          `${each.name}/eth0`,
          {
            origin,
            device: each.device,
            ifindex: 1,
            mac: '02:00:00:00:00:01',
            addresses: [each.address4, each.address6],
            subnet: each.subnet,
            mode: each.subnet === 'overlay' ? ('overlay' as const) : ('routed' as const),
          },
        ]),
    ),
  };
}

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
        const gone = current.filter((key) => !(key in services));
        current = Object.keys(services);
        for (const engine of engines) await engine.apply(change({ services }, { services: gone }));
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

async function neighbourMac(
  sh: (where: string, script: string) => Promise<string>,
  where: string,
  device: string,
): Promise<string> {
  const neighbours = JSON.parse(await sh(where, `ip -j neigh show dev ${device}`)) as { lladdr?: string }[];
  const found = neighbours.find((each) => each.lladdr !== undefined)?.lladdr;
  if (found === undefined) throw new Error(`${where} has no neighbour on ${device}`);
  return found;
}

/** The same wiring as the netlink engine's, by hand. */
async function wire(sh: (where: string, script: string) => Promise<string>): Promise<void> {
  const vni = numbers.vni.value;
  await sh(
    'r',
    `sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv6.conf.default.accept_dad=0
     ip link add br0 type bridge; sysctl -qw net.ipv6.conf.br0.accept_dad=0; ip link set br0 up
     for a in 192.168.66.1/24 192.168.66.200/24 192.168.66.201/24; do ip addr add $a dev br0; done
     for a in fd66::1/64 fd66::200/64 fd66::201/64; do ip addr add $a dev br0 nodad; done
     ip link add v1 type veth peer name eth0 netns n1; ip link add v2 type veth peer name eth0 netns n2
     for v in v1 v2; do ip link set $v master br0 up; done
     ip route add 10.96.0.0/16 via 192.168.66.11; ip route add fd10:96::/112 via fd66::11
     for o in 244 245 246; do for n in 1 2; do
       ip route add 10.$o.$n.0/24 via 192.168.66.1$n; ip route add fd10:$o:0:$n::/64 via fd66::1$n
     done; done`,
  );
  for (const node of [1, 2] as const) {
    const other = node === 1 ? 2 : 1;
    await sh(
      `n${node}`,
      `sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv6.conf.default.accept_dad=0
       sysctl -qw net.ipv6.conf.eth0.accept_dad=0; ip link set eth0 up; ip addr add 192.168.66.1${node}/24 dev eth0; ip addr add fd66::1${node}/64 dev eth0 nodad
       ip route add default via 192.168.66.1; ip route add default via fd66::1
       ip link add ${links.tunnel.value} address 02:00:00:00:66:0${node} type vxlan id ${vni} dstport ${ports.vxlan.value} local 192.168.66.1${node} nolearning
       ip link set ${links.tunnel.value} mtu 1450 up
       ip addr add 10.244.${node}.1/32 dev ${links.tunnel.value}; ip addr add fd10:244:0:${node}::1/128 dev ${links.tunnel.value} nodad
       bridge fdb append 02:00:00:00:66:0${other} dev ${links.tunnel.value} dst 192.168.66.1${other}
       for a in 10.244.${other}.1 fd10:244:0:${other}::1; do ip neigh replace $a lladdr 02:00:00:00:66:0${other} dev ${links.tunnel.value} nud permanent; done
       ip route add 10.244.${other}.0/24 via 10.244.${other}.1 dev ${links.tunnel.value} onlink src 10.244.${node}.1
       ip route add fd10:244:0:${other}::/64 via fd10:244:0:${other}::1 dev ${links.tunnel.value} onlink src fd10:244:0:${node}::1
       for o in 245 246; do
         ip route add 10.$o.${other}.0/24 via 192.168.66.1${other}; ip route add fd10:$o:0:${other}::/64 via fd66::1${other}
       done
       for o in 244 245 246; do ip route add unreachable 10.$o.0.0/16 metric 4278198272; ip route add unreachable fd10:$o::/56 metric 4278198272; done`,
    );
  }
  for (const { name, node, device, address4, address6 } of pods) {
    await sh(
      `n${node}`,
      `ip link add ${device} address ${links.podMac.value} type veth peer name eth0 netns ${name}
       ip link set ${device} up; ip addr add fe80::1/64 dev ${device} nodad
       ip addr add 169.254.1.1/32 dev ${device} scope link
       ip route add ${address4}/32 dev ${device} scope link; ip route add ${address6}/128 dev ${device}
       mac=$(ip -n ${name} link show eth0 | sed -n 's/.*ether \\([0-9a-f:]*\\).*/\\1/p')
       ip neigh replace ${address4} lladdr $mac dev ${device} nud permanent
       ip neigh replace ${address6} lladdr $mac dev ${device} nud permanent`,
    );
    await sh(
      name,
      `sysctl -qw net.ipv6.conf.default.accept_dad=0
       ip link set eth0 mtu 1450 up; ip addr add ${address4}/32 dev eth0; ip addr add ${address6}/128 dev eth0 nodad
       for a in 169.254.1.1 fe80::1; do ip neigh replace $a lladdr ${links.podMac.value} dev eth0 nud permanent; done
       ip route add 169.254.1.1 dev eth0 scope link; ip route add default via 169.254.1.1
       ip route add default via fe80::1 dev eth0
       ping -c1 -W1 169.254.1.1 >/dev/null || true`,
    );
  }
  for (const where of ['n1', 'n2', 'r', ...pods.map((each) => each.name)]) {
    await sh(
      where,
      `nft -f - <<'END'
table inet probe {
  counter hit { }
  chain input { type filter hook input priority 0; udp dport 9999 counter name hit; }
}
END`,
    );
  }
  await sh(
    'r',
    'for a in 192.168.66.11 192.168.66.12 fd66::11 fd66::12; do ping -c1 -W2 $a >/dev/null; done',
  );
}

/** Every pod, node and the outside answer on TCP and UDP port 8080 with `name client-address`. */
async function serve(box: Box): Promise<void> {
  for (const where of ['n1', 'n2', 'r', ...pods.map((each) => each.name)]) {
    for (const family of [4, 6]) {
      const only = family === 6 ? ',ipv6only=1' : '';
      // Reads first: closing with unread data would reset the connection before the answer is read.
      const answer = `SYSTEM:read x; echo ${where} $SOCAT_PEERADDR`;
      for (const listen of [
        `TCP${family}-LISTEN:8080,fork,reuseaddr${only}`,
        `UDP${family}-RECVFROM:8080,fork${only}`,
      ]) {
        box.spawn(['socat', '-lf', '/dev/null', listen, answer], { netns: where });
      }
    }
  }
  const listening = async (where: string) =>
    (await box.exec(['sh', '-c', 'ss -Hltnu sport = 8080 | wc -l'], { netns: where })).stdout.trim() === '4';
  const deadline = Date.now() + 10_000;
  for (const where of ['n1', 'n2', 'r', ...pods.map((each) => each.name)]) {
    while (!(await listening(where))) if (Date.now() > deadline) throw new Error(`${where} does not listen`);
  }
}
