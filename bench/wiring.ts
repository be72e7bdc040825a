/** Pairs of pods to send between: ours, the same wired by hand, a bare veth and a bare VXLAN. Each in namespaces of its own. */
import type { NodeIntent } from '#intent/node.ts';
import { type Ground, type OurNode, ourPlugin, services, settle, startNode } from './nodes.ts';
import { makePods, openPlugin } from './plugins.ts';

/** Where a load runs: from the client's network namespace to an address of the server's. */
export type Pair = { readonly client: string; readonly server: string; readonly address: string };

export type Wiring = {
  /** Both ends on one node, and on two nodes. */
  readonly near: Pair;
  readonly far: Pair;
};

const mtu = 1450;

/** Two nodes joined by a veth, each with a real datapath, and so many Services; pods by CNI. `label`: at most four letters. */
export async function wireOurs(
  ground: Ground,
  options: { readonly label: string; readonly services: number; readonly timer: string },
): Promise<Wiring & { send(put: Partial<NodeIntent>): Promise<void>; close(): void }> {
  const { label, timer } = options;
  const names = [`${label}1`, `${label}2`] as const;
  await joinNodes(ground, names);
  const at = (index: number) => ({
    name: names[index]!,
    address: `192.168.70.${11 + index}`,
    block: `10.244.${index}.0/24`,
  });
  const nodes: OurNode[] = [];
  const addresses: string[] = [];
  for (const index of [0, 1]) {
    const node = await startNode(ground, { ...at(index), peers: [at(1 - index)] });
    nodes.push(node);
    if (options.services > 0) await node.send({ services: services(options.services) });
    const config = { name: 'netloom', type: 'netloom', socket: node.cniSocket };
    const netns = names[index]!;
    const plugin = await openPlugin(ground, { timer, netns, executable: ourPlugin, config });
    for (const pod of index === 0 ? ['a', 'b'] : ['c']) {
      const name = `${label}${pod}`;
      await makePods(ground, [name]);
      await node.know([name]);
      await plugin.call('ADD', name);
      const shown = await ground.run(`ip -n ${name} -4 -o addr show dev eth0`);
      addresses.push(/inet (\S+)\/32/.exec(shown)?.[1] ?? '');
    }
    plugin.close();
  }
  const [, near = '', far = ''] = addresses;
  return {
    near: { client: `${label}a`, server: `${label}b`, address: near },
    far: { client: `${label}a`, server: `${label}c`, address: far },
    async send(put) {
      for (const node of nodes) await node.send(put);
    },
    close: () => {
      for (const node of nodes) node.close();
    },
  };
}

/**
 * The same links, routes and tunnel by hand; connection tracking on by one rule; nothing else, or with `nat` the hooks that Services
 * need, each with a rule that never matches. `label`: at most four letters.
 */
export async function wireByHand(
  ground: Ground,
  { label, nat }: { readonly label: string; readonly nat: boolean },
): Promise<Wiring> {
  const names = [`${label}1`, `${label}2`] as const;
  await joinNodes(ground, names);
  const script: string[] = [];
  for (const [index, node] of names.entries()) {
    const other = 1 - index;
    const mac = (of: number) => `02:00:00:00:00:0${of + 1}`;
    script.push(
      `ip -n ${node} link add nlvx0 address ${mac(index)} mtu ${mtu} type vxlan id 77 dstport 4789 local 192.168.70.${11 + index} nolearning`,
      `ip -n ${node} addr add 10.244.${index}.0/32 dev nlvx0; ip -n ${node} link set nlvx0 up`,
      `ip -n ${node} neigh add 10.244.${other}.0 lladdr ${mac(other)} dev nlvx0 nud permanent`,
      `bridge -n ${node} fdb append ${mac(other)} dev nlvx0 dst 192.168.70.${11 + other}`,
      `ip -n ${node} route add 10.244.${other}.0/24 via 10.244.${other}.0 dev nlvx0 onlink`,
      `ip netns exec ${node} sysctl -qw net.ipv4.ip_forward=1`,
      `ip netns exec ${node} nft 'add table inet hand; add chain inet hand forward { type filter hook forward priority 0; }; add rule inet hand forward ct state established,related accept'`,
    );
    if (nat) script.push(...natHooks.map((rule) => `ip netns exec ${node} nft '${rule}'`));
  }
  for (const [index, pod] of ['a', 'b', 'c'].entries()) {
    const node = names[pod === 'c' ? 1 : 0];
    const name = `${label}${pod}`;
    const address = handAddress(pod);
    script.push(
      `ip netns add ${name}; ip -n ${name} link set lo up`,
      `ip -n ${node} link add h${pod} address ee:ee:ee:ee:ee:ee mtu ${mtu} type veth peer name eth0 address 02:00:00:00:01:0${index} mtu ${mtu} netns ${name}`,
      `ip -n ${node} link set h${pod} up; ip -n ${name} link set eth0 up`,
      `ip -n ${node} route add ${address}/32 dev h${pod} scope link`,
      `ip -n ${node} neigh add ${address} lladdr 02:00:00:00:01:0${index} dev h${pod} nud permanent`,
      `ip -n ${name} addr add ${address}/32 dev eth0; ip -n ${name} route add 169.254.1.1 dev eth0 scope link`,
      `ip -n ${name} neigh add 169.254.1.1 lladdr ee:ee:ee:ee:ee:ee dev eth0 nud permanent`,
      `ip -n ${name} route add default via 169.254.1.1`,
    );
  }
  await ground.run(script.join('\n'));
  return {
    near: { client: `${label}a`, server: `${label}b`, address: handAddress('b') },
    far: { client: `${label}a`, server: `${label}c`, address: handAddress('c') },
  };
}

const natHooks = ['prerouting -100', 'output -100', 'postrouting 100'].map((text) => {
  const [hook = '', priority = ''] = text.split(' ');
  const chain = `add chain inet hand ${hook} { type nat hook ${hook} priority ${priority}; }`;
  return `${chain}; add rule inet hand ${hook} ip daddr 192.0.2.1 accept`;
});

function handAddress(pod: string): string {
  return { a: '10.244.0.2', b: '10.244.0.3', c: '10.244.1.2' }[pod] ?? '';
}

/** No node between: near a veth from namespace to namespace, far a VXLAN over one. */
export async function wireBare(ground: Ground): Promise<Wiring> {
  const names = ['bare1', 'bare2'] as const;
  await joinNodes(ground, names);
  const vxlan = names.map(
    (node, index) => `
    ip -n ${node} link add vx0 mtu ${mtu} type vxlan id 77 dstport 4789 local 192.168.70.${11 + index} remote 192.168.70.${12 - index}
    ip -n ${node} addr add 10.9.0.${1 + index}/24 dev vx0; ip -n ${node} link set vx0 up`,
  );
  await ground.run(vxlan.join('\n'));
  return {
    near: { client: 'bare1', server: 'bare2', address: '192.168.70.12' },
    far: { client: 'bare1', server: 'bare2', address: '10.9.0.2' },
  };
}

/** Two namespaces with a cable between them, which have no way out. */
async function joinNodes(ground: Ground, [a, b]: readonly [string, string]): Promise<void> {
  await ground.run(
    `ip netns add ${a}; ip netns add ${b}
    ip -n ${a} link add eth0 type veth peer name eth0 netns ${b}
    ip -n ${a} addr add 192.168.70.11/24 dev eth0; ip -n ${b} addr add 192.168.70.12/24 dev eth0
    for node in ${a} ${b}; do ip -n $node link set lo up; ip -n $node link set eth0 up; done`,
  );
  for (const node of [a, b]) await ground.run(settle, node);
}
