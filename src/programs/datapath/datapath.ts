/** The datapath of one node: addresses, pods, engines and the two sockets put together. */
import { randomUUID } from 'node:crypto';
import type { Server } from 'node:net';
import { applyRecord } from '#compile/ipam/state.ts';
import type { DatapathStatus, EngineProblem, IntentAnswer } from '#intent/handover.ts';
import type { IntentChange, SelfIntent } from '#intent/node.ts';
import { numbers } from '#system/registry.ts';
import { createAddresses } from './addresses.ts';
import { type Api, createApiServer } from './api.ts';
import { createPolicyAudit } from './audit/audit.ts';
import { withheldProblem, withheldStatus } from './beside-kube-proxy.ts';
import { createAddressClaims } from './claims.ts';
import { createCniCalls } from './cni/calls.ts';
import { createCniServer } from './cni/server.ts';
import { noDetector } from './detector/detector.ts';
import { createEffective } from './effective.ts';
import { createEngineSet, type Repair } from './engines.ts';
import { createHealthChecks } from './health-checks.ts';
import { createIntentHolder, mergeChanges } from './intent.ts';
import { listen } from './listen.ts';
import { createPolicyNames } from './names/names.ts';
import { observe, observeWaits } from './observe.ts';
import type { DatapathOptions } from './options.ts';
import { createPods, endpointOf } from './pods.ts';
import { createPolicyCounts } from './policy-counts.ts';
import { createSignal } from './signal.ts';
import { startAddresses } from './start.ts';
import { createWireReports } from './wire/reports.ts';
import { createWire } from './wire/wire.ts';

export type Datapath = {
  status(): DatapathStatus;
  /** Undefined: well; else why this node can't take pods. */
  unready(): string | undefined;
  resync(reason: string): void;
  /** An engine repaired something by itself: log, metric, and what it can't hold now. */
  repaired(engine: string, repair: Repair): void;
  /** Something of the status is another one that the datapath doesn't see itself. */
  statusChanged(): void;
  /** Answers what is under way, then stops; links, routes, tables and files stay as they are. */
  close(): Promise<void>;
};

/** A planned restart takes less; until then nobody takes this datapath for silent. */
const restartMs = 20_000;
const restMs = numbers.addressRestSeconds.value * 1000;

export async function startDatapath(options: DatapathOptions): Promise<Datapath> {
  const { node, log, metrics } = options;
  const instance = randomUUID();
  const holder = createIntentHolder();
  const signal = createSignal();
  const { state, journal, adopted } = await startAddresses(options.journal, log, restMs);
  const addresses = createAddresses({ node, state, journal, intent: holder.intent, restMs });
  const engines = createEngineSet(options.engines, log, metrics);
  const { mtuOf } = options;
  let prepared = false;
  const notReady = () => {
    if (holder.generation === 0) return "the node's agent has not said yet what the network is";
    return prepared ? undefined : 'the node is still being prepared for the first intent since the start';
  };
  const wire = createWire({ intent: holder.intent, placeOf: options.placeOf, log });
  const wireReports = createWireReports({
    node,
    intent: holder.intent,
    state,
    placeOf: options.placeOf,
    log,
    onChange: () => signal.notify(),
  });
  const audit = createPolicyAudit({ intent: holder.intent, onNews: () => signal.notify(), log, metrics });
  const names = createPolicyNames({
    instance,
    node,
    intent: holder.intent,
    file: options.learntNames,
    hold: options.holdDnsAnswers ?? (() => Promise.resolve()),
    log,
    metrics,
  });
  const detector = (options.detect ?? noDetector)({
    node,
    onChange: () => livenessChanged(),
    onMessage: (from, message) => claims.heard(from, message),
    informed: () => claims.informed(),
  });
  const claims = createAddressClaims({
    node,
    broadcast: (message) => detector.broadcast(message),
    tell: (to, message) => detector.tell(to, message),
    onChange: () => livenessChanged(),
    log,
  });
  const lives = () => ({
    nodes: detector.liveness(),
    addresses: detector.addressLiveness(),
    yielded: claims.yielded(),
  });
  const effective = createEffective(node, lives());
  let accepting = false;
  const livenessChanged = (): void => {
    signal.notify();
    claims.setDead(detector.liveness().dead);
    if (accepting) return;
    const delta = effective.live(holder.intent, holder.generation, lives());
    if (delta === undefined) return;
    claims.setHeld(effective.held());
    void engines.apply(delta);
  };
  const policyCounts = createPolicyCounts({
    read: options.ruleCounts ?? (() => Promise.resolve([])),
    log,
    metrics,
  });
  const onWaited = observeWaits(metrics);
  const pods = createPods({ addresses, engines, holder, signal, notReady, mtuOf, wire, onWaited, log });
  for (const { found, assignment } of adopted) pods.adopt(found, assignment);
  const broken = () => engines.status().find((engine) => engine.error !== undefined);
  const serving = () => options.servicesWithheld() === undefined && broken() === undefined;
  const healthChecks = createHealthChecks(serving, log);
  let ready = false;
  let self: SelfIntent | undefined;
  let own: EngineProblem[] = [];

  /** Puts the node's own tunnel addresses into a change, and leaves out a `self` in which nothing but the lease is new. */
  const withTunnelAddresses = (change: IntentChange): IntentChange => {
    const asked = holder.intent.self[node];
    addresses.setSelf(asked);
    const tunnelAddresses = addresses.tunnelAddresses();
    const effective = asked === undefined ? undefined : { ...asked, tunnelAddresses };
    const missing =
      asked !== undefined && asked.blocks.length > 0 && tunnelAddresses.length === 0 && needsTunnel(asked);
    const reason =
      'no address is free for the node’s own use in an overlay Subnet; it can’t reach pods of other nodes';
    own = missing ? [{ engine: 'datapath', entry: `self/${node}`, reason }] : [];
    const isNew = !sameButLease(self, effective);
    self = effective;
    if (isNew && effective !== undefined) healthChecks.setNode(effective);
    const { self: _, ...put } = change.put;
    if (effective === undefined) return { ...change, put };
    (holder.intent.self as Record<string, SelfIntent>)[node] = effective;
    return isNew || change.replace
      ? { ...change, put: { ...put, self: { [node]: effective } } }
      : { ...change, put };
  };
  const needsTunnel = (asked: SelfIntent) =>
    asked.blocks.some((block) => holder.intent.subnets[block.subnet]?.mode === 'overlay');

  /** The change as the engines get it: with what the detector makes of other nodes and addresses at once. */
  const effectiveOf = (change: IntentChange): IntentChange => {
    const first = effective.take(change, holder.intent);
    const { put, remove, replace } = change;
    if (!replace && put.peers === undefined && remove.peers === undefined && put.self === undefined)
      return first;
    accepting = true;
    detector.setNodes(self?.addresses, holder.intent.peers);
    accepting = false;
    const more = effective.live(holder.intent, holder.generation, lives());
    return more === undefined ? first : mergeChanges(first, more);
  };
  const accept = async (change: IntentChange): Promise<IntentAnswer | { refused: string }> => {
    const isFirst = holder.generation === 0;
    const refusal = holder.take(change);
    if (refusal !== undefined) return refusal;
    claims.told();
    const complete = withTunnelAddresses(change);
    if (isFirst) nameSubnets();
    audit.take(change);
    const held = names.take();
    // An engine that hears of a whole intent for the first time reads the machine and plans the difference.
    const applied = engines.apply(effectiveOf(isFirst ? holder.whole() : complete));
    claims.setHeld(effective.held());
    signal.notify();
    const { problems, failed } = await applied;
    if (failed.length === 0) held();
    if (change.replace || change.put.healthChecks !== undefined || change.remove.healthChecks !== undefined)
      healthChecks.set(holder.intent.healthChecks);
    if (!prepared && failed.length === 0) {
      prepared = true;
      signal.notify();
    }
    if (!ready && failed.length === 0) await makeReady();
    return { generation: change.generation, problems: [...own, ...problems, ...failed] };
  };
  /** Addresses that were found without a journal learn which Subnet they are of. */
  const nameSubnets = () => {
    for (const assignment of [...state.assignments.values()].filter(({ subnet }) => subnet === '')) {
      const found = addresses.subnetOf(assignment.addresses);
      if (found === undefined) continue;
      const named = { ...assignment, ...found };
      applyRecord(state, { op: 'assign', assignment: named });
      journal
        .append([{ op: 'assign', assignment: named }])
        .catch((error: unknown) => log.error('journal', { error }));
      const endpoint = holder.intent.endpoints[named.key];
      if (endpoint === undefined) continue;
      holder.putEndpoint(named.key, endpointOf(named, endpoint.device, endpoint.ifindex, endpoint.mac));
      if (named.mode === 'underlay') wire.keep(named.key, named.addresses);
    }
  };
  let readying: Promise<void> | undefined;
  const makeReady = () => {
    readying ??= options.onReady().then(
      () => {
        ready = true;
        signal.notify();
      },
      (error: unknown) => {
        readying = undefined;
        own = [
          { engine: 'datapath', entry: 'cni', reason: `can't install the CNI plugin: ${String(error)}` },
        ];
        log.error("can't install the CNI plugin", { error });
      },
    );
    return readying;
  };

  const unready = (): string | undefined => {
    const reason = notReady();
    if (reason !== undefined) return reason;
    if (self === undefined) return `node ${node} is not known to the cluster`;
    if (self.assignRefused !== undefined) return self.assignRefused;
    if (Date.now() >= self.assignUntil) return "the agent's lease has run out, so no address may be assigned";
    const engine = broken();
    if (engine !== undefined) return `${engine.name}: ${engine.error}`;
    return ready ? undefined : 'the CNI plugin is not installed yet';
  };

  const calls = createCniCalls({ pods, unready, metrics });

  const api: Api = {
    accept,
    generation: () => holder.generation,
    onWaiting: (hasTold) => claims.listened(hasTold),
    status: () => ({
      node,
      instance,
      wiringVersion: numbers.wiringVersion.value,
      generation: holder.generation,
      revision: signal.revision,
      ready: unready() === undefined,
      blocks: addresses.usage(),
      strays: addresses.strays(),
      held: addresses.held(),
      demand: pods.demand(),
      endpoints: Object.keys(holder.intent.endpoints).length,
      tunnelAddresses: self?.tunnelAddresses ?? [],
      engines: engines.status(),
      ...withheldStatus(options.servicesWithheld()),
      wire: wireReports.reports(),
      bgp: options.bgpSessions?.() ?? [],
      answering: options.answering?.() ?? [],
      absent: detector.absent(),
      wouldDrop: audit.news(),
    }),
    policyCounts: () => policyCounts.now(),
    probeWire: () => wireReports.probe(),
    endpoints: () => pods.endpoints(),
    audited: () => audit.recent(),
    names: (known, after, milliseconds) => names.answer(known, after, milliseconds),
    problems: () => [
      ...own,
      ...withheldProblem(options.servicesWithheld()),
      ...healthChecks.problems(),
      ...audit.problems(),
      ...names.problems(),
      ...engines.problems(),
      ...wire.problems(),
    ],
  };
  observe(metrics, api);

  const servers: [Server, string][] = [
    [createCniServer(calls.handle, log), options.cniSocket],
    [createApiServer(api, signal, log), options.datapathSocket],
  ];
  for (const [server, path] of servers) await listen(server, path);
  return {
    status: () => api.status(),
    unready,
    resync: (reason) => {
      if (holder.generation > 0) engines.resync(reason);
    },
    repaired: (engine, repair) => engines.repaired(engine, repair),
    statusChanged: () => signal.notify(),
    async close() {
      await detector.pause(restartMs);
      detector.close();
      claims.close();
      for (const [server] of servers) {
        server.close();
        if ('closeAllConnections' in server) (server.closeAllConnections as () => void)();
      }
      await pods.stop();
      await calls.settled();
      await pods.stop();
      await healthChecks.close();
      wire.close();
      wireReports.close();
      audit.close();
      names.close();
      await engines.close();
      await journal.close();
    },
  };
}

function sameButLease(a: SelfIntent | undefined, b: SelfIntent | undefined): boolean {
  const text = (self: SelfIntent | undefined) =>
    JSON.stringify(self === undefined ? 0 : { ...self, assignUntil: 0 });
  return text(a) === text(b);
}
