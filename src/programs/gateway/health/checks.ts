/** Health checks of backends' endpoints: who is asked when, what becomes of the answers, and what nginx is told instead. */
import type { GatewayBackendIntent, GatewayChange } from '#intent/gateway.ts';
import type { Log } from '#telemetry/log.ts';
import type { Labels, Registry } from '#telemetry/metrics.ts';
import { type Probed, probe } from './probe.ts';
import { createTurns } from './turns.ts';
import { afterAnswer, presumed, usable, type Verdict } from './verdicts.ts';

export type UnhealthyEndpoint = {
  /** Key in `backends`. */
  readonly backend: string;
  readonly endpoint: string;
  readonly reason: string;
};

export type HealthChecks = {
  /**
   * A change as nginx is told it: without endpoints that don't answer. `named` gives a backend as the controller said it, whose endpoints
   * are in the same order as those of the change.
   */
  take(change: GatewayChange, named: (backend: string) => GatewayBackendIntent | undefined): GatewayChange;
  /** What nginx is to be told of a backend now; undefined: it isn't checked. */
  backend(key: string): GatewayBackendIntent | undefined;
  unhealthy(): readonly UnhealthyEndpoint[];
  /** Asks nobody any more. */
  close(): void;
};

export type HealthOptions = {
  /** A backend's endpoints that are used are others than before. */
  readonly onChange: (backend: string) => void;
  readonly log: Log;
  readonly metrics: Registry;
  /** 0 ≤ random < 1. */
  readonly random?: () => number;
  readonly ask?: (asked: Probed, signal: AbortSignal) => Promise<string | undefined>;
};

/** Questions on their way at once, and those to Services of one namespace. */
const mostAtOnce = 64;
const mostOfOne = 16;
/** Milliseconds from one question to the next, whatever is asked for. */
const leastInterval = 100;

type Checked = {
  /** As nginx would be told without us. */
  readonly intent: GatewayBackendIntent;
  /** In the order of the intent's. */
  readonly endpoints: readonly CheckedEndpoint[];
};

type CheckedEndpoint = {
  readonly name: string;
  /** As nginx knows it. */
  readonly address: string;
  verdict: Verdict;
  timer: NodeJS.Timeout | undefined;
  gone: boolean;
};

export function createHealthChecks(options: HealthOptions): HealthChecks {
  const { onChange, log, random = Math.random, ask = probe } = options;
  const observed = observe(options.metrics);
  const checked = new Map<string, Checked>();
  const turns = createTurns(mostAtOnce, mostOfOne);
  const ending = new AbortController();

  const schedule = (key: string, endpoint: CheckedEndpoint, milliseconds: number): void => {
    endpoint.timer = setTimeout(() => void look(key, endpoint), milliseconds);
    endpoint.timer.unref();
  };

  const look = async (key: string, endpoint: CheckedEndpoint): Promise<void> => {
    const reason = await turns.run(namespaceOf(key), async () => {
      const one = checked.get(key)?.intent;
      return endpoint.gone || one === undefined ? undefined : ask(questionOf(one, endpoint), ending.signal);
    });
    const check = checked.get(key)?.intent.health;
    if (endpoint.gone || check === undefined || ending.signal.aborted) return;
    observed.checks.inc({ result: reason === undefined ? 'good' : 'bad' });
    const before = endpoint.verdict;
    endpoint.verdict = afterAnswer(before, reason, check);
    if (endpoint.verdict.healthy !== before.healthy) {
      const what = endpoint.verdict.healthy
        ? 'an endpoint answers again'
        : 'an endpoint does not answer, and is left out';
      log.warn(what, {
        backend: key,
        endpoint: endpoint.name,
        reason: endpoint.verdict.healthy ? undefined : reason,
      });
      onChange(key);
    }
    schedule(key, endpoint, Math.max(leastInterval, check.interval) * (0.9 + 0.2 * random()));
  };

  const forget = (key: string): void => {
    for (const endpoint of checked.get(key)?.endpoints ?? []) drop(endpoint);
    checked.delete(key);
  };

  const hold = (key: string, intent: GatewayBackendIntent, names: readonly string[]): void => {
    const before = checked.get(key);
    const health = intent.health;
    if (health === undefined || intent.protocol === 'udp') {
      forget(key);
      return;
    }
    const same = JSON.stringify(before?.intent.health) === JSON.stringify(health);
    const known = new Map(same ? before?.endpoints.map((each) => [each.address, each]) : []);
    const endpoints = intent.endpoints.map((address, at): CheckedEndpoint => {
      const there = known.get(address);
      known.delete(address);
      return (
        there ?? { name: names[at] ?? address, address, verdict: presumed, timer: undefined, gone: false }
      );
    });
    const kept = new Set(endpoints);
    for (const endpoint of before?.endpoints ?? []) if (!kept.has(endpoint)) drop(endpoint);
    checked.set(key, { intent, endpoints });
    for (const endpoint of endpoints) {
      if (endpoint.timer === undefined) schedule(key, endpoint, health.interval * random());
    }
  };

  const backend = (key: string): GatewayBackendIntent | undefined => {
    const one = checked.get(key);
    if (one === undefined) return undefined;
    const used = usable(one.endpoints, ({ verdict }) => verdict.healthy);
    return { ...one.intent, endpoints: used.map(({ address }) => address) };
  };

  const unhealthy = (): UnhealthyEndpoint[] =>
    [...checked].flatMap(([key, { endpoints }]) =>
      endpoints
        .filter(({ verdict }) => !verdict.healthy)
        .map(({ name, verdict }) => ({ backend: key, endpoint: name, reason: verdict.reason ?? '' })),
    );

  let told: readonly UnhealthyEndpoint[] = [];
  options.metrics.onCollect(() => {
    for (const one of told) observed.unhealthy.remove(labelsOf(one));
    told = unhealthy();
    for (const one of told) observed.unhealthy.set(1, labelsOf(one));
  });

  return {
    take(change, named) {
      const put = change.put.backends ?? {};
      if (change.replace) for (const key of checked.keys()) if (!Object.hasOwn(put, key)) forget(key);
      for (const key of change.remove.backends ?? []) forget(key);
      const backends = Object.entries(put).map(([key, intent]) => {
        hold(key, intent, named(key)?.endpoints ?? []);
        return [key, backend(key) ?? intent] as const;
      });
      if (backends.every(([key]) => !checked.has(key))) return change;
      return { ...change, put: { ...change.put, backends: Object.fromEntries(backends) } };
    },
    backend,
    unhealthy,
    close() {
      ending.abort();
      for (const key of checked.keys()) forget(key);
    },
  };

  function drop(endpoint: CheckedEndpoint): void {
    endpoint.gone = true;
    clearTimeout(endpoint.timer);
  }
}

function questionOf(intent: GatewayBackendIntent, { name, address }: CheckedEndpoint): Probed {
  return {
    check: intent.health!,
    endpoint: name,
    ...(address.startsWith('unix:') && { socket: address.slice('unix:'.length) }),
    protocol: intent.protocol === 'h2c' ? 'http2' : 'http1',
  };
}

function namespaceOf(backend: string): string {
  return backend.slice(0, Math.max(0, backend.indexOf('/')));
}

/** Backends are `NAMESPACE/NAME:PORT/…`. */
function labelsOf({ backend, endpoint }: UnhealthyEndpoint): Labels {
  const service = backend.slice(backend.indexOf('/') + 1);
  return { namespace: namespaceOf(backend), service, endpoint };
}

function observe(metrics: Registry) {
  return {
    checks: metrics.counter({
      name: 'netloom_gateway_health_checks_total',
      help: 'Questions to endpoints of backends, by result: good, bad.',
      labels: ['result'],
    }),
    unhealthy: metrics.gauge({
      name: 'netloom_gateway_unhealthy_endpoints',
      help: '1: an endpoint that does not answer its health checks as it should; others are not here.',
      labels: ['namespace', 'service', 'endpoint'],
    }),
  };
}
