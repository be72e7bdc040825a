/** The links, routes and servers of the test network (testnet.ts). */
import { linkGroups, links, numbers, ports } from '#system/registry.ts';

export type Pod = {
  readonly name: string;
  readonly node: 1 | 2;
  readonly device: string;
  readonly address4: string;
  readonly address6: string;
  readonly subnet: 'overlay' | 'routed' | 'plain' | 'cross';
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

/** Runs a shell script in a namespace; throws when it fails. */
export type Shell = (where: string, script: string) => Promise<string>;

/** Second byte of each subnet's addresses. */
export const octet = { overlay: 244, routed: 245, plain: 246, cross: 247 } as const;

export const pods: readonly Pod[] = [
  pod('p11', 1, 'overlay', 11),
  pod('p12', 1, 'overlay', 12),
  pod('q11', 1, 'routed', 11),
  pod('m11', 1, 'plain', 11),
  pod('p21', 2, 'overlay', 21),
  pod('q21', 2, 'routed', 21),
  pod('c11', 1, 'cross', 11),
  pod('c21', 2, 'cross', 21),
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

/** The same wiring as the netlink engine's, by hand. */
export async function wire(sh: Shell): Promise<void> {
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
     for o in 244 245 246 247; do for n in 1 2; do
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
       ip link set ${links.tunnel.value} mtu 1450 group ${linkGroups.tunnel.value} up
       ip addr add 10.244.${node}.1/32 dev ${links.tunnel.value}; ip addr add fd10:244:0:${node}::1/128 dev ${links.tunnel.value} nodad
       bridge fdb append 02:00:00:00:66:0${other} dev ${links.tunnel.value} dst 192.168.66.1${other}
       for a in 10.244.${other}.1 fd10:244:0:${other}::1; do ip neigh replace $a lladdr 02:00:00:00:66:0${other} dev ${links.tunnel.value} nud permanent; done
       ip route add 10.244.${other}.0/24 via 10.244.${other}.1 dev ${links.tunnel.value} onlink src 10.244.${node}.1
       ip route add fd10:244:0:${other}::/64 via fd10:244:0:${other}::1 dev ${links.tunnel.value} onlink src fd10:244:0:${node}::1
       for o in 245 246 247; do
         ip route add 10.$o.${other}.0/24 via 192.168.66.1${other}; ip route add fd10:$o:0:${other}::/64 via fd66::1${other}
       done
       ip route add 10.247.3.0/24 via 10.244.${other}.1 dev ${links.tunnel.value} onlink
       ip route add fd10:247:0:3::/64 via fd10:244:0:${other}::1 dev ${links.tunnel.value} onlink
       for o in 244 245 246 247; do ip route add unreachable 10.$o.0.0/16 metric 4278198272; ip route add unreachable fd10:$o::/56 metric 4278198272; done`,
    );
  }
  for (const { name, node, device, address4, address6 } of pods) {
    await sh(
      `n${node}`,
      `ip link add ${device} address ${links.podMac.value} type veth peer name eth0 netns ${name}
       ip link set ${device} group ${linkGroups.pods.value} up; ip addr add fe80::1/64 dev ${device} nodad
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
export async function serve(box: Box): Promise<void> {
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
