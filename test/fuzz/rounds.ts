/** One round after the other: changes, then oracle, whole compile, compile change by change, kernel tables and packets must agree. */
import {
  compilePolicy,
  createPolicyCompiler,
  type PolicyChange,
  type PolicyCompiler,
} from '#compile/policy/compile.ts';
import { judge } from '#compile/policy/decide.ts';
import { type PolicyView, verdictOf } from '#compile/policy/lookup.ts';
import type { PolicyEnd, PolicySnapshot } from '#compile/policy/snapshot.ts';
import { intentOf } from '#engines/nftables/testnet.ts';
import type { PolicyDirection } from '#model/policy.ts';
import { changed, changesOf, emptyCluster, podKeys } from './clusters.ts';
import { type FuzzNet, isPod, servedPorts, type Way } from './net.ts';

/** What one of the five says that the oracle doesn't. */
export type Disagreement = {
  readonly snapshot: PolicySnapshot;
  readonly what: string;
  readonly way?: Way;
  readonly protocol?: Protocol;
  readonly port?: number;
  /** What the oracle says. */
  readonly verdict?: 'allow' | 'deny';
};

export type Protocol = 'tcp' | 'udp' | 'sctp' | 'icmp';

export type Rounds = {
  /** Gives what disagreed. */
  next(seed: number): Promise<readonly Disagreement[]>;
};

type Packet = { readonly way: Way; readonly protocol: Protocol; readonly port: number };

/** Longer than an answer takes here; what seems wrong is asked again, alone and with patience: the machine may be busy. */
const silenceMs = 250;
const patienceMs = 4000;
const tries = 3;
const atOnce = 120;
const packetsAWay = 2;
const nodes = [1, 2] as const;

export async function startRounds(net: FuzzNet): Promise<Rounds> {
  let snapshot = emptyCluster();
  const views = new Map(nodes.map((node) => [node, emptyView(node)]));
  const compilers = new Map(nodes.map((node) => [node, createPolicyCompiler(`n${node}`)]));
  const put = async (change: PolicyChange | undefined, node: 1 | 2): Promise<void> => {
    if (change === undefined) return;
    views.set(node, grown(views.get(node) ?? emptyView(node), change));
    await net.net.put(node, change.put, change.remove);
  };
  for (const [node, compiler] of compilers) {
    for (const tell of tellings(snapshot)) tell(compiler);
    await net.net.put(node, { endpoints: endpointsOf(node) });
    await put(compiler.flush(), node);
  }
  return {
    async next(seed) {
      const changes = changesOf(seed);
      snapshot = changed(snapshot, changes);
      for (const [node, compiler] of compilers) {
        for (const { kind, key, value } of changes) {
          if (kind === 'policy') compiler.setPolicy(key, value);
          else if (kind === 'pod') compiler.setPod(key, value);
          else if (kind === 'namespace') compiler.setNamespace(key, value);
          else compiler.setNode(key, value);
        }
        await put(compiler.flush(), node);
      }
      const packets = net.ways.flatMap((way) => packetsOf(way, seed));
      const wholes = new Map(
        nodes.map((node) => [node, { ...emptyView(node), ...compilePolicy(snapshot, `n${node}`).value }]),
      );
      const shuffled = new Map(nodes.map((node) => [node, viewInOrder(snapshot, node, seed)]));
      const repaired = await Promise.all(
        nodes.map(async (node) => (await net.net.engines[node - 1]?.resync())?.operations ?? []),
      );
      return [
        ...packets.flatMap((packet) => [
          ...comparedTo(snapshot, views, packet, 'the compile change by change'),
          ...comparedTo(snapshot, wholes, packet, 'the whole compile'),
          ...comparedTo(snapshot, shuffled, packet, 'the compile in another order'),
        ]),
        ...repaired.flatMap((operations, index) =>
          operations.length === 0
            ? []
            : [{ snapshot, what: `the kernel of n${index + 1} needed ${operations.join('; ')}` }],
        ),
        ...(await sent(net, snapshot, packets)),
      ];
    },
  };
}

/** All that a compiler is told of a cluster. */
function tellings(snapshot: PolicySnapshot): readonly ((compiler: PolicyCompiler) => void)[] {
  const { policies, pods, namespaces, nodes: machines, tunnelAddresses = [], podPrefixes = [] } = snapshot;
  return [
    ...[...policies].map(
      ([key, value]) =>
        (c: PolicyCompiler) =>
          c.setPolicy(key, value),
    ),
    ...[...pods].map(
      ([key, value]) =>
        (c: PolicyCompiler) =>
          c.setPod(key, value),
    ),
    ...[...namespaces].map(
      ([key, value]) =>
        (c: PolicyCompiler) =>
          c.setNamespace(key, value),
    ),
    ...[...machines].map(
      ([key, value]) =>
        (c: PolicyCompiler) =>
          c.setNode(key, value),
    ),
    ...[...tunnelAddresses].map(
      ([key, value]) =>
        (c: PolicyCompiler) =>
          c.setTunnelAddresses(key, value),
    ),
    ...[...podPrefixes].map(
      ([key, value]) =>
        (c: PolicyCompiler) =>
          c.setPodPrefixes(key, value),
    ),
  ];
}

/** From nothing, in an order of the seed's, handed over in pieces. */
function viewInOrder(snapshot: PolicySnapshot, node: 1 | 2, seed: number): PolicyView {
  const compiler = createPolicyCompiler(`n${node}`);
  const all = tellings(snapshot);
  const order = all
    .map((tell, index) => ({ tell, place: ((seed + 1) * (index + 7) * 2_654_435_761) % 4_294_967_291 }))
    .sort((a, b) => a.place - b.place);
  let view = emptyView(node);
  const flush = (): void => {
    const change = compiler.flush();
    if (change !== undefined) view = grown(view, change);
  };
  for (const { tell, place } of order) {
    tell(compiler);
    if (place % 5 === 0) flush();
  }
  flush();
  return view;
}

async function sent(
  net: FuzzNet,
  snapshot: PolicySnapshot,
  packets: readonly Packet[],
): Promise<readonly Disagreement[]> {
  const ask = async ({ way, protocol, port }: Packet, timeoutMs: number) =>
    (await net.probe(way, { protocol, port, timeoutMs })).outcome;
  const agrees = (packet: Packet, outcome: string) =>
    outcome === (oracle(snapshot, packet) === 'allow' ? 'allowed' : 'dropped');
  const doubtful: Packet[] = [];
  const queue = [...packets];
  const worker = async (): Promise<void> => {
    for (let packet = queue.shift(); packet !== undefined; packet = queue.shift())
      if (!agrees(packet, await ask(packet, silenceMs))) doubtful.push(packet);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  const found: Disagreement[] = [];
  for (const packet of doubtful) {
    let outcome = '';
    for (let i = 0; i < tries && !agrees(packet, outcome); i++) outcome = await ask(packet, patienceMs);
    if (!agrees(packet, outcome))
      found.push({ snapshot, what: `a packet was ${outcome}`, ...packet, verdict: oracle(snapshot, packet) });
    // A few tell enough of what is wrong.
    if (found.length > 5) break;
  }
  return found;
}

function comparedTo(
  snapshot: PolicySnapshot,
  views: ReadonlyMap<1 | 2, PolicyView>,
  packet: Packet,
  what: string,
): readonly Disagreement[] {
  const { way, protocol, port } = packet;
  const said = sidesOf(way).map(({ pod, direction, peer }) => {
    const node = snapshot.pods.get(pod)?.node === 'n2' ? 2 : 1;
    const view = views.get(node) ?? emptyView(node);
    const question = { pod, direction, peer, protocol: policyProtocol(protocol), port };
    return verdictOf(view, question).verdict;
  });
  const verdict = said.includes('deny') ? 'deny' : 'allow';
  const wanted = oracle(snapshot, packet);
  return verdict === wanted
    ? []
    : [{ snapshot, what: `${what} says ${verdict}`, ...packet, verdict: wanted }];
}

/** Both ends' policies together. What audit mode would drop passes. */
function oracle(snapshot: PolicySnapshot, { way, protocol, port }: Packet): 'allow' | 'deny' {
  const from = endOf(way.from, way.source);
  const to = endOf(way.to, way.target);
  const flow = { from, to, protocol: policyProtocol(protocol), port, family: way.family };
  const verdicts = sidesOf(way).map(({ direction }) => judge(snapshot, direction, flow).verdict);
  return verdicts.includes('deny') ? 'deny' : 'allow';
}

type Side = { readonly pod: string; readonly direction: PolicyDirection; readonly peer: string };

function sidesOf({ from, to, source, target }: Way): readonly Side[] {
  const sides: Side[] = [];
  const sender = podKeys.get(from);
  const receiver = podKeys.get(to);
  if (sender !== undefined) sides.push({ pod: sender, direction: 'egress', peer: target });
  if (receiver !== undefined) sides.push({ pod: receiver, direction: 'ingress', peer: source });
  return sides;
}

function endOf(name: string, address: string): PolicyEnd {
  const key = podKeys.get(name);
  return key === undefined ? { kind: 'address', address } : { kind: 'pod', key };
}

/** A few of what can be sent, others each round. */
function packetsOf(way: Way, seed: number): readonly Packet[] {
  const all: readonly Omit<Packet, 'way'>[] = [
    ...servedPorts.flatMap((port) => [
      { protocol: 'tcp' as const, port },
      { protocol: 'udp' as const, port },
    ]),
    { protocol: 'icmp', port: 0 },
    ...(isPod(way.to) ? [{ protocol: 'sctp' as const, port: 80 }] : []),
  ];
  const text = Buffer.from(`${way.from}${way.to}${way.family}`);
  const start = text.reduce((sum, byte) => sum * 31 + byte, seed) >>> 0;
  return Array.from({ length: packetsAWay }, (_, index) => {
    const { protocol, port } = all[(start + index * 3) % all.length] ?? { protocol: 'icmp', port: 0 };
    return { way, protocol, port };
  });
}

const policyProtocol = (protocol: Protocol) => (protocol === 'icmp' ? ('other' as const) : protocol);

function emptyView(node: 1 | 2): PolicyView {
  const { self, subnets, policySubjects, policyDecisions, policyAddresses, policyPrefixes } = intentOf(node);
  return { self, subnets, policySubjects, policyDecisions, policyAddresses, policyPrefixes };
}

function grown(view: PolicyView, { put, remove }: PolicyChange): PolicyView {
  const domains = ['policySubjects', 'policyDecisions', 'policyAddresses', 'policyPrefixes'] as const;
  const next: Record<string, object> = { ...view };
  for (const domain of domains) {
    const entries: Record<string, unknown> = { ...view[domain] };
    for (const key of remove[domain] ?? []) delete entries[key];
    next[domain] = { ...entries, ...put[domain] };
  }
  return next as PolicyView;
}

/** The engine finds a pod's policy by the pod that its endpoint is of. */
function endpointsOf(node: 1 | 2): ReturnType<typeof intentOf>['endpoints'] {
  return Object.fromEntries(
    Object.entries(intentOf(node).endpoints).map(([key, endpoint]) => {
      const [namespace = '', name = ''] = podKeys.get(endpoint.origin.name)?.split('/') ?? [];
      return [key, { ...endpoint, origin: { kind: 'Pod', namespace, name } }];
    }),
  );
}
