/** What a node must hold by a fresh compile of all that the API says now, and how what it does hold differs. */
import { createNetlinkEngine } from '#engines/netlink/driver.ts';
import { createNftablesEngine } from '#engines/nftables/driver.ts';
import { createTcEngine } from '#engines/tc/driver.ts';
import type { DatapathStatus } from '#intent/handover.ts';
import { emptyIntent, type NodeIntent } from '#intent/node.ts';
import { clusterNetwork } from '#lab/topology.ts';
import { startFeed } from '#programs/agent/feed.ts';
import { silentLog } from '#telemetry/log.ts';
import type { Cluster } from './cluster.ts';
import { askDatapath, endpointsOf } from './pods.ts';

/**
 * What engines that know nothing but the fresh intent would do to the node, each in its own language; nothing when the node is as it
 * must be. They do it, too, so only the first look tells.
 */
export async function differencesOf(cluster: Cluster, node: string): Promise<readonly string[]> {
  const intent = await freshIntent(cluster, node);
  const pid = await cluster.lab.pidOf(node);
  const namespace = await cluster.lab.namespaceOf(node);
  const serviceRanges = Object.values(clusterNetwork.services);
  const engines = [
    createNetlinkEngine({ namespace }),
    createTcEngine({ namespace }),
    createNftablesEngine({
      command: ['nsenter', `--target=${pid}`, '--mount', '--net', '--'],
      namespace,
      serviceRanges,
    }),
  ];
  try {
    const reports = [];
    for (const engine of engines) {
      reports.push(await engine.apply({ generation: 1, replace: true, put: intent, remove: {} }));
    }
    return reports.flatMap(({ operations }) => operations);
  } finally {
    for (const engine of engines) await engine.close();
  }
}

/** From the API by the agent's own way, from nothing; with what only the node itself knows: its pods and its tunnel's addresses. */
async function freshIntent({ client, lab }: Cluster, node: string): Promise<NodeIntent> {
  const domains: Record<string, Record<string, unknown>> = Object.fromEntries(
    Object.keys(emptyIntent).map((domain) => [domain, {}]),
  );
  const feed = startFeed(
    client,
    node,
    silentLog,
    {
      externalIPs: false,
      loadBalancers: {},
      localAddresses: () => [],
      nodePortAddresses: (primary) => primary,
      endpoints: () => endpointsOf(lab, node),
    },
    ({ put, remove }) => {
      for (const [domain, entries] of Object.entries(put)) Object.assign(domains[domain]!, entries);
      for (const [domain, keys] of Object.entries(remove))
        for (const key of keys) delete domains[domain]![key];
    },
    () => {},
  );
  try {
    await feed.synced;
    const self = feed.self();
    if (self === undefined) throw new Error(`no Node ${node}`);
    const { tunnelAddresses } = await askDatapath<DatapathStatus>(lab, node, '/v1/status');
    const endpoints = await endpointsOf(lab, node);
    return {
      ...(domains as NodeIntent),
      self: { [node]: { ...self, tunnelAddresses } },
      endpoints: Object.fromEntries(
        endpoints.map((status) => {
          const { key, containerID: _, interface: __, pod: ___, since: ____, ...endpoint } = status;
          return [key, endpoint];
        }),
      ),
    };
  } finally {
    feed.stop();
  }
}
