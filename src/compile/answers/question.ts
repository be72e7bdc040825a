/** What people may ask: two ends and a port, read from words and found in the cluster. */
import type { ClusterModel } from '#model/cluster.ts';
import type { PodModel } from '#model/pod.ts';
import type { PolicyProtocol } from '#model/policy.ts';
import { canonicalAddr } from '#net/addr.ts';
import { worldStandIns } from './prefixes.ts';

export type AskedEnd =
  | { readonly kind: 'pod'; readonly key: string; readonly pod: PodModel }
  | { readonly kind: 'service'; readonly key: string }
  | { readonly kind: 'node'; readonly name: string }
  | { readonly kind: 'address'; readonly address: string }
  /** Absent: any address outside. */
  | { readonly kind: 'world'; readonly addresses?: readonly string[] };

export type AskedPort = { readonly protocol: PolicyProtocol | 'other'; readonly port: number | string };

export type Question = {
  readonly from: AskedEnd;
  readonly to: AskedEnd;
  /** Absent: every port. */
  readonly port?: AskedPort;
  /** What the words were taken for, where that isn't plain. */
  readonly notes: readonly string[];
};

export type Asked = { readonly value: Question } | { readonly refused: string };

/** `refused`: one line for the user. `outside`: addresses of the one machine that `world` is. */
export function readQuestion(
  cluster: ClusterModel,
  words: { readonly from: string; readonly to: string; readonly port?: string },
  outside?: readonly string[],
): Asked {
  const notes: string[] = [];
  const from = readEnd(cluster, words.from, notes, outside);
  if (typeof from === 'string') return { refused: from };
  const to = readEnd(cluster, words.to, notes, outside);
  if (typeof to === 'string') return { refused: to };
  if (from.kind === 'service') return { refused: `${words.from}: a Service opens no connection; name a pod` };
  if (from.kind === 'world' && to.kind === 'world')
    return { refused: 'from the world to the world no packet comes by the cluster' };
  const port = words.port === undefined ? undefined : readPort(words.port);
  if (typeof port === 'string') return { refused: port };
  return { value: { from, to, ...(port === undefined ? {} : { port }), notes } };
}

function readEnd(
  cluster: ClusterModel,
  text: string,
  notes: string[],
  outside: readonly string[] | undefined,
): AskedEnd | string {
  if (text === 'world' && outside !== undefined) {
    notes.push(`world: the machine outside that packets are sent from, ${outside.join(' and ')}`);
    return { kind: 'world', addresses: outside };
  }
  if (text === 'world') {
    notes.push(`world: any address outside, for which ${worldStandIns[4]} and ${worldStandIns[6]} stand`);
    return { kind: 'world' };
  }
  const address = canonicalAddr(text);
  if (address !== undefined) return { kind: 'address', address };
  const [first = '', second, third, ...more] = text.split('/');
  if (more.length === 0 && first === 'svc' && second !== undefined) {
    const key = third === undefined ? `default/${second}` : `${second}/${third}`;
    return cluster.services.has(key) ? { kind: 'service', key } : withoutAddress(cluster, key);
  }
  if (third === undefined && first === 'node' && second !== undefined) {
    return cluster.nodes.has(second) ? { kind: 'node', name: second } : `there is no node ${second}`;
  }
  if (third !== undefined || first === '' || second === '')
    return `${text} is no NAMESPACE/POD, svc/NAMESPACE/NAME, node/NAME, address or "world"`;
  return readPodEnd(cluster, second === undefined ? `default/${first}` : text, notes);
}

/** Of a Service without an address only its endpoints tell. */
function withoutAddress({ slices, pods }: ClusterModel, key: string): string {
  const own = [...slices.values()].filter(({ service }) => service === key);
  const addresses = new Set(own.flatMap(({ endpoints }) => endpoints.map(({ address }) => address)));
  const members = [...pods].flatMap(([name, { ended, addresses: held }]) =>
    !ended && held.some((each) => addresses.has(each)) ? [name] : [],
  );
  if (own.length === 0)
    return `there is no Service ${key} with an address (one that is headless or an ExternalName has none: ask its pods, or the name's address)`;
  const who = members.length === 0 ? 'it has no pod now' : `ask one of its pods, ${members.join(', ')}`;
  return `Service ${key} is headless, and nothing is translated: ${who}`;
}

/** A workload's name will do for one of its pods. */
function readPodEnd(cluster: ClusterModel, key: string, notes: string[]): AskedEnd | string {
  const pod = cluster.pods.get(key);
  if (pod !== undefined && !pod.ended) return { kind: 'pod', key, pod };
  for (const [member, { kind, namespace, name }] of cluster.workloads) {
    const found = cluster.pods.get(member);
    if (`${namespace}/${name}` !== key || found === undefined || found.ended) continue;
    notes.push(`${kind} ${key}: its pod ${member}`);
    return { kind: 'pod', key: member, pod: found };
  }
  return pod === undefined ? `there is no pod ${key}` : `pod ${key} has ended: it has no network any more`;
}

const protocols: readonly PolicyProtocol[] = ['tcp', 'udp', 'sctp'];

/** `tcp/80`, `80` (of TCP), `udp/dns` (a name that the destination pod has for a port), `icmp`. */
export function readPort(text: string): AskedPort | string {
  const lower = text.toLowerCase();
  if (['icmp', 'icmpv6', 'other'].includes(lower)) return { protocol: 'other', port: 0 };
  const [first = '', second] = text.split('/');
  const [name, value] = second === undefined ? ['tcp', first] : [first.toLowerCase(), second];
  const protocol = protocols.find((each) => each === name);
  const expected = `${text} is no port such as tcp/80, udp/53, sctp/9999 or icmp`;
  if (protocol === undefined) return expected;
  if (/^\d+$/.test(value)) {
    const port = Number(value);
    return port >= 1 && port <= 65_535 ? { protocol, port } : expected;
  }
  return /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(value) ? { protocol, port: value } : expected;
}
