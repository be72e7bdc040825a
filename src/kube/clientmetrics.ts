/** The metrics of a client, by the names that Kubernetes dashboards look for. */
import type { Registry } from '#telemetry/metrics.ts';
import type { RequestAttempt } from './calls.ts';

/** For `ClientConfig.onRequest`. Code `<error>` stands for no answer, as in client-go. A watch counts when its head arrived. */
export function requestMetrics(registry: Registry, server: string): (attempt: RequestAttempt) => void {
  const { host } = new URL(server);
  const requests = registry.counter({
    name: 'rest_client_requests_total',
    help: 'Requests to the API server, every attempt.',
    labels: ['code', 'method', 'host'],
  });
  const seconds = registry.histogram({
    name: 'rest_client_request_duration_seconds',
    help: 'Time to the whole answer.',
    labels: ['verb', 'host'],
    buckets: [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60],
  });
  return (attempt) => {
    const code = attempt.code === 0 ? '<error>' : String(attempt.code);
    requests.inc({ code, method: attempt.method, host });
    seconds.observe(attempt.seconds, { verb: attempt.method, host });
  };
}
