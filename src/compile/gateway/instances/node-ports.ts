/** Which ports of nodes the listeners of an ALB with network mode HostNetwork may take. */
import type { ALBModel } from '#model/gateway/policy-types.ts';
import type { ListenerModel } from '#model/gateway/types.ts';
import type { Refusal } from '../listeners/listener-protocols.ts';

/** Of the nodes themselves: who took one would cut the node off, or be taken for it. */
const reserved: readonly (readonly [from: number, to: number, what: string])[] = [
  [22, 22, 'SSH'],
  [53, 53, 'DNS'],
  [111, 111, 'rpcbind'],
  [123, 123, 'NTP'],
  [179, 179, 'BGP'],
  [2379, 2381, 'etcd'],
  [4789, 4789, 'VXLAN'],
  [6443, 6444, 'the API server'],
  [8472, 8472, 'VXLAN'],
  [9470, 9479, 'Netloom'],
  [10_248, 10_260, 'Kubernetes'],
  [30_000, 32_767, 'node ports'],
  [51_820, 51_821, 'WireGuard'],
];

/** `undefined`: the ALB takes no ports of nodes, or it may take this one. */
export function nodePortRefusal(
  alb: Pick<ALBModel, 'instance' | 'http' | 'https'> | undefined,
  { port }: Pick<ListenerModel, 'port'>,
): Refusal | undefined {
  if (alb?.instance.network !== 'HostNetwork') return undefined;
  const refuse = (message: string): Refusal => ({ reason: 'PortUnavailable', message });
  const taken = reserved.find(([from, to]) => port >= from && port <= to);
  if (taken !== undefined) return refuse(`Port ${port} of a node is for ${taken[2]}`);
  const { hostPorts = [] } = alb.instance;
  if (port === alb.http?.port || port === alb.https?.port || hostPorts.includes(port)) return undefined;
  return refuse(`Port ${port} is none that spec.network.hostPorts of the ALB has`);
}
