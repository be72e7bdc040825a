/** Packets that nobody may send, sent for real, and watched for where they would arrive. */
import type { EndpointStatus } from '#intent/handover.ts';
import type { Lab } from '#lab/client.ts';
import { links, numbers, paths, ports } from '#system/registry.ts';
import type { CheckFacts, Family, NodeFacts } from './facts.ts';
import { arrives, type Forgery } from './forgery.ts';
import type { CaseResult } from './run.ts';

/** One result a forgery and family; the first of each family is an honest packet, which shows that the watching works. */
export async function forgeryResults(lab: Lab, facts: CheckFacts): Promise<readonly CaseResult[]> {
  const pods = new Map(
    (await Promise.all(facts.nodes.map((node) => podNamespaces(lab, node.name)))).flatMap((map) => [...map]),
  );
  const tunnelMac = new Map(
    await Promise.all(
      facts.nodes.map(async (node) => [node.name, await macOf(lab, node.name, links.tunnel.value)] as const),
    ),
  );
  const all = facts.families.flatMap((family) =>
    forgeries(facts, family, pods, tunnelMac).map((forgery) => ({ family, forgery })),
  );
  // What is prepared at a spot would change what the next one there sends; different spots don't meet.
  const bySpot = Map.groupBy(all, ({ family, forgery: { from } }) => `${family} ${from.where} ${from.netns}`);
  const results = new Map<Forgery, CaseResult>();
  await Promise.all(
    [...bySpot.values()].map(async (spot) => {
      for (const { family, forgery } of spot) results.set(forgery, await resultOf(lab, family, forgery));
    }),
  );
  return all.flatMap(({ forgery }) => results.get(forgery) ?? []);
}

async function resultOf(lab: Lab, family: Family, forgery: Forgery): Promise<CaseResult> {
  const started = performance.now();
  const wrong = await arrives(lab, forgery).then(
    (arrived) => (arrived === forgery.mayArrive ? undefined : arrived ? 'it arrived' : 'it did not arrive'),
    (error: unknown) => String(error),
  );
  return {
    group: forgery.mayArrive ? 'honest packet seen' : 'forged packet ✕',
    title: `IPv${family} ${forgery.title}`,
    ok: wrong === undefined,
    detail: wrong ?? (forgery.mayArrive ? 'arrived' : 'dropped'),
    milliseconds: Math.round(performance.now() - started),
  };
}

/**
 * On plain routes there is no tunnel to misuse, and a host of the same L2 that takes the address of another node's pod can't be told from
 * that node: there the victim is a pod of the node that the packet enters by. On an underlay any of its hosts may have an address that
 * no pod has.
 */
function forgeries(
  { nodes, outside, mode }: CheckFacts,
  family: Family,
  namespaces: ReadonlyMap<string, string>,
  tunnelMac: ReadonlyMap<string, string>,
): Forgery[] {
  const [here, there, third] = nodes;
  if (here === undefined || there === undefined || outside?.[family] === undefined) return [];
  const pod = (name: string) => namespaces.get(name);
  const target = there.echo.addresses[family] ?? '';
  const tunnelled = mode === 'overlay';
  const victim = ((tunnelled ? third?.client : undefined) ?? here.echo).addresses[family] ?? '';
  const outsider = { where: 'outside', netns: undefined };
  const neighbour = there.client.addresses[family] ?? '';
  const inPod = { where: here.name, netns: pod(here.client.name) };
  const atTarget = { where: there.name, netns: pod(there.echo.name), device: 'eth0' };
  const stranger = family === 4 ? '198.51.100.7' : '2001:db8:7::7';
  const unknown = strangerInPodRange(nodes, family);
  const device = `nlforge${family}`;
  const vxlan = (remote: string) => [
    [
      'ip',
      'link',
      'add',
      device,
      'type',
      'vxlan',
      'id',
      String(numbers.vni.value),
      'dstport',
      String(ports.vxlan.value),
    ].concat(['local', outside[family] ?? '', 'remote', remote, 'dev', 'eth0', 'nolearning']),
    ['ip', 'address', 'add', hostLength(victim), 'dev', device, ...nodad(family)],
    ['ip', 'link', 'set', device, 'up'],
    [
      'ip',
      `-${family}`,
      'neighbor',
      'replace',
      target,
      'lladdr',
      tunnelMac.get(there.name) ?? '',
      'dev',
      device,
    ],
    ['ip', `-${family}`, 'route', 'replace', hostLength(target), 'dev', device, 'src', victim],
  ];
  // Its own size tells each packet from all others that are on their way.
  let size = 200;
  const packet = (source: string) => {
    size += 1;
    return {
      send: ['ping', '-n', '-c', '3', '-i', '0.05', '-W', '0.3', '-s', String(size), '-I', source, target],
      watch: {
        ...atTarget,
        filter:
          family === 4 ? `icmp and ip[2:2] == ${size + 28}` : `ip6[6] == 58 and ip6[4:2] == ${size + 8}`,
      },
    };
  };
  const borrow = (title: string, source: string, at: Forgery['from'], dev: string): Forgery => ({
    title,
    mayArrive: false,
    from: at,
    prepare: [['ip', 'address', 'add', hostLength(source), 'dev', dev, ...nodad(family)]],
    undo: [['ip', 'address', 'del', hostLength(source), 'dev', dev]],
    ...packet(source),
  });
  const throughTunnel = [
    borrow(
      `through the tunnel of ${here.name} as a pod of another node`,
      third === undefined ? unknown : victim,
      { where: here.name, netns: undefined },
      links.tunnel.value,
    ),
    {
      title: 'in a tunnel packet from a host that is no node',
      mayArrive: false,
      from: { where: 'outside', netns: undefined },
      prepare: vxlan(there.addresses[family] ?? ''),
      undo: [['ip', 'link', 'del', device]],
      ...packet(victim),
    },
  ];
  return [
    {
      title: 'from a pod as itself',
      mayArrive: true,
      from: inPod,
      prepare: [],
      undo: [],
      ...packet(here.client.addresses[family] ?? ''),
    },
    borrow('from a pod as another pod', victim, inPod, 'eth0'),
    borrow('from a pod as a host outside', stranger, inPod, 'eth0'),
    borrow('from a pod as its node', here.addresses[family] ?? '', inPod, 'eth0'),
    ...(mode === 'underlay'
      ? [borrow('from the wire as a pod of the node that it enters', neighbour, outsider, 'eth0')]
      : [
          borrow('from outside as a pod', victim, outsider, 'eth0'),
          borrow('from outside as a pod that nobody knows', unknown, outsider, 'eth0'),
        ]),
    ...(tunnelled ? throughTunnel : []),
    {
      title: 'from a pod to the tunnel port of a node',
      mayArrive: false,
      from: inPod,
      prepare: [],
      undo: [],
      send: ['socat', '-u', 'EXEC:echo', udpTarget(there, family)],
      watch: {
        where: there.name,
        netns: undefined,
        device: 'eth0',
        filter: `udp dst port ${ports.vxlan.value} and ${family === 4 ? 'udp[4:2]' : 'ip6[44:2]'} < 40`,
      },
    },
  ];
}

/** By pod name, the name of its network namespace on its node: the container ID that CNI got. */
async function podNamespaces(lab: Lab, node: string): Promise<ReadonlyMap<string, string>> {
  const url = 'http://datapath/v1/endpoints';
  const { stdout, stderr } = await lab.exec(node, [
    'curl',
    '-sS',
    '--max-time',
    '10',
    '--unix-socket',
    paths.datapathSocket.value,
    url,
  ]);
  if (stdout === '') throw new Error(`node ${node}: the datapath does not answer: ${stderr.trim()}`);
  const endpoints = JSON.parse(stdout) as readonly EndpointStatus[];
  return new Map(endpoints.map((endpoint) => [endpoint.pod.name, endpoint.containerID]));
}

async function macOf(lab: Lab, node: string, device: string): Promise<string> {
  const { stdout } = await lab.exec(node, ['ip', '-j', 'link', 'show', 'dev', device]);
  return (JSON.parse(stdout || '[]') as { address?: string }[])[0]?.address ?? '';
}

/** The last address but one of the first pod's /16 or /56: no block that a small lab claims holds it. */
function strangerInPodRange(nodes: readonly NodeFacts[], family: Family): string {
  const address = nodes[0]?.echo.addresses[family] ?? '';
  if (family === 4) return `${address.split('.').slice(0, 2).join('.')}.255.253`;
  return `${address.split(':').slice(0, 2).join(':')}:0:ff:ffff::fffd`;
}

const hostLength = (address: string) => `${address}/${address.includes(':') ? 128 : 32}`;
const nodad = (family: Family) => (family === 6 ? ['nodad'] : []);

function udpTarget(node: NodeFacts, family: Family): string {
  const address = node.addresses[family] ?? '';
  return family === 4
    ? `UDP4-SENDTO:${address}:${ports.vxlan.value}`
    : `UDP6-SENDTO:[${address}]:${ports.vxlan.value}`;
}
