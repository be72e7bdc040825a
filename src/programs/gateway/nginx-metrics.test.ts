import { expect, test } from 'vitest';
import { printNginxMetrics } from './nginx-metrics.ts';

test('connections by route are told beside requests', () => {
  const text = printNginxMetrics({
    connections: { active: 1, reading: 0, writing: 0, waiting: 0, accepted: 7 },
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
