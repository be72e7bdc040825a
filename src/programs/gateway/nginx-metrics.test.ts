/** What nginx counts as Prometheus reads it. */
import { expect, test } from 'vitest';
import { printNginxMetrics } from './nginx-metrics.ts';

const quiet = {
  backends: [],
  unlogged: 0,
  refusals: ['access', 'rate'],
  limits: { evicted: 0, refused: 0 },
};
const connections = { active: 3, reading: 0, writing: 1, waiting: 2, accepted: 7 };

test('requests by route and class, durations by route, all listeners together', () => {
  const text = printNginxMetrics({
    ...quiet,
    connections,
    bounds: [0.1, 1],
    routes: [
      {
        route: 'HTTPRoute/x/web',
        listener: 'a',
        codes: [0, 5, 0, 1, 0],
        durations: [4, 1, 1],
        refused: [0, 1],
        seconds: 3.5,
      },
      {
        route: 'HTTPRoute/x/web',
        listener: 'b',
        codes: [0, 2, 0, 0, 0],
        durations: [2, 0, 0],
        refused: [0, 2],
        seconds: 0.5,
      },
      { route: '', listener: 'a', codes: [0, 0, 0, 9, 0], durations: [9, 0, 0], refused: [0, 0], seconds: 0 },
      {
        route: 'other',
        listener: 'a',
        codes: [0, 1, 0, 0, 0],
        durations: [1, 0, 0],
        refused: [0, 0],
        seconds: 0,
      },
    ],
    streams: [],
  });
  const web = 'namespace="x",kind="HTTPRoute",route="web"';
  for (const line of [
    'netloom_gateway_nginx_connections{state="waiting"} 2',
    'netloom_gateway_nginx_accepted_total 7',
    `netloom_gateway_requests_total{${web},code="2xx"} 7`,
    `netloom_gateway_requests_total{${web},code="4xx"} 1`,
    'netloom_gateway_requests_total{namespace="",kind="",route="",code="4xx"} 9',
    'netloom_gateway_requests_total{namespace="",kind="",route="other",code="2xx"} 1',
    `netloom_gateway_refused_requests_total{${web},reason="rate"} 3`,
    `netloom_gateway_request_seconds_bucket{${web},le="0.1"} 6`,
    `netloom_gateway_request_seconds_bucket{${web},le="1"} 7`,
    `netloom_gateway_request_seconds_bucket{${web},le="+Inf"} 8`,
    `netloom_gateway_request_seconds_sum{${web}} 4`,
    `netloom_gateway_request_seconds_count{${web}} 8`,
  ]) {
    expect(text.split('\n')).toContain(line);
  }
  expect(text).not.toContain('code="5xx"');
});

test('endpoints that are left out, by Service', () => {
  const text = printNginxMetrics({
    ...quiet,
    connections,
    bounds: [],
    routes: [],
    streams: [],
    backends: [{ backend: 'shop/web:80/http', ejections: 3, out: 1 }],
    unlogged: 2,
  });
  for (const line of [
    'netloom_gateway_ejections_total{namespace="shop",service="web:80/http"} 3',
    'netloom_gateway_ejected_endpoints{namespace="shop",service="web:80/http"} 1',
    'netloom_gateway_unlogged_total 2',
  ])
    expect(text.split('\n')).toContain(line);
});

test('a name can not end its label', () => {
  const route = 'HTTPRoute/x/a"} 1\nforged{b="';
  const text = printNginxMetrics({
    ...quiet,
    connections,
    bounds: [],
    routes: [{ route, listener: '', codes: [0, 1, 0, 0, 0], durations: [1], refused: [], seconds: 0 }],
    streams: [{ route, served: 1, failed: 0, refused: 0, received: 0, sent: 0 }],
  });
  expect(text).not.toMatch(/^forged/m);
});

test('connections by route are told beside requests', () => {
  const text = printNginxMetrics({
    ...quiet,
    connections,
    bounds: [1],
    routes: [],
    streams: [
      { route: 'TLSRoute/shop/db', served: 5, failed: 1, refused: 0, received: 10, sent: 20 },
      { route: '', served: 0, failed: 0, refused: 3, received: 0, sent: 0 },
    ],
  });
  for (const line of [
    'netloom_gateway_connections_total{namespace="shop",kind="TLSRoute",route="db",result="served"} 5',
    'netloom_gateway_connections_total{namespace="shop",kind="TLSRoute",route="db",result="failed"} 1',
    'netloom_gateway_connections_total{namespace="",kind="",route="",result="refused"} 3',
    'netloom_gateway_connection_bytes_total{namespace="shop",kind="TLSRoute",route="db",direction="sent"} 20',
  ])
    expect(text.split('\n')).toContain(line);
});
