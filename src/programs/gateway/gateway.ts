/** An instance of the gateway without its listening ends: takes changes in order, keeps them, and has the originator and nginx hold them. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { NginxEngine } from '#engines/nginx/driver.ts';
import type { GatewayAnswer, GatewayChange, GatewayFeedStatus } from '#intent/gateway.ts';
import type { Log } from '#telemetry/log.ts';
import type { Registry } from '#telemetry/metrics.ts';
import { type ChangesFile, loadChanges, openChanges } from './changes.ts';
import { createHealthChecks, type HealthOptions } from './health/checks.ts';
import { createLowering, type Lowering, type Target } from './originator/lower.ts';
import type { Originator } from './originator/originator.ts';
import { createState, type GatewayState, wholeOf } from './state.ts';

export type Gateway = {
  /** Resolves once every new request and connection is served by it; changes are taken one after the other. Rejects when nginx doesn't take it in time. */
  accept(change: GatewayChange): Promise<GatewayAnswer | { readonly refused: string }>;
  status(): GatewayFeedStatus;
  /** Closes the file. What nginx holds stays. */
  close(): Promise<void>;
};

export type GatewayOptions = {
  /** Of this process. */
  readonly instance: string;
  /** Where what is held is kept; made if need be. */
  readonly directory: string;
  /** Where the originator's sockets are. */
  readonly sockets: string;
  readonly originator: Pick<Originator, 'open' | 'leave'>;
  readonly nginx: Pick<NginxEngine, 'apply' | 'ready'>;
  readonly log: Log;
  readonly metrics: Registry;
  readonly health?: Pick<HealthOptions, 'random' | 'ask'>;
  /** Longest wait for nginx, milliseconds. */
  readonly nginxDeadlineMs?: number;
};

/** Below the deadline of the controller. */
const defaultNginxDeadline = 20_000;
/** Between two looks at whether nginx is there. */
const lookEveryMs = 50;
/** Between two tries for sockets that could not be made, and two looks for those that can go. */
const sweepMs = 5_000;

/** Serves what an earlier process took before this resolves, but that nginx may take a while. */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const { instance, originator, nginx, log } = options;
  mkdirSync(options.directory, { recursive: true, mode: 0o770 });
  const path = join(options.directory, 'changes');
  const { state, lowering, opened } = takeUp(path, options);
  const observed = observe(options.metrics);
  let last: Promise<unknown> = Promise.resolve();
  /** Sockets that can't be, by path. */
  const unopened = new Map<string, { readonly target: Target; readonly reason: string }>();
  /** Paths that are left once nginx holds what is held. */
  let leaving = new Set<string>();
  let ofNginx: GatewayAnswer['problems'] = [];

  /** Backends whose endpoints are others since nginx was told, but for no change of the controller's. */
  const turned = new Set<string>();
  const health = createHealthChecks({
    ...options.health,
    log,
    metrics: options.metrics,
    onChange(key) {
      turned.add(key);
      last = last.then(tellTurned).catch(() => {});
    },
  });
  const named = (key: string) => state.get('backends', key);
  /** In its turn among the changes, so that none is undone. An nginx that isn't there is told by its engine. */
  const tellTurned = async (): Promise<void> => {
    const backends = [...turned].flatMap((key) => {
      const backend = health.backend(key);
      return backend === undefined ? [] : [[key, backend] as const];
    });
    turned.clear();
    if (backends.length === 0) return;
    const { generation } = state;
    const put = { backends: Object.fromEntries(backends) };
    ofNginx = (await nginx.apply({ generation, after: generation, replace: false, put, remove: {} }))
      .problems;
  };

  const open = async (targets: readonly Target[]): Promise<void> => {
    await Promise.all(
      targets.map(async (target) => {
        const reason = await originator.open(target);
        if (reason === undefined) unopened.delete(target.path);
        else unopened.set(target.path, { target, reason });
      }),
    );
  };
  const leave = (): void => {
    for (const left of leaving) {
      if (lowering.names(left)) continue;
      originator.leave(left);
      unopened.delete(left);
    }
    leaving = new Set();
  };
  const problems = (): GatewayAnswer['problems'] => [
    ...ofNginx,
    ...lowering.problems(),
    ...[...unopened.values()].map(({ target, reason }) => ({
      entry: `identities/${target.identity.key}`,
      reason,
    })),
  ];

  if (state.generation > 0) {
    await open(opened);
    log.info('what was held is served again', { generation: state.generation });
  }
  const file: ChangesFile = openChanges(path, state, (error) =>
    log.error('what is held can not be written anew and goes on in the old file', { error }),
  );

  if (state.generation > 0) {
    // An nginx that isn't there yet is told when it is.
    nginx.apply(health.take(wholeOf(lowering.holding(state)), named)).then(
      (answer) => {
        ofNginx = answer.problems;
      },
      () => {},
    );
  }
  /** Between these nginx may be known to hold only what was held before. */
  let isTaking = false;
  const sweep = setInterval(() => {
    if (!isTaking && nginx.ready()) leave();
    void open([...unopened.values()].map(({ target }) => target));
  }, sweepMs);
  sweep.unref();
  options.metrics.onCollect(() => {
    observed.generation.set(state.generation);
    observed.problems.set(problems().length);
    observed.serving.set(nginx.ready() ? 1 : 0);
  });

  /** As the engine's, but that an nginx that isn't there is waited for. */
  const apply = async (change: GatewayChange): Promise<GatewayAnswer> => {
    const deadline = performance.now() + (options.nginxDeadlineMs ?? defaultNginxDeadline);
    const answer = await nginx.apply(change).catch(() => undefined);
    if (answer !== undefined) return answer;
    while (!nginx.ready()) {
      if (performance.now() > deadline) throw new Error('it is held, but nginx does not answer');
      await sleep(lookEveryMs);
    }
    // Nothing new: only to hear what it can't hold.
    return nginx.apply({
      generation: change.generation,
      after: change.generation,
      replace: false,
      put: {},
      remove: {},
    });
  };

  const take = async (change: GatewayChange): Promise<GatewayAnswer | { readonly refused: string }> => {
    const refused = state.refusal(change);
    if (refused !== undefined) {
      observed.changes.inc({ result: 'refused' });
      return { refused };
    }
    const began = performance.now();
    isTaking = true;
    try {
      const answer = await hold(change);
      observed.changes.inc({ result: change.replace ? 'whole' : 'delta' });
      observed.seconds.observe((performance.now() - began) / 1000);
      return answer;
    } catch (error) {
      observed.changes.inc({ result: 'failed' });
      throw error;
    } finally {
      isTaking = false;
    }
  };

  const hold = async (change: GatewayChange): Promise<GatewayAnswer> => {
    state.take(change);
    // From here on it is held. What fails below is not acknowledged, but all that can hold it does.
    let unwritten: unknown;
    try {
      file.append(change);
    } catch (error) {
      unwritten = error;
    }
    const lowered = lowering.lower(state, change);
    for (const left of lowered.left) leaving.add(left);
    await open(lowered.opened);
    const answer = await apply(health.take(lowered.change, named));
    ofNginx = answer.problems;
    leave();
    if (unwritten !== undefined) throw new Error('it is served, but can not be kept', { cause: unwritten });
    return { generation: answer.generation, problems: problems() };
  };

  return {
    accept(change) {
      const result = last.then(() => take(change));
      last = result.catch(() => {});
      return result;
    },
    status() {
      const unhealthy = health.unhealthy();
      const waiting = state.generation === 0 ? 'nothing is held yet' : whyWaiting(nginx);
      return {
        instance,
        generation: state.generation,
        problems: problems(),
        ...(waiting !== undefined && { waiting }),
        ...(unhealthy.length > 0 && { unhealthy }),
      };
    },
    async close() {
      clearInterval(sweep);
      health.close();
      await last;
      await file.close();
    },
  };
}

/** What an earlier process took; nothing, where that can't be made sense of: the controller tells it again. */
function takeUp(
  path: string,
  { sockets, log }: GatewayOptions,
): { readonly state: GatewayState; readonly lowering: Lowering; readonly opened: readonly Target[] } {
  const state = createState();
  const lowering = createLowering(sockets);
  try {
    const { changes, problem } = loadChanges(path);
    if (problem !== undefined) log.warn('what was held is not all there', { problem });
    for (const change of changes) state.take(change);
    const { opened } = lowering.lower(state, wholeOf(state));
    return { state, lowering, opened };
  } catch (error) {
    log.error('what was held can not be read, and is left', { error });
    return { state: createState(), lowering: createLowering(sockets), opened: [] };
  }
}

function whyWaiting(nginx: Pick<NginxEngine, 'ready'>): string | undefined {
  return nginx.ready() ? undefined : 'nginx does not answer, or is being told what to hold';
}

function observe(metrics: Registry) {
  return {
    changes: metrics.counter({
      name: 'netloom_gateway_changes_total',
      help: 'Changes from the controller, by result: whole, delta, refused (it does not follow what is held), failed.',
      labels: ['result'],
    }),
    seconds: metrics.histogram({
      name: 'netloom_gateway_change_seconds',
      help: 'From a change until every new request is served by it.',
      buckets: [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 2, 10],
    }),
    generation: metrics.gauge({ name: 'netloom_gateway_generation', help: 'Held; 0: none.' }),
    problems: metrics.gauge({ name: 'netloom_gateway_problems', help: 'Entries that can not be held.' }),
    serving: metrics.gauge({
      name: 'netloom_gateway_nginx_current',
      help: '1 while nginx is known to serve what is held.',
    }),
  };
}
