/** What nginx counts, as Prometheus' text. */
import type { NginxMetrics, NginxRouteMetrics } from '#engines/nginx/nginx.ts';
import { createRegistry, type Labels, type Registry } from '#telemetry/metrics.ts';

/** Nginx itself tells a bounded number of routes apart, so that none of these is cut off here: series a metric. */
const maxSeries = 20_000;

/**
 * `netloom_gateway_requests_total`, `_refused_requests_total`, `_limits_evicted_total`, `_limits_full_total`, `_request_seconds`,
 * `_connections_total`, `_connection_bytes_total`, `_nginx_connections`, `_nginx_accepted_total`, `_ejections_total`,
 * `_ejected_endpoints`, `_unlogged_total`.
 */
export function printNginxMetrics(metrics: NginxMetrics): string {
  const { connections, bounds, routes, streams, backends, unlogged } = metrics;
  // A registry of one scrape: nginx's own numbers are the sums already.
  const registry = createRegistry();
  const states = registry.gauge({
    name: 'netloom_gateway_nginx_connections',
    help: 'Connections of clients, by state.',
    labels: ['state'],
  });
  for (const state of ['active', 'reading', 'writing', 'waiting'] as const) {
    states.set(connections[state], { state });
  }
  registry
    .counter({
      name: 'netloom_gateway_nginx_accepted_total',
      help: 'Connections of clients since nginx began.',
    })
    .inc(undefined, connections.accepted);
  const requests = registry.counter({
    name: 'netloom_gateway_requests_total',
    help: 'Requests, by the namespace and name of the route that took them and the class of the answer (2xx); without a route: none did.',
    labels: ['namespace', 'kind', 'route', 'code'],
    maxSeries,
  });
  for (const [route, codes] of sums(routes)) {
    codes.forEach((times, at) => {
      if (times > 0) requests.inc({ ...labelsOf(route), code: `${at + 1}xx` }, times);
    });
  }
  countRefusals(registry, metrics);
  const ended = registry.counter({
    name: 'netloom_gateway_connections_total',
    help: 'Connections by TLS, TCP or UDP that ended, by the namespace and name of their route and what became of them: served, failed (its endpoint could not be reached), refused (there was none).',
    labels: ['namespace', 'kind', 'route', 'result'],
    maxSeries,
  });
  const bytes = registry.counter({
    name: 'netloom_gateway_connection_bytes_total',
    help: 'What they carried: received from clients, sent to them.',
    labels: ['namespace', 'kind', 'route', 'direction'],
    maxSeries,
  });
  for (const count of streams) {
    const labels = labelsOf(count.route);
    for (const result of ['served', 'failed', 'refused'] as const) {
      if (count[result] > 0) ended.inc({ ...labels, result }, count[result]);
    }
    for (const direction of ['received', 'sent'] as const) {
      if (count[direction] > 0) bytes.inc({ ...labels, direction }, count[direction]);
    }
  }
  const ejections = registry.counter({
    name: 'netloom_gateway_ejections_total',
    help: 'How often an endpoint was left out for a while, since it had failed as often in a row as its BackendPolicy says, by Service and port.',
    labels: ['namespace', 'service'],
    maxSeries,
  });
  const out = registry.gauge({
    name: 'netloom_gateway_ejected_endpoints',
    help: 'Endpoints that are left out so now.',
    labels: ['namespace', 'service'],
    maxSeries,
  });
  for (const one of backends) {
    const labels = serviceOf(one.backend);
    if (one.ejections > 0) ejections.inc(labels, one.ejections);
    out.set(one.out, labels);
  }
  registry
    .counter({
      name: 'netloom_gateway_unlogged_total',
      help: 'Lines of the access log that were left out, since nobody took those before them.',
    })
    .inc(undefined, unlogged);
  return registry.text() + printDurations(bounds, routes);
}

/** What policies turned away. As many reasons as there are, of routes that have a policy. */
function countRefusals(registry: Registry, { routes, refusals, limits }: NginxMetrics): void {
  const refused = registry.counter({
    name: 'netloom_gateway_refused_requests_total',
    help: 'Requests that a policy turned away, by the route that took them and why.',
    labels: ['namespace', 'kind', 'route', 'reason'],
    maxSeries,
  });
  for (const { route, refused: counts } of routes) {
    counts.forEach((times, at) => {
      const reason = refusals[at];
      if (times > 0 && reason !== undefined) refused.inc({ ...labelsOf(route), reason }, times);
    });
  }
  registry
    .counter({
      name: 'netloom_gateway_limits_evicted_total',
      help: 'Rates of clients that were forgotten before their time, to make room for others: these clients may have had more than their limit.',
    })
    .inc(undefined, limits.evicted);
  registry
    .counter({
      name: 'netloom_gateway_limits_full_total',
      help: 'Requests that were refused since there was no room to count them among those at once.',
    })
    .inc(undefined, limits.refused);
}

/** `KIND/NAMESPACE/NAME`, `other` or ''. */
function labelsOf(route: string): Labels {
  const [kind = '', namespace = '', name = ''] = route.split('/');
  return route.includes('/') ? { namespace, kind, route: name } : { namespace: '', kind: '', route };
}

/** `NAMESPACE/NAME:PORT/…`. */
function serviceOf(backend: string): Labels {
  const slash = backend.indexOf('/');
  return { namespace: backend.slice(0, Math.max(0, slash)), service: backend.slice(slash + 1) };
}

/** Nginx counts by listener too; that would be a series more for each. */
function sums(routes: readonly NginxRouteMetrics[]): Map<string, number[]> {
  const all = new Map<string, number[]>();
  for (const { route, codes } of routes) {
    const sum = all.get(route) ?? codes.map(() => 0);
    codes.forEach((times, at) => {
      sum[at] = (sum[at] ?? 0) + times;
    });
    all.set(route, sum);
  }
  return all;
}

function printDurations(bounds: readonly number[], routes: readonly NginxRouteMetrics[]): string {
  const name = 'netloom_gateway_request_seconds';
  const all = new Map<string, { readonly buckets: number[]; seconds: number }>();
  for (const { route, durations, seconds } of routes) {
    const one = all.get(route) ?? { buckets: [...bounds, 0].map(() => 0), seconds: 0 };
    durations.forEach((times, at) => {
      one.buckets[at] = (one.buckets[at] ?? 0) + times;
    });
    one.seconds += seconds;
    all.set(route, one);
  }
  const lines = [
    `# HELP ${name} From the first byte of a request to the last of its answer, by the route that took it.`,
    `# TYPE ${name} histogram`,
  ];
  for (const [route, { buckets, seconds }] of all) {
    const labels = Object.entries(labelsOf(route))
      .map(([label, value]) => `${label}="${escapeLabel(value)}"`)
      .join(',');
    let below = 0;
    for (const [at, bound] of [...bounds, '+Inf'].entries()) {
      below += buckets[at] ?? 0;
      lines.push(`${name}_bucket{${labels},le="${bound}"} ${below}`);
    }
    lines.push(`${name}_sum{${labels}} ${seconds}`, `${name}_count{${labels}} ${below}`);
  }
  return `${lines.join('\n')}\n`;
}

function escapeLabel(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"');
}
