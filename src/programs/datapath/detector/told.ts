/** What people are told of the detector's findings: a line for each change, metrics, and since when somebody is absent. */
import type { AbsentNode } from '#intent/handover.ts';
import type { Log } from '#telemetry/log.ts';
import type { Registry } from '#telemetry/metrics.ts';
import type { Change, Watch } from './watch.ts';

export type Told = {
  /** Logs and counts what is new. */
  tell(): void;
  absent(): readonly AbsentNode[];
};

export function createTold(self: string, watch: Watch, log: Log, metrics: Registry): Told {
  const since = new Map<string, AbsentNode>();
  const verdicts = metrics.histogram({
    name: 'netloom_detector_verdict_seconds',
    help: 'Time from the last sign of life of a node until it was found dead or silent.',
    labels: ['state'],
    buckets: [0.2, 0.4, 0.6, 0.8, 1, 2, 4, 6, 10],
  });
  const lost = metrics.counter({
    name: 'netloom_detector_echoes_lost_total',
    help: 'Echoes to other nodes that were not answered in time.',
  });
  const gauge = (name: string, help: string) => metrics.gauge({ name: `netloom_detector_${name}`, help });
  const dead = gauge(
    'dead',
    'Nodes that this one takes for dead: nothing is sent to their pods by Services.',
  );
  const silent = gauge('silent', 'Nodes whose kernel answers and whose datapath does not.');
  const isolated = gauge('isolated', '1 while this node reaches none of those that it watches.');
  const held = gauge('held', 'Nodes that would be dead if not too many were already.');
  let lostBefore = 0;
  let isolatedBefore = false;
  let heldBefore = 0;
  metrics.onCollect(() => {
    const liveness = watch.liveness();
    dead.set(liveness.dead.size);
    silent.set(liveness.silent.size);
    isolated.set(liveness.isolated ? 1 : 0);
    held.set(watch.held());
    lost.inc({}, watch.lostEchoes() - lostBefore);
    lostBefore = watch.lostEchoes();
  });

  const tellOne = ({ node, from, to, milliseconds, by }: Change): void => {
    if (to === 'well') {
      since.delete(node);
      log.info('a node is back', { peer: node, was: from, ms: Math.round(milliseconds) });
      return;
    }
    since.set(node, { node, state: to, since: new Date(Date.now() - milliseconds).toISOString() });
    verdicts.observe(milliseconds / 1000, { state: to });
    const text =
      to === 'dead'
        ? 'a node is dead: Services send nothing to its pods'
        : "a node's datapath is silent: it answers for no virtual address";
    log.warn(text, { peer: node, ms: milliseconds, by: by.join(' ') });
  };
  return {
    tell() {
      for (const change of watch.changes()) tellOne(change);
      const { isolated: now } = watch.liveness();
      if (now && !isolatedBefore)
        log.warn('this node reaches no other: it is cut off, and keeps all of them');
      if (!now && isolatedBefore) log.info('this node reaches others again');
      isolatedBefore = now;
      if (watch.held() > 0 && heldBefore === 0)
        log.warn('too many nodes are dead at once: no more are taken for dead', { held: watch.held() });
      heldBefore = watch.held();
    },
    absent: () =>
      [...since.values()].map((absent) =>
        watch.firstWatcher(absent.node) === self ? { ...absent, teller: true } : absent,
      ),
  };
}
