/** The connectivity matrix as data: from where, which probe, what must come back. */
import type { Probe, ProbeResult } from '#lab/probe/types.ts';
import {
  type CheckFacts,
  echoPorts,
  type Family,
  type NodeFacts,
  type PodFacts,
  servicePorts,
} from './facts.ts';

/** Where a probe is made: in a pod of the check, or on the machine outside. */
export type Place = { readonly pod: string } | 'outside';

export type Case = {
  /** Rows of the result table. */
  readonly group: string;
  readonly title: string;
  readonly from: Place;
  readonly probe: Probe;
  /** What is wrong with the answer; `undefined` when it is as it must be. */
  readonly judge: (result: ProbeResult) => string | undefined;
};

/** Every mode of traffic that must pass and every one that must not, for each family. */
export function connectivityCases(facts: CheckFacts): readonly Case[] {
  return facts.families.flatMap((family) => [
    ...facts.nodes.flatMap((node) =>
      facts.nodes.flatMap((other) => pairCases(node, other, family, facts.mtu)),
    ),
    ...facts.nodes.flatMap((node) => serviceCases(node, facts, family)),
    ...nodePortCases(facts, family),
    ...facts.nodes.flatMap((node) => outwardCases(node, facts, family)),
    ...inwardCases(facts, family),
  ]);
}

const timeoutMs = 3000;
/** What must not arrive gets less time: it is waited for in every run. */
const silenceMs = 1200;

function pairCases(from: NodeFacts, to: NodeFacts, family: Family, mtu: number): Case[] {
  const way = from.name === to.name ? 'same node' : 'across nodes';
  const podToPod = make(`pod → pod, ${way}`, family, from.client.name, { pod: from.client.name });
  const podToNode = make(`pod → node, ${way}`, family, from.client.name, { pod: from.client.name });
  const nodeToPod = make(`node → pod, ${way}`, family, from.name, { pod: from.host.name });
  const nodeToNode = make(`node → node, ${way}`, family, from.name, { pod: from.host.name });
  const pod = to.echo.addresses[family];
  const node = to.addresses[family];
  const fullSize = mtu - (family === 4 ? 28 : 48);
  const seesClient = answeredBy(to.echo, from.client.addresses[family]);
  return [
    podToPod('http', pod, { port: echoPorts.http }, seesClient),
    podToPod('udp', pod, { port: echoPorts.udp }, seesClient),
    podToPod('ping', pod, {}, answered),
    podToPod('ping', pod, { size: fullSize }, answered, `${fullSize} bytes`),
    podToPod('http', pod, { port: echoPorts.http, size: 1_000_000 }, answered, '1 MB'),
    podToNode('http', node, { port: echoPorts.hostHttp }, answeredBy(to.host)),
    podToNode('ping', node, {}, answered),
    nodeToPod('http', pod, { port: echoPorts.http }, answeredBy(to.echo)),
    nodeToPod('udp', pod, { port: echoPorts.udp }, answeredBy(to.echo)),
    nodeToPod('ping', pod, {}, answered),
    nodeToNode('http', node, { port: echoPorts.hostHttp }, answeredBy(to.host)),
    ...(from.name === to.name
      ? []
      : [podToPod('ping', pod, { size: fullSize + 1 }, tooBig, `${fullSize + 1} bytes are refused`)]),
  ].flat();
}

function serviceCases(node: NodeFacts, { services, nodes }: CheckFacts, family: Family): Case[] {
  const place = { pod: node.client.name };
  const fromPod = make('pod → Service', family, node.client.name, place);
  const fromNode = make('node → Service', family, node.name, { pod: node.host.name });
  const all = new Set(nodes.map((each) => each.echo.name));
  const { http, udp } = servicePorts;
  // Enough that a fair choice leaves out none of them once in a million runs.
  const count = 14 * all.size;
  return [
    fromPod('http', services.echo[family], { port: http, count }, reaches(all), 'reaches every endpoint'),
    fromPod('udp', services.echo[family], { port: udp }, answered),
    fromPod(
      'http',
      services.affinity[family],
      { port: http, count: 10 },
      staysWithOne,
      'affinity stays with one',
    ),
    fromPod('http', services.empty[family], { port: http }, refused, 'no endpoint: refused at once'),
    fromNode('http', services.echo[family], { port: http }, answered),
    fromNode('udp', services.echo[family], { port: udp }, answered),
    fromNode('http', services.empty[family], { port: http }, refused, 'no endpoint: refused at once'),
    make('pod → itself by Service', family, node.echo.name, { pod: node.echo.name })(
      'http',
      services.single[node.name]?.[family],
      { port: http },
      answeredBy(node.echo),
    ),
    make('name → Service (DNS)', family, node.client.name, place)(
      'dns',
      'echo.netloom-check.svc.cluster.local',
      { family },
      resolvesTo(services.echo[family]),
    ),
    make('name → Service (DNS)', family, node.client.name, place)(
      'dns',
      'nobody.netloom-check.svc.cluster.local',
      { family },
      refused,
      'an unknown name is refused',
    ),
  ].flat();
}

/** From outside, where the policy tells; from pods and nodes at their own node and at the next one. */
function nodePortCases({ nodes, nodePorts, outside }: CheckFacts, family: Family): Case[] {
  const { open, local, lonely } = nodePorts;
  const fromOutside = make('outside → node port', family, 'outside', 'outside');
  const all = new Set(nodes.map((each) => each.echo.name));
  const count = 14 * all.size;
  const client = outside?.[family];
  const inside = nodes.flatMap((node, index) => {
    const fromPod = make('pod → node port', family, node.client.name, { pod: node.client.name });
    const fromNode = make('node → node port', family, node.name, { pod: node.host.name });
    const places = new Set([node, nodes[(index + 1) % nodes.length]!]);
    return [...places].flatMap((place) => [
      ...fromPod('http', place.addresses[family], { port: open.http }, answered),
      ...fromPod('udp', place.addresses[family], { port: open.udp }, answered),
      ...fromNode('http', place.addresses[family], { port: open.http }, answered),
    ]);
  });
  if (client === undefined) return inside;
  const lonelyCase = (node: NodeFacts): Case[] => {
    const address = node.addresses[family];
    const port = lonely.http;
    if (node.name === lonely.node)
      return fromOutside(
        'http',
        address,
        { port },
        answeredBy(node.echo, client),
        'Local, the only endpoint',
      );
    // Without its node it is a Service without an endpoint.
    return nodes.every(({ name }) => name !== lonely.node)
      ? []
      : fromOutside('http', address, { port }, silent, 'Local, no endpoint here');
  };
  const published = nodes.flatMap((node) => {
    const address = node.addresses[family];
    return [
      fromOutside(
        'http',
        address,
        { port: open.http, count },
        reaches(all),
        'Cluster reaches every endpoint',
      ),
      fromOutside('http', address, { port: open.http }, hides(client), 'Cluster, as a node'),
      fromOutside('udp', address, { port: open.udp }, answered, 'Cluster'),
      fromOutside('http', address, { port: local }, answeredBy(node.echo, client), 'Local, as itself'),
      lonelyCase(node),
    ].flat();
  });
  return [...inside, ...published];
}

function outwardCases(node: NodeFacts, { outside, mode }: CheckFacts, family: Family): Case[] {
  const fromPod = make('pod → outside', family, node.client.name, { pod: node.client.name });
  const [seen, note] =
    mode === 'underlay'
      ? [seenAs(node.client.addresses[family]), 'as itself']
      : [seenAs(node.addresses[family]), 'as the node'];
  const address = outside?.[family];
  return [
    fromPod('http', address, { port: echoPorts.http }, seen, note),
    fromPod('udp', address, { port: echoPorts.udp }, seen, note),
    fromPod('ping', address, {}, answered),
  ].flat();
}

/**
 * The machine outside has routes to pods and Services through a node, so that only the node keeps it out; pods on its own wire are
 * there to be reached.
 */
function inwardCases({ nodes, services, outside, mode }: CheckFacts, family: Family): Case[] {
  if (outside === undefined) return [];
  const fromOutside = make('outside ✕ cluster', family, 'outside', 'outside');
  const toPod = make('outside → underlay pod', family, 'outside', 'outside');
  const pods = nodes.flatMap((node) => {
    const address = node.echo.addresses[family];
    if (mode !== 'underlay')
      return [
        ...fromOutside('http', address, { port: echoPorts.http }, silent),
        ...fromOutside('ping', address, {}, silent),
      ];
    const sees = answeredBy(node.echo, outside[family]);
    return [
      ...toPod('http', address, { port: echoPorts.http }, sees),
      ...toPod('udp', address, { port: echoPorts.udp }, sees),
      ...toPod('ping', address, {}, answered),
    ];
  });
  return [
    pods,
    // Who may reach pods may reach them by their Services, too, where a node happens to be the way.
    ...(mode === 'underlay'
      ? []
      : [
          fromOutside('http', services.echo[family], { port: servicePorts.http }, silent, 'Service'),
          fromOutside('udp', services.echo[family], { port: servicePorts.udp }, silent, 'Service'),
        ]),
    ...nodes.map((node) =>
      make('outside → node', family, 'outside', 'outside')(
        'http',
        node.addresses[family],
        { port: echoPorts.hostHttp },
        answeredBy(node.host),
      ),
    ),
  ].flat();
}

type MakeCase = (
  kind: Probe['kind'],
  target: string | undefined,
  details: Partial<Probe>,
  judge: Case['judge'],
  note?: string,
) => Case[];

/** A target that has no address of the family makes no case. */
function make(group: string, family: Family, sender: string, from: Place): MakeCase {
  return (kind, target, details, judge, note) => {
    if (target === undefined) return [];
    const must = judge === silent ? silenceMs : timeoutMs;
    const name = kind === 'http' ? 'tcp' : kind;
    const title = `${sender} → ${target} ${name}${note === undefined ? '' : `, ${note}`}`;
    const probe: Probe = { id: `${group} IPv${family} ${title}`, kind, target, timeoutMs: must, ...details };
    return [{ group, title, from, probe, judge }];
  };
}

const said = ({ outcome, detail }: ProbeResult): string =>
  detail === undefined ? outcome : `${outcome}: ${detail}`;

function answered(result: ProbeResult): string | undefined {
  return result.outcome === 'answered' ? undefined : said(result);
}

function refused(result: ProbeResult): string | undefined {
  return result.outcome === 'refused' ? undefined : `must be refused at once, but ${said(result)}`;
}

function silent(result: ProbeResult): string | undefined {
  return result.outcome === 'silent' ? undefined : `must get no answer, but ${said(result)}`;
}

function tooBig(result: ProbeResult): string | undefined {
  return result.outcome === 'refused' ? undefined : `must be refused as too big, but ${said(result)}`;
}

/** Answered by that pod, and, where `client` is given, without any translation of the sender's address. */
function answeredBy(pod: PodFacts, client?: string): Case['judge'] {
  return (result) => {
    const bad = answered(result);
    if (bad !== undefined) return bad;
    const [answer] = result.answers;
    if (answer?.server !== pod.name) return `answered by ${answer?.server}, not by ${pod.name}`;
    if (client !== undefined && answer.client !== client) return `seen as ${answer.client}, not as ${client}`;
    return undefined;
  };
}

function seenAs(address: string | undefined): Case['judge'] {
  return (result) => {
    const bad = answered(result);
    const client = result.answers[0]?.client;
    return bad ?? (client === address ? undefined : `seen as ${client}, not as ${address}`);
  };
}

function hides(address: string): Case['judge'] {
  return (result) => {
    const bad = answered(result);
    return bad ?? (result.answers[0]?.client === address ? `seen as ${address} itself` : undefined);
  };
}

function reaches(servers: ReadonlySet<string>): Case['judge'] {
  return (result) => {
    const bad = answered(result);
    const seen = new Set(result.answers.map((answer) => answer.server));
    return bad ?? (seen.size === servers.size ? undefined : `only ${[...seen].join(', ')} answered`);
  };
}

function staysWithOne(result: ProbeResult): string | undefined {
  const seen = new Set(result.answers.map((answer) => answer.server));
  return answered(result) ?? (seen.size === 1 ? undefined : `${seen.size} endpoints answered one client`);
}

function resolvesTo(address: string | undefined): Case['judge'] {
  return (result) => {
    const found: readonly string[] = result.answers.map((answer) => answer.server);
    return (
      answered(result) ??
      (found.includes(address ?? '') ? undefined : `is ${found.join(', ')}, not ${address}`)
    );
  };
}
