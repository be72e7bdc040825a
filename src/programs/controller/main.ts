/** The controller program: flags and wiring. */
import { flushCompileCache } from 'node:module';
import { hostname } from 'node:os';
import { createClient } from '#kube/client.ts';
import { requestMetrics } from '#kube/clientmetrics.ts';
import { createRecorder } from '#kube/events.ts';
import { loadConfig } from '#kube/kubeconfig.ts';
import { startElection } from '#kube/lease.ts';
import { ports } from '#system/registry.ts';
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
import { nodeLeaseMarginSeconds, nodeLeaseSeconds, systemNamespace } from '../node-lease.ts';
import { version } from '../version.ts';
import { startCaches } from './caches.ts';
import { startController } from './controller.ts';

const flags = readFlags(
  { name: 'netloom-controller', summary: 'decides for the cluster what no single node can' },
  {
    kubeconfig: { value: 'PATH', help: 'default: the service account of its pod' },
    identity: {
      value: 'NAME',
      help: 'its own name in the election, unlike any other’s (POD_NAME, or the host’s name)',
      default: process.env['POD_NAME'] ?? hostname(),
    },
    'node-lease-seconds': {
      value: 'SECONDS',
      help: "how long a node's lease is taken to last when it was never seen",
      default: String(nodeLeaseSeconds),
      positive: true,
    },
    'node-lease-margin-seconds': {
      value: 'SECONDS',
      help: "how long after its lease a gone node's blocks are free",
      default: String(nodeLeaseMarginSeconds),
      positive: true,
    },
    ...externalIPsFlag,
    ...loadBalancerFlags,
    'gateway-image': {
      value: 'IMAGE',
      help: "image of the pods of Gateways of class netloom (without it: Gateway API is somebody else's)",
    },
    'metrics-port': {
      value: 'PORT',
      help: 'port of /metrics',
      default: String(ports.controllerMetrics.value),
    },
    ...commonFlags,
  },
);
const externalIPs = servesExternalIPs(flags);
const loadBalancers = servedLoadBalancers(flags);
const log = logOf(flags);
const registry = createRegistry();
registerProcessMetrics(registry, { program: 'controller', version });
const config = await loadConfig({ path: flags.kubeconfig });
const client = createClient({ ...config, onRequest: requestMetrics(registry, config.server) });
// Thousands of Services that are made at once are thousands of writes; nothing else of the controller must wait behind them.
const addresses = createClient({
  ...config,
  requestsPerSecond: 200,
  burst: 400,
  onRequest: requestMetrics(registry, config.server),
});
// A thousand routes that come at once are as many statuses.
const gateways = createClient({
  ...config,
  requestsPerSecond: 300,
  burst: 600,
  onRequest: requestMetrics(registry, config.server),
});
const recorder = createRecorder(client, {
  controller: 'netloom.dev/controller',
  instance: flags.identity,
  log,
});
const caches = startCaches(client, log, { loadBalancers });
const all = Object.entries(caches);

const health = await startHealthServer({
  host: flags['metrics-address'],
  port: Number(flags['metrics-port']),
  registry,
  checks: [
    {
      name: 'synced',
      check: () => {
        const missing = all.filter(([, cache]) => !cache.hasSynced()).map(([name]) => name);
        return missing.length === 0 ? undefined : `no list yet of ${missing.join(', ')}`;
      },
    },
  ],
});
const controller = startController({
  client,
  addresses,
  gateways,
  gatewayImage: flags['gateway-image'],
  caches,
  recorder,
  registry,
  externalIPs,
  loadBalancers,
  leaseTimes: {
    defaultDurationMs: Number(flags['node-lease-seconds']) * 1000,
    marginMs: Number(flags['node-lease-margin-seconds']) * 1000,
  },
  log,
});
const stopped = new AbortController();
const stop = async (): Promise<void> => {
  if (stopped.signal.aborted) return;
  stopped.abort();
  await election?.stop();
  for (const [, cache] of all) cache.stop();
  await recorder.stop();
  await health.close();
  client.close();
  addresses.close();
  gateways.close();
  process.exit(0);
};
let election: ReturnType<typeof startElection> | undefined;
process.once('SIGTERM', () => void stop());
process.once('SIGINT', () => void stop());

// Rejected only by `stop`, which ends the process.
await Promise.all(all.map(([, cache]) => cache.synced)).catch(() => new Promise<never>(() => {}));
const name = 'netloom-controller';
election = startElection(client, {
  name,
  namespace: systemNamespace,
  identity: flags.identity,
  lead: (signal) => controller.lead(signal),
  log,
});
const leader = registry.gauge({
  name: 'leader_election_master_status',
  help: '1 while this process leads.',
  labels: ['name'],
});
registry.onCollect(() => leader.set(election.isLeader() ? 1 : 0, { name }));
// A process that is killed would not keep it (NODE_COMPILE_CACHE).
flushCompileCache();
