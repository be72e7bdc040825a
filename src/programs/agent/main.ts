/** The agent program: flags and wiring. */

import { readFileSync } from 'node:fs';
import { flushCompileCache } from 'node:module';
import { networkInterfaces } from 'node:os';
import { createDeltaOutput } from '#compile/delta.ts';
import type { BGPSession, DatapathStatus } from '#intent/handover.ts';
import type { SelfIntent } from '#intent/node.ts';
import { createClient } from '#kube/client.ts';
import { requestMetrics } from '#kube/clientmetrics.ts';
import { createRecorder } from '#kube/events.ts';
import { loadConfig } from '#kube/kubeconfig.ts';
import { holdLease } from '#kube/lease.ts';
import { paths, ports } from '#system/registry.ts';
import { startHealthServer } from '#telemetry/health.ts';
import { createRegistry } from '#telemetry/metrics.ts';
import { registerProcessMetrics } from '#telemetry/process.ts';
import {
  commonFlags,
  externalIPsFlag,
  loadBalancerFlags,
  logOf,
  readFlags,
  servedLoadBalancers,
  servesExternalIPs,
} from '../flags.ts';
import {
  formatReach,
  formatUsage,
  formatWire,
  nodeLeaseName,
  nodeLeaseRenewSeconds,
  nodeLeaseSeconds,
  policyAnnotation,
  systemNamespace,
  usageAnnotation,
  wireAnnotation,
} from '../node-lease.ts';
import { version } from '../version.ts';
import { lookAt, tellOfAudit } from './audit-events.ts';
import { registerBalancerMetrics } from './balancer-metrics.ts';
import { startBGPStatus } from './bgp-status.ts';
import { startClaims } from './claims.ts';
import { createDatapathClient } from './datapath-client.ts';
import { startFeed } from './feed.ts';
import { type Delta, startHandover } from './handover.ts';
import { createInForce } from './in-force.ts';
import { startL2Status } from './l2-status.ts';
import { followNames } from './learnt-names.ts';
import { localAddresses } from './local-addresses.ts';
import { lookAtNode, tellOfAbsentNodes, tellOfKubeProxy } from './node-events.ts';
import { nodePortAddresses, readSelection } from './node-port-addresses.ts';
import { podIntents } from './pod-intents.ts';
import { reportPods } from './pod-problems.ts';
import { registerPolicyMetrics } from './policy-metrics.ts';
import { handedSelf } from './self.ts';
import { startServiceBGPStatus } from './service-bgp-status.ts';
import { createServiceStatuses } from './service-peers.ts';

const program = { name: 'netloom-agent', summary: 'tells this node what its network must be' };
const flags = readFlags(program, {
  node: {
    value: 'NAME',
    help: 'name of the Node object (NODE_NAME)',
    default: process.env['NODE_NAME'] ?? '',
  },
  kubeconfig: { value: 'PATH', help: 'default: the service account of its pod' },
  'datapath-socket': {
    value: 'PATH',
    help: 'where the datapath listens',
    default: paths.datapathSocket.value,
  },
  'lease-seconds': {
    value: 'SECONDS',
    help: 'without the API server for so long, the node assigns no address',
    default: String(nodeLeaseSeconds),
    positive: true,
  },
  'lease-renew-seconds': {
    value: 'SECONDS',
    help: 'between two renewals',
    default: String(nodeLeaseRenewSeconds),
    positive: true,
  },
  'nodeport-addresses': {
    value: 'CIDR',
    help: "where node ports answer: the node's addresses in these prefixes, or primary (the Node's InternalIPs)",
    multiple: true,
  },
  ...externalIPsFlag,
  ...loadBalancerFlags,
  'metrics-port': { value: 'PORT', help: 'port of /metrics', default: String(ports.agentMetrics.value) },
  ...commonFlags,
});
const { node } = flags;
if (node === '') throw new Error('--node or NODE_NAME: the name of the Node object is needed');
const leaseSeconds = Number(flags['lease-seconds']);
const renewSeconds = Number(flags['lease-renew-seconds']);
if (!(renewSeconds < leaseSeconds)) {
  throw new Error('--lease-renew-seconds: a number below --lease-seconds is needed');
}
const selection = readSelection(flags['nodeport-addresses']);
const externalIPs = servesExternalIPs(flags);
const loadBalancers = servedLoadBalancers(flags);
const log = logOf(flags);

const registry = createRegistry();
registerProcessMetrics(registry, { program: 'agent', version });
const config = await loadConfig({ path: flags.kubeconfig });
const client = createClient({ ...config, onRequest: requestMetrics(registry, config.server) });
const datapath = createDatapathClient(flags['datapath-socket']);
const handover = startHandover(datapath, log);

const noNode = 'there is no Node of this name with an InternalIP address';
let handed: SelfIntent | undefined;
let leaseValidUntil = 0;
let leaseHolder: string | undefined;
let opened = false;
const handSelf = (): void => {
  const next = handedSelf({
    api: feed.self(),
    previous: handed,
    usable: claims.usable(),
    leaseValidUntil,
    leaseHolder,
  });
  if (next === undefined || JSON.stringify(next) === JSON.stringify(handed)) return;
  handed = next;
  handover.change({ put: { self: { [node]: next } }, remove: {} });
};

const handedPods = createDeltaOutput();
const handPods = (): void => {
  handedPods.replace('pods', podIntents(feed.placed(), claims.addresses()));
  const delta = handedPods.take();
  if (delta !== undefined) handover.change(delta as Delta);
};

const policyMetrics = registerPolicyMetrics(registry, () => feed.policies);
const balancerMetrics = registerBalancerMetrics(registry, node);
handover.onStatus((status) => balancerMetrics.setStatus(status));
const inForce = createInForce(() => datapath.problems(), policyMetrics.held);
handover.onAnswer(inForce.answered);
handover.onStatus(inForce.setStatus);
/** Between a flush and the next event all that the watches told is handed over, versions that change nothing too. */
const noteReach = (since?: number): void => {
  const versions = feed.policies.position();
  if (versions !== undefined) inForce.handedOver(handover.carriedBy(), versions, since);
};

const feed = startFeed(
  client,
  node,
  log,
  {
    externalIPs,
    loadBalancers,
    endpoints: () => datapath.endpoints(),
    localAddresses: () => localAddresses(networkInterfaces()),
    nodePortAddresses: (primary) => nodePortAddresses(selection, primary, networkInterfaces()),
  },
  (delta) => {
    handover.change(delta);
    policyMetrics.handedOver(delta);
    balancerMetrics.handedOver(delta);
  },
  ({ pods, policySince }) => {
    // The first flush comes while this very constant is being made.
    if (!opened) return;
    noteReach(policySince);
    handSelf();
    if (pods) handPods();
    claims.poke();
    tellOfBGP();
    l2Status?.servicesChanged();
  },
);
const names = followNames(datapath, (answer) => feed.policies.setNames(answer), log);
const recorder = createRecorder(client, { controller: 'netloom.dev/agent', instance: node, log });
const reporting = reportPods(feed.pods, datapath, recorder, registry, log);
handover.onStatus(reporting.setStatus);
handover.onStatus(() => feed.policies.setStatus());
const claims = startClaims({
  client,
  node,
  feed,
  log,
  onUsable: handSelf,
  onAddresses: () => {
    if (opened) handPods();
  },
  toldOfPods: () => (opened ? handover.sent('pods') : undefined),
});
handover.onStatus(claims.setStatus);
const bgpStatus = startBGPStatus(client, node, log);
let bgpSessions: readonly BGPSession[] = [];
handover.onStatus(({ bgp }) => {
  bgpSessions = bgp;
  tellOfBGP();
});
const l2Status =
  loadBalancers === undefined
    ? undefined
    : startL2Status({ client, node, servicesAt: feed.servicesAt, recorder, registry, log });
handover.onStatus(({ answering = [], absent = [] }) => {
  if (opened) l2Status?.set(answering, absent.length > 0);
});
const serviceStatuses = createServiceStatuses();
const tellOfBGP = (): void => {
  bgpStatus.set(bgpSessions, feed.bgp.problems());
  serviceStatus.change(serviceStatuses.update(feed.bgp.takeAnnounced(), feed.bgp.sessions(), bgpSessions));
};
const serviceStatus = startServiceBGPStatus(client, () => feed.self(), node, log);
handover.onStatus(tellOfKubeProxy(recorder, () => feed.self()));
handover.onStatus(tellOfAbsentNodes(recorder, lookAtNode(client)));
handover.onStatus(tellOfAudit(recorder, lookAt(client, log), feed.policies.podAt));
/** What the datapath's probes of the physical network found; told with the next renewal of the lease, once there is anything. */
let wire: DatapathStatus['wire'] | undefined;
handover.onStatus((status) => {
  if (wire !== undefined || status.wire.length > 0) wire = status.wire;
});

const heartbeat = holdLease(client, {
  name: nodeLeaseName(node),
  namespace: systemNamespace,
  identity: `${node} ${machineIdentity()}`,
  leaseSeconds,
  renewSeconds,
  log,
  annotations: () => {
    noteReach();
    const held = inForce.reach();
    const refused = (held?.refused ?? 0) + feed.policies.problems().length;
    return {
      [usageAnnotation]: formatUsage(claims.usage()),
      ...(wire === undefined ? {} : { [wireAnnotation]: formatWire(wire) }),
      ...(held === undefined ? {} : { [policyAnnotation]: formatReach({ ...held, refused }) }),
    };
  },
  onRenewed: (validUntil) => {
    leaseValidUntil = validUntil;
    leaseHolder = undefined;
    if (opened) handSelf();
  },
  onLost: (holder) => {
    if (holder !== leaseHolder)
      log.error('another machine holds the lease of this node name; no address is assigned here', { holder });
    leaseValidUntil = 0;
    leaseHolder = holder;
    if (opened) handSelf();
  },
});

const health = await startHealthServer({
  host: flags['metrics-address'],
  port: Number(flags['metrics-port']),
  registry,
  checks: [
    { name: 'synced', check: () => (opened ? undefined : 'the watch caches are not filled yet') },
    { name: 'node', check: () => (feed.self() === undefined ? noNode : undefined) },
    { name: 'lease', check: leaseProblem },
    {
      name: 'datapath',
      check: () => datapath.status().then((s) => (s.ready ? undefined : 'the datapath is not ready')),
    },
  ],
});

const stop = async (): Promise<void> => {
  feed.stop();
  claims.stop();
  bgpStatus.stop();
  l2Status?.stop();
  serviceStatus.stop();
  names.stop();
  handover.close();
  reporting.stop();
  await Promise.all([heartbeat.stop(), health.close(), recorder.stop()]);
  client.close();
  process.exit(0);
};
process.once('SIGTERM', () => void stop());
process.once('SIGINT', () => void stop());

// Rejected only by `stop`, which ends the process.
await feed.synced.catch(() => new Promise<never>(() => {}));
opened = true;
claims.poke();
if (feed.self() === undefined) log.warn(`${noNode}; the datapath keeps what it has until there is`, { node });
// A self without the blocks that the last process handed over would take the node's own addresses away for a moment.
await claims.decided;
// What pods were told before must be in the first intent: nothing of theirs is cut, and the datapath has to be there for both.
await names.first;
feed.settle();
handSelf();
handPods();
handover.open();
// A process that is killed would not keep it (NODE_COMPILE_CACHE).
flushCompileCache();
log.info('the intent is handed to the datapath', { node });

function leaseProblem(): string | undefined {
  if (leaseHolder !== undefined) return `another machine holds the lease of this node name: ${leaseHolder}`;
  if (leaseValidUntil === 0) return 'the lease of this node was not taken yet';
  return Date.now() < leaseValidUntil
    ? undefined
    : 'the lease of this node has run out: no address is assigned';
}

/** The same over restarts and reboots of one machine, another on any other one: two machines can't share a node name. */
function machineIdentity(): string {
  for (const path of ['/etc/machine-id', '/proc/sys/kernel/random/boot_id']) {
    try {
      const id = readFileSync(path, 'utf8').trim();
      if (id !== '') return id;
    } catch {}
  }
  return `process ${process.pid}`;
}
