/** The controller program: flags and wiring. */
import { flushCompileCache } from 'node:module';
import { hostname } from 'node:os';
import { parseArgs } from 'node:util';
import { leaseType, type Namespace, type Node, namespaceType, nodeType } from '#api/core.ts';
import { type BlockClaim, blockClaimKind } from '#api/kinds/blockclaim.ts';
import { type Subnet, subnetKind } from '#api/kinds/subnet.ts';
import type { KubeObject } from '#api/object.ts';
import { createClient } from '#kube/client.ts';
import { requestMetrics } from '#kube/clientmetrics.ts';
import { startInformer } from '#kube/informer.ts';
import { loadConfig } from '#kube/kubeconfig.ts';
import { startElection } from '#kube/lease.ts';
import { readBlockClaim } from '#model/blockclaim.ts';
import { type NamespaceModel, readNamespace } from '#model/namespace.ts';
import { ports } from '#system/registry.ts';
import { startHealthServer } from '#telemetry/health.ts';
import { createLog, isLevel } from '#telemetry/log.ts';
import { createRegistry } from '#telemetry/metrics.ts';
import { registerProcessMetrics } from '#telemetry/process.ts';
import { nodeLeaseMarginSeconds, nodeLeaseName, nodeLeaseSeconds, systemNamespace } from '../node-lease.ts';
import { version } from '../version.ts';
import type { LeaseSighting } from './abandoned.ts';
import { freeAbandonedClaims, type SeenClaim } from './claims.ts';
import { createPasses } from './passes.ts';
import { reconcileSubnets } from './subnets.ts';

const { values: flags } = parseArgs({
  options: {
    kubeconfig: { type: 'string' },
    identity: { type: 'string', default: process.env['POD_NAME'] ?? hostname() },
    'metrics-address': { type: 'string', default: '::' },
    'metrics-port': { type: 'string', default: String(ports.controllerMetrics.value) },
    'node-lease-seconds': { type: 'string', default: String(nodeLeaseSeconds) },
    'node-lease-margin-seconds': { type: 'string', default: String(nodeLeaseMarginSeconds) },
    'log-level': { type: 'string', default: 'info' },
  },
});
const milliseconds = (flag: 'node-lease-seconds' | 'node-lease-margin-seconds'): number => {
  const seconds = Number(flags[flag]);
  if (!(seconds > 0)) throw new Error(`--${flag}: a number above 0 is needed`);
  return seconds * 1000;
};
const leaseTimes = {
  defaultDurationMs: milliseconds('node-lease-seconds'),
  marginMs: milliseconds('node-lease-margin-seconds'),
};
const log = createLog({ level: isLevel(flags['log-level']) ? flags['log-level'] : 'info' });
const registry = createRegistry();
registerProcessMetrics(registry, { program: 'controller', version });
const config = await loadConfig({ path: flags.kubeconfig });
const client = createClient({ ...config, onRequest: requestMetrics(registry, config.server) });

/** Passes without a change: abandoned claims come due by time alone. */
const periodMs = 5_000;

const sameText = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b);
const subnets = startInformer<Subnet>(client, subnetKind, { log });
const claims = startInformer<BlockClaim, SeenClaim>(client, blockClaimKind, {
  log,
  transform: (claim) => {
    const { value } = readBlockClaim(claim);
    return value && { ...value, resourceVersion: claim.metadata.resourceVersion ?? '' };
  },
});
const namespaces = startInformer<Namespace, NamespaceModel>(client, namespaceType, {
  log,
  transform: readNamespace,
  equal: sameText,
});
const nodes = startInformer<Node, { name: string; uid: string }>(client, nodeType, {
  log,
  transform: ({ metadata }) => ({ name: metadata.name, uid: metadata.uid ?? '' }),
  equal: sameText,
});
type LeaseObject = KubeObject & { spec?: { renewTime?: string; leaseDurationSeconds?: number } };
const leases = startInformer<LeaseObject>(client, leaseType, { log, namespace: systemNamespace });
const sightings = new Map<string, LeaseSighting>();
leases.onChange(({ new: lease, old }) => {
  const name = (lease ?? old)?.metadata.name ?? '';
  const { renewTime = '', leaseDurationSeconds = leaseTimes.defaultDurationMs / 1000 } = lease?.spec ?? {};
  if (lease === undefined || sightings.get(name)?.renewTime === renewTime) return;
  sightings.set(name, { renewTime, durationMs: leaseDurationSeconds * 1000, seenAt: Date.now() });
});

const caches = { subnets, claims, namespaces, nodes };
let startedAt = 0;
const passes = createPasses(async () => {
  try {
    await reconcileSubnets(client, caches, new Date());
    await freeAbandonedClaims(client, caches, nodeLeases(), { ...leaseTimes, startedAt }, log);
  } catch (error) {
    log.warn('a pass failed and is tried again', { error: String(error) });
  }
}, periodMs);
for (const cache of [subnets, claims, namespaces, nodes]) cache.onChange(() => passes.wake());

await Promise.all([subnets.synced, claims.synced, namespaces.synced, nodes.synced, leases.synced]);
const election = startElection(client, {
  name: 'netloom-controller',
  namespace: systemNamespace,
  identity: flags.identity,
  lead: (signal) => {
    startedAt = Date.now();
    return passes.run(signal);
  },
  log,
});
const leader = registry.gauge({
  name: 'leader_election_master_status',
  help: '1 while this process leads.',
  labels: ['name'],
});
registry.onCollect(() => leader.set(election.isLeader() ? 1 : 0, { name: 'netloom-controller' }));
const health = await startHealthServer({
  host: flags['metrics-address'],
  port: Number(flags['metrics-port']),
  registry,
  checks: [],
});

// A process that is killed would not keep it (NODE_COMPILE_CACHE).
flushCompileCache();
const stop = async (): Promise<void> => {
  await election.stop();
  for (const cache of [subnets, claims, namespaces, nodes, leases]) cache.stop();
  await health.close();
  client.close();
  process.exit(0);
};
process.once('SIGTERM', () => void stop());
process.once('SIGINT', () => void stop());

/** By node name, the leases of the nodes that hold claims. */
function nodeLeases(): ReadonlyMap<string, LeaseSighting> {
  const names = new Set(claims.list().map((claim) => claim.node));
  return new Map(
    [...names].flatMap((node) => {
      const seen = sightings.get(nodeLeaseName(node));
      return seen === undefined ? [] : [[node, seen] as const];
    }),
  );
}
