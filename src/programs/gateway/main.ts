/** The container `gateway` of an instance's pod: flags and wiring. */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { flushCompileCache } from 'node:module';
import { join } from 'node:path';
import { createNginxEngine } from '#engines/nginx/driver.ts';
import { paths, ports } from '#system/registry.ts';
import { startHealthServer } from '#telemetry/health.ts';
import { createRegistry } from '#telemetry/metrics.ts';
import { registerProcessMetrics } from '#telemetry/process.ts';
import { commonFlags, logOf, readFlags } from '../flags.ts';
import { version } from '../version.ts';
import { drained } from './drain.ts';
import { startFeedServer } from './feed-server.ts';
import { startGateway } from './gateway.ts';
import { printNginxMetrics } from './nginx-metrics.ts';
import { createOriginator, systemAuthorities } from './originator/originator.ts';
import { keyFile, readKey } from './psk.ts';

const program = {
  name: 'netloom-gateway',
  summary:
    'takes what an instance of the gateway is to serve, for the nginx beside it, and speaks TLS to backends',
};
const flags = readFlags(program, {
  identity: {
    value: 'NAMESPACE/GATEWAY',
    help: 'whose pod this is (GATEWAY_IDENTITY); the controller asks for it by this name',
    default: process.env['GATEWAY_IDENTITY'] ?? '',
  },
  'key-file': { value: 'PATH', help: 'the key that the controller knows', default: keyFile },
  directory: {
    value: 'DIR',
    help: 'shared with nginx: sockets, and what is held',
    default: paths.gatewayDirectory.value,
  },
  'feed-port': { value: 'PORT', help: 'port of the feed', default: String(ports.gatewayFeed.value) },
  'metrics-port': { value: 'PORT', help: 'port of /metrics', default: String(ports.gatewayMetrics.value) },
  'drain-seconds': {
    value: 'SECONDS',
    help: 'after SIGTERM: longest wait for nginx and for connections to backends',
    default: '55',
    positive: true,
  },
  ...commonFlags,
});
const { identity, directory } = flags;
if (!/^[^/]+\/[^/]+$/.test(identity)) {
  throw new Error('--identity or GATEWAY_IDENTITY: NAMESPACE/GATEWAY is needed');
}
const log = logOf(flags);
const metrics = createRegistry();
registerProcessMetrics(metrics, { program: 'gateway', version, stalls: true });

const sockets = join(directory, 'tls');
const originator = createOriginator({
  directory: sockets,
  systemAuthorities: systemAuthorities(),
  log,
  metrics,
});
const starts = metrics.counter({
  name: 'netloom_gateway_nginx_starts_total',
  help: 'How often nginx was met anew, and told all that it is to hold.',
});
const nginx = createNginxEngine({
  directory,
  onRepair(cause) {
    starts.inc();
    log.info('nginx was told all that it is to hold', { cause });
  },
  onError: (error) => log.error('nginx', { error }),
});
const gateway = await startGateway({
  instance: randomUUID(),
  directory: join(directory, 'held'),
  sockets,
  originator,
  nginx,
  log,
  metrics,
});
const feed = await startFeedServer({
  port: Number(flags['feed-port']),
  identity,
  key: () => readKey(readFileSync(flags['key-file'], 'utf8')),
  gateway,
  log,
  metrics,
});
let isDraining = false;
const health = await startHealthServer({
  host: flags['metrics-address'],
  port: Number(flags['metrics-port']),
  registry: metrics,
  more: async () => printNginxMetrics(await nginx.metrics()),
  checks: [
    { name: 'nginx', check: nginxServes },
    { name: 'stay', check: () => (isDraining ? 'it is about to end' : undefined) },
    { name: 'loop', live: true, check: () => undefined },
  ],
});
// A process that is killed would not keep it (NODE_COMPILE_CACHE).
flushCompileCache();
log.info('listening', { identity, feed: feed.port, metrics: health.port });

for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void stop(signal));

/** It may be busy with the next change: what counts is that it serves at all. */
async function nginxServes(): Promise<string | undefined> {
  const { generation } = await nginx.status();
  return generation === 0 ? 'nothing is held yet' : undefined;
}

/** Backends are reached through this process: it outlives nginx, which ends by itself once its requests are done. */
async function stop(signal: NodeJS.Signals): Promise<void> {
  isDraining = true;
  log.info('stopping once nginx has ended', { signal });
  const all = await drained({
    nginx,
    connections: () => originator.connections(),
    milliseconds: Number(flags['drain-seconds']) * 1000,
  });
  log.info('stopped', { all, connections: originator.connections() });
  await Promise.all([feed.close(), health.close()]);
  await gateway.close();
  await nginx.close();
  originator.close();
  process.exit(0);
}
