/** A node of ours in a cluster under policy: a real datapath, a hundred pods by CNI, and the compiler that an agent would have. */
import { setTimeout as pause } from 'node:timers/promises';
import type { Namespace } from '#api/core.ts';
import type { KubeObject } from '#api/object.ts';
import { createPolicyCompiler, type PolicyChange, type PolicyCompiler } from '#compile/policy/compile.ts';
import type { NodeIntent } from '#intent/node.ts';
import { readAdminNetworkPolicy, readBaselineAdminNetworkPolicy } from '#model/adminnetworkpolicy.ts';
import { readNamespace } from '#model/namespace.ts';
import { readNetworkPolicy } from '#model/networkpolicy.ts';
import { readPod } from '#model/pod.ts';
import type { PolicyModel } from '#model/policy.ts';
import type { Read } from '#model/problem.ts';
import { type Ground, intentOf, type OurNode, ourPlugin, podCidr, settle, startNode } from './nodes.ts';
import { makePods, openPlugin, type Plugin } from './plugins.ts';
import {
  chainApps,
  namespaceOf,
  type PodNumber,
  type PolicyCluster,
  podsPerNamespace,
  policyCluster,
  remoteAddress,
  remoteCidr,
  remoteNode,
} from './policy-cluster.ts';
import type { Pair } from './wiring.ts';

export type PolicyNode = {
  readonly size: number;
  readonly name: string;
  readonly node: OurNode;
  readonly plugin: Plugin;
  readonly cluster: PolicyCluster;
  readonly compiler: PolicyCompiler;
  readonly policy: PolicyChange['put'];
  /** All that was handed over, policy too. */
  readonly intent: Partial<NodeIntent>;
  /** Two of its pods, restricted both ways, that may talk. */
  readonly pair: Pair & { readonly pods: readonly [client: string, server: string] };
  /** A pod as the API has it, with the app that it is of now. */
  readonly object: (pod: PodNumber, app?: number) => KubeObject;
  /** Milliseconds that it took to compile everything and to load it. */
  readonly compiled: number;
  readonly loaded: number;
  close(): void;
};

/** `name`: of its network namespace, and before the numbers of its pods. */
export async function startPolicyNode(
  ground: Ground,
  { name, size, timer }: { readonly name: string; readonly size: number; readonly timer: string },
): Promise<PolicyNode> {
  const address = '192.168.70.11';
  await ground.run(
    `ip netns add ${name}; ip -n ${name} link set lo up
    ip -n ${name} link add eth0 type bridge; ip -n ${name} addr add ${address}/24 dev eth0; ip -n ${name} link set eth0 up`,
  );
  await ground.run(settle, name);
  const plan = { name, address, block: '10.244.0.0/22' };
  const node = await startNode(ground, plan);
  const config = { name: 'netloom', type: 'netloom', socket: node.cniSocket };
  const plugin = await openPlugin(ground, { timer, netns: name, executable: ourPlugin, config });
  const cluster = policyCluster(size, name);
  const own = intentOf(plan);
  const intent = {
    ...own,
    subnets: { default: { ...own.subnets['default']!, cidrs: [podCidr, remoteCidr] } },
    namespaces: Object.fromEntries(
      cluster.namespaces.map(({ metadata }) => [metadata.name, { subnet: 'default' }]),
    ),
    pods: podIntents(cluster, cluster.local),
  };
  await node.send(intent, { replace: true });
  const local = await addLocal(ground, plugin, cluster);
  const object = (pod: PodNumber, app?: number): KubeObject =>
    cluster.object(pod, {
      node: local.has(pod) ? name : remoteNode(pod),
      address: local.get(pod) ?? remoteAddress(pod),
      ...(app === undefined ? {} : { app }),
    });
  const started = performance.now();
  const compiler = compilerOf(name, cluster, object);
  const policy = compiler.flush()?.put ?? {};
  const compiled = performance.now() - started;
  const problems = compiler.problems();
  if (problems.length > 0) throw new Error(JSON.stringify(problems[0]));
  // So long a compile outlives idle connections, which the client hears of when the loop has turned.
  await pause(20);
  const sent = performance.now();
  await node.send(policy);
  const loaded = performance.now() - sent;
  const [client, server] = [chainApps.first, chainApps.first + 1].map((app) => podsPerNamespace + app);
  return {
    size,
    name,
    node,
    plugin,
    cluster,
    compiler,
    policy,
    intent: { ...intent, ...policy },
    pair: {
      client: cluster.nameOf(client!),
      server: cluster.nameOf(server!),
      address: local.get(server!)!,
      pods: [cluster.keyOf(client!), cluster.keyOf(server!)],
    },
    object,
    compiled,
    loaded,
    close() {
      plugin.close();
      node.close();
    },
  };
}

/** Ordinary pods, as an agent tells of them before their ADD. */
export function podIntents(cluster: PolicyCluster, pods: readonly PodNumber[]): NodeIntent['pods'] {
  return Object.fromEntries(pods.map((pod) => [cluster.keyOf(pod), { uid: cluster.nameOf(pod) }]));
}

/** The address of each. */
async function addLocal(
  ground: Ground,
  plugin: Plugin,
  cluster: PolicyCluster,
): Promise<ReadonlyMap<PodNumber, string>> {
  const names = cluster.local.map((pod) => cluster.nameOf(pod));
  await makePods(ground, names);
  for (const pod of cluster.local) await plugin.call('ADD', cluster.nameOf(pod), namespaceOf(pod));
  const shown = await ground.run(
    names.map((each) => `ip -n ${each} -4 -o addr show dev eth0 scope global`).join('\n'),
  );
  const addresses = [...shown.matchAll(/inet (\S+)\/32/g)].map(([, address]) => address!);
  return new Map(cluster.local.map((pod, index) => [pod, addresses[index]!]));
}

function compilerOf(
  node: string,
  cluster: PolicyCluster,
  object: (pod: PodNumber) => KubeObject,
): PolicyCompiler {
  const compiler = createPolicyCompiler(node);
  const use = ({ value, problems }: Read<PolicyModel>): void => {
    if (value === undefined || problems.length > 0) throw new Error(JSON.stringify(problems));
    compiler.setPolicy(value.key, value);
  };
  compiler.setPodPrefixes('default', [podCidr, remoteCidr]);
  for (const each of cluster.namespaces)
    compiler.setNamespace(each.metadata.name, readNamespace(each as Namespace));
  for (const policy of cluster.policies) use(readNetworkPolicy(policy));
  for (const policy of cluster.adminPolicies) use(readAdminNetworkPolicy(policy));
  for (const policy of cluster.baselinePolicies) use(readBaselineAdminNetworkPolicy(policy));
  for (let pod = 0; pod < cluster.pods; pod++) compiler.setPod(cluster.keyOf(pod), readPod(object(pod)));
  return compiler;
}
