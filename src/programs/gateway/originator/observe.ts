/** What is counted of the originator's connections. */
import type { Counter, Gauge, Histogram, Registry } from '#telemetry/metrics.ts';
import type { Outcome } from './connection.ts';

export type Observed = {
  outcome(policy: string, outcome: Outcome | 'refused'): void;
  /** Connections that are carried now. */
  readonly open: Pick<Gauge, 'set'>;
  readonly sockets: Pick<Gauge, 'set'>;
  readonly seconds: Histogram;
};

export function observeConnections(metrics: Registry): Observed {
  const outcomes: Counter = metrics.counter({
    name: 'netloom_gateway_tls_connections_total',
    help: 'Connections to backends by TLS, by policy and what became of them.',
    labels: ['policy', 'outcome'],
  });
  return {
    outcome: (policy, outcome) => outcomes.inc({ policy, outcome }),
    open: metrics.gauge({
      name: 'netloom_gateway_tls_open_connections',
      help: 'Connections to backends by TLS that are open.',
    }),
    sockets: metrics.gauge({
      name: 'netloom_gateway_tls_sockets',
      help: 'Endpoints that are spoken to by TLS, by identity.',
    }),
    seconds: metrics.histogram({
      name: 'netloom_gateway_tls_handshake_seconds',
      help: 'From the connection of nginx until the backend has proven itself.',
      buckets: [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10],
    }),
  };
}
