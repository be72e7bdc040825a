/** The datapath program: flags and wiring. */
import { mkdirSync } from 'node:fs';
import { flushCompileCache } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { createFrrEngine } from '#engines/frr/driver.ts';
import { createL2Engine } from '#engines/l2/driver.ts';
import { createNetlinkEngine } from '#engines/netlink/driver.ts';
import { createNftablesEngine } from '#engines/nftables/driver.ts';
import { openKubeProxyFinder } from '#engines/nftables/kube-proxy.ts';
import { createTcEngine } from '#engines/tc/driver.ts';
import type { SubnetMode } from '#intent/node.ts';
import { canonicalPrefix } from '#net/prefix.ts';
import { type FileLock, tryLock } from '#system/files.ts';
import { becomeRealtime } from '#system/realtime.ts';
import { paths, ports } from '#system/registry.ts';
import { startHealthServer } from '#telemetry/health.ts';
import { createRegistry } from '#telemetry/metrics.ts';
import { registerProcessMetrics } from '#telemetry/process.ts';
import { commonFlags, logOf, readFlags } from '../flags.ts';
import { version } from '../version.ts';
import { besideKubeProxy } from './beside-kube-proxy.ts';
import { registerBGPCounters } from './bgp-counters.ts';
import { type Datapath, startDatapath } from './datapath.ts';
import { createDetector } from './detector/detector.ts';
import { periodic as periodically } from './engines.ts';
import { chainsBandwidth, installCni } from './install.ts';
import { observeL2 } from './l2-metrics.ts';

const program = {
  name: 'netloom-datapath',
  summary: "wires this node's pods and holds the network in its kernel",
};
const flags = readFlags(program, {
  node: {
    value: 'NAME',
    help: 'name of the Node object (NODE_NAME)',
    default: process.env['NODE_NAME'] ?? '',
  },
  'run-dir': { value: 'DIR', help: 'sockets', default: paths.runDirectory.value },
  'state-dir': { value: 'DIR', help: 'the address journal', default: paths.stateDirectory.value },
  'cni-bin-dir': { value: 'DIR', help: 'gets the CNI executable', default: paths.cniBinDirectory.value },
  'cni-conf-dir': {
    value: 'DIR',
    help: 'gets the CNI configuration',
    default: paths.cniConfigDirectory.value,
  },
  'cni-source': { value: 'DIR', help: 'holds the CNI executable', default: '/usr/lib/netloom/cni' },
  'service-cidr': {
    value: 'CIDR',
    help: 'where Service addresses come from: what no Service has in there is dropped',
    multiple: true,
  },
  'metrics-port': { value: 'PORT', help: 'port of /metrics', default: String(ports.datapathMetrics.value) },
  ...commonFlags,
});
const { node } = flags;
if (node === '') throw new Error('--node or NODE_NAME: the name of the Node object is needed');
const serviceRanges = flags['service-cidr'].map((text) => {
  const cidr = canonicalPrefix(text);
  if (cidr === undefined) throw new Error(`--service-cidr: "${text}" is no prefix with host bits zero`);
  return cidr;
});
const log = logOf(flags);
const runFile = (path: string) => join(flags['run-dir'], basename(path));

mkdirSync(flags['run-dir'], { recursive: true, mode: 0o755 });
mkdirSync(flags['state-dir'], { recursive: true, mode: 0o700 });
goAhead();
const held = await takeOver(runFile('datapath.lock'));
const metrics = createRegistry();
registerProcessMetrics(metrics, { program: 'datapath', version, stalls: true });

let datapath: Datapath | undefined;
const netlink = createNetlinkEngine({
  onRepair: ({ text, foreign }, report) => datapath?.repaired('netlink', { cause: text, foreign, report }),
  onError: (error) => log.error('netlink', { error }),
});
const nftables = createNftablesEngine({
  serviceRanges,
  onForeignChange: ({ by, events, opened, report }) =>
    datapath?.repaired('nftables', {
      cause: [by, ...events].join(', '),
      report,
      foreign: true,
      opened,
    }),
  onError: (error) => log.error('nftables', { error }),
});
const tc = createTcEngine({
  onRepair: (device, report) =>
    datapath?.repaired('tc', { cause: `device ${device} changed`, foreign: true, report }),
  onError: (error) => log.error('tc', { error }),
  yieldsTo: () => {
    const file = chainsBandwidth(flags['cni-conf-dir']);
    return (
      file && `the bandwidth plugin, chained in ${file}, limits the pods of this node: take it out of there`
    );
  },
});

const kubeProxy = openKubeProxyFinder();
const services = besideKubeProxy(nftables, {
  find: (thorough) => kubeProxy.find({ withLegacy: thorough }),
  onChange: () => datapath?.statusChanged(),
  log,
});
const withheld = metrics.gauge({
  name: 'netloom_datapath_services_withheld',
  help: '1 while Services are left to kube-proxy.',
});
metrics.onCollect(() => withheld.set(services.withheld() === undefined ? 0 : 1));

const frr = createFrrEngine({
  directory: runFile(paths.frrDirectory.value),
  serviceRanges,
  onRepair: (cause, report) => datapath?.repaired('frr', { cause, foreign: false, report }),
  onError: (error) => log.error('frr', { error }),
  onSessions: () => datapath?.statusChanged(),
});
registerBGPCounters(metrics, () => frr.counters());

const l2 = createL2Engine({
  onRepair: (repair) => datapath?.repaired('l2', repair),
  onAnswering: () => datapath?.statusChanged(),
  onError: (error) => log.error('l2', { error }),
});
const l2Metrics = observeL2(metrics, l2);

datapath = await startDatapath({
  node,
  engines: [netlink, services, tc, frr, l2],
  servicesWithheld: () => services.withheld(),
  detect: (options) =>
    createDetector({ ...options, memoryFile: runFile(paths.absentNodes.value), log, metrics }),
  bgpSessions: () => frr.sessions(),
  answering: () => l2.announcing(),
  mtuOf: (mode: SubnetMode) => netlink.podMtu(mode),
  placeOf: (address) => netlink.wireOf(address),
  learntNames: runFile(paths.learntNames.value),
  holdDnsAnswers: () => nftables.holdDnsAnswers(),
  ruleCounts: () => nftables.ruleCounts(),
  journal: join(flags['state-dir'], basename(paths.journal.value)),
  cniSocket: runFile(paths.cniSocket.value),
  datapathSocket: runFile(paths.datapathSocket.value),
  async onReady() {
    const written = await installCni({
      source: flags['cni-source'],
      binDirectory: flags['cni-bin-dir'],
      configDirectory: flags['cni-conf-dir'],
      socket: runFile(paths.cniSocket.value),
    });
    log.info('ready for pods', { written });
  },
  log,
  metrics,
});
const running = datapath;

const health = await startHealthServer({
  host: flags['metrics-address'],
  port: Number(flags['metrics-port']),
  registry: metrics,
  checks: [
    { name: 'node', check: () => running.unready() },
    { name: 'services', check: () => services.withheld() },
    { name: 'loop', live: true, check: () => undefined },
  ],
});

/** What no watch reports; a resync that finds nothing costs some milliseconds. */
const resyncSeconds = 60;
const periodic = setInterval(() => running.resync(periodically), resyncSeconds * 1000);
// A process that is killed would leave the cache (NODE_COMPILE_CACHE) empty; with it the next start takes 40 MB less.
flushCompileCache();
log.info('listening', { cni: runFile(paths.cniSocket.value), agent: runFile(paths.datapathSocket.value) });

for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void stop(signal));

async function stop(signal: NodeJS.Signals): Promise<void> {
  log.info('stopping; pods keep their network', { signal });
  clearInterval(periodic);
  l2Metrics.stop();
  await health.close();
  await running.close();
  held.release();
  process.exit(0);
}

/** Two datapaths would fight over one table: waits for the predecessor, which may be ending just now. */
async function takeOver(path: string): Promise<FileLock> {
  const deadline = Date.now() + 15_000;
  for (;;) {
    const lock = tryLock(path);
    if (lock !== undefined) return lock;
    if (Date.now() > deadline) throw new Error(`another datapath runs in ${dirname(path)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** CNI calls, who answers for a pod's address and leases have deadlines, whatever else fills the node's CPUs. */
function goAhead(): void {
  try {
    becomeRealtime();
  } catch (error) {
    log.warn('runs as an ordinary process: on a busy node it will answer late', { error });
  }
}
