/** The controller's work while it leads: one pass after another over what the caches hold. */
import { servePools } from '#compile/ipam/pools.ts';
import { type ServedSubnet, serveSubnets } from '#compile/topology/served.ts';
import type { Client } from '#kube/client.ts';
import type { Recorder } from '#kube/events.ts';
import { readIPPool } from '#model/ippool.ts';
import { readSubnet } from '#model/subnet.ts';
import type { Log } from '#telemetry/log.ts';
import type { Registry } from '#telemetry/metrics.ts';
import { createReporter } from '#telemetry/problems.ts';
import { createThinned } from '#telemetry/thinned.ts';
import type { ServedLoadBalancers } from '../flags.ts';
import { nodeOfLease } from '../node-lease.ts';
import type { LeaseSighting, LeaseTimes } from './abandoned.ts';
import { createAnnouncers } from './announcers.ts';
import { createBalancers } from './balancers/balancers.ts';
import { reconcileBGPKinds } from './bgp-kinds.ts';
import type { Caches } from './caches.ts';
import { freeAbandoned, writeClaimConditions } from './claims.ts';
import { createGateways } from './gateways/gateways.ts';
import { reconcileNeighbors } from './neighbors.ts';
import { createPasses } from './passes.ts';
import { createPolicyStatus } from './policies.ts';
import { poolUses } from './pool-status.ts';
import { endKeeps, reconcilePools } from './pools.ts';
import { createQosStatus } from './qos.ts';
import { type Findings, followFindings, settleProblems, wireByNode } from './reports.ts';
import { createRetirement } from './retirement.ts';
import { registerSubnetMetrics } from './subnet-metrics.ts';
import { createPace, reconcileSubnets } from './subnets.ts';

export type ControllerOptions = {
  readonly client: Client;
  /** For writes of Services' addresses; default: the same. */
  readonly addresses?: Client;
  readonly caches: Caches;
  readonly recorder: Recorder;
  readonly registry: Registry;
  readonly leaseTimes: LeaseTimes;
  /** Whether agents serve `spec.externalIPs`. */
  readonly externalIPs: boolean;
  /** Whose addresses are given; undefined: nobody's. */
  readonly loadBalancers?: ServedLoadBalancers | undefined;
  /** Of the pods of gateways; undefined: none are made. */
  readonly gatewayImage?: string | undefined;
  /** For what gateways need; default: `client`. */
  readonly gateways?: Client;
  readonly log: Log;
};

/** Passes without a change: abandoned claims come due by time alone. */
const periodMs = 5_000;
/** Servers keep an event for an hour. */
const remindEveryMs = 30 * 60_000;
const lineEveryMs = 30_000;

/** `lead` works until the signal aborts. The caches must hold their first lists by then. */
export function startController(options: ControllerOptions): { lead(signal: AbortSignal): Promise<void> } {
  const { client, caches, recorder, registry, leaseTimes, log } = options;
  const reporter = createReporter({ log, registry, event: (event) => recorder.event(event) });
  const sightings = followLeases(caches, leaseTimes);
  registerSubnetMetrics(registry, () => caches.subnets.list());
  const pace = createPace(() => caches.nodes.list().length);
  const poolPace = createPace(() => caches.nodes.list().length);
  const retirement = createRetirement(leaseTimes.defaultDurationMs + leaseTimes.marginMs);
  const failing = createThinned(lineEveryMs);
  const seconds = registry.histogram({
    name: 'netloom_controller_pass_seconds',
    help: 'Time of one pass over all objects.',
    buckets: [0.001, 0.01, 0.1, 0.5, 1, 5, 30],
  });
  const pending = registry.gauge({
    name: 'netloom_controller_policies_pending',
    help: 'Policies that some live node has not said to hold as they are now, by kind; told by the controller that leads.',
    labels: ['kind'],
  });
  registry.onCollect(() => {
    for (const [kind, count] of isLeading ? policyStatus.pending() : []) pending.set(count, { kind });
  });
  let isLeading = false;
  let startedAt = 0;
  let remindedAt = 0;
  const qosStatus = createQosStatus(client, caches.policies, log);
  const isAlive = (node: string): boolean => {
    const sighting = sightings.get(node);
    const lasts = sighting && sighting.seenAt + sighting.durationMs + leaseTimes.marginMs;
    return lasts !== undefined && performance.now() <= lasts && caches.nodes.get('', node) !== undefined;
  };
  const policyStatus = createPolicyStatus(client, caches, isAlive, log, () => passes.wake());
  const balancers = createBalancers(
    { client: options.addresses ?? client, caches, served: options.loadBalancers, recorder, registry, log },
    () => passes.wake(),
  );
  const announcers = createAnnouncers(client, caches, isAlive, log, () => passes.wake());
  const { gatewayImage } = options;
  const gateways =
    gatewayImage === undefined
      ? undefined
      : createGateways({ client: options.gateways ?? client, image: gatewayImage, registry, log }, () =>
          passes.wake(),
        );
  const more = () => [
    ...policyStatus.problems(),
    ...balancers.problems(),
    ...announcers.problems(),
    ...(gateways?.problems() ?? []),
  ];
  const ofGateways: Findings['referenceOf'] = (object) => gateways?.referenceOf(object);
  const findings = followFindings(caches, options, more, ofGateways, () => passes.wake());

  const pass = async (): Promise<void> => {
    const subnets = caches.subnets.list();
    const claims = caches.claims.list();
    const problems = findings.problems();
    settleProblems(reporter, problems, findings.referenceOf);
    if (performance.now() - remindedAt > remindEveryMs) {
      reporter.remind();
      remindedAt = performance.now();
    }
    const now = new Date();
    const heldBlocks = claims.flatMap(({ value }) => value ?? []);
    const situation = {
      subnets: new Map(subnets.map((subnet) => [subnet.metadata.name, readSubnet(subnet)])),
      claims: heldBlocks,
      namespaces: caches.namespaces.list().flatMap(({ value }) => value ?? []),
      problems,
      usage: caches.leases.list().map(({ usage }) => usage),
      wire: wireByNode(caches),
      staying: (subnet: ServedSubnet) => retirement.staying(subnet, heldBlocks, performance.now()),
    };
    await reconcileSubnets(client, subnets, situation, now, pace, log);
    const served = serveSubnets([...situation.subnets.values()].flatMap(({ value }) => value ?? [])).value;
    const pools = caches.pools.list();
    const servedPools = servePools(
      pools.map(readIPPool).flatMap(({ value }) => value ?? []),
      served.byName,
    ).value;
    const uses = poolUses(servedPools, situation.claims);
    await reconcilePools(client, pools, uses, problems, now, poolPace, log);
    const nodes = caches.nodes.list().flatMap(({ value }) => value ?? []);
    await reconcileNeighbors(client, caches.neighbors.list(), nodes, problems, now, log);
    await reconcileBGPKinds(client, caches, nodes, problems, now, log);
    const times = { ...leaseTimes, startedAt, now: performance.now() };
    await freeAbandoned(client, caches, sightings, times, log);
    await endKeeps(client, caches, now, log);
    await writeClaimConditions(client, claims, problems, now, log);
  };
  const passes = createPasses(async () => {
    const started = performance.now();
    try {
      await pass();
      failing.over((times) => log.info('passes succeed again', { failed: times }));
    } catch (error) {
      failing.happened((times) => log.warn('a pass failed and is tried again', { error, times }));
    }
    seconds.observe((performance.now() - started) / 1000);
  }, periodMs);

  return {
    async lead(signal) {
      startedAt = performance.now();
      remindedAt = startedAt;
      isLeading = true;
      await Promise.all([
        passes.run(signal),
        qosStatus.run(signal),
        policyStatus.run(signal),
        balancers.run(signal),
        ...(options.loadBalancers === undefined ? [] : [announcers.run(signal)]),
        ...(gateways === undefined ? [] : [gateways.run(signal)]),
      ]);
      isLeading = false;
      for (const kind of policyStatus.pending().keys()) pending.remove({ kind });
      reporter.clear();
    },
  };
}

/**
 * By node, when its lease was last seen renewed. A lease that was deleted counts from its last renewal, as long as the node's
 * claims are there: its agent may not know yet.
 */
function followLeases(caches: Caches, { defaultDurationMs }: LeaseTimes): ReadonlyMap<string, LeaseSighting> {
  const sightings = new Map<string, LeaseSighting>();
  caches.leases.onChange(({ old, new: lease }) => {
    const node = nodeOfLease((lease ?? old)?.name ?? '');
    if (node === undefined) return;
    if (lease === undefined) {
      if (!caches.claims.list().some(({ value }) => value?.node === node)) sightings.delete(node);
      return;
    }
    const { renewTime, durationSeconds = defaultDurationMs / 1000 } = lease;
    if (sightings.get(node)?.renewTime === renewTime) return;
    sightings.set(node, { renewTime, durationMs: durationSeconds * 1000, seenAt: performance.now() });
  });
  return sightings;
}
