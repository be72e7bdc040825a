/** All annotations of ingress-nginx, by name: what its documentation of v1.15 has, and what it had before. */
import type { AnnotationRow } from '../annotations.ts';
import { accessRows } from './access.ts';
import { corsRows } from './cors.ts';
import { endpointRows } from './endpoints.ts';
import { firewallRows } from './firewall.ts';
import { proxyingRows } from './proxying.ts';
import { routingRows } from './routing.ts';
import { tlsRows } from './tls.ts';

export const nginxPrefix = 'nginx.ingress.kubernetes.io/';

/** Gone from ingress-nginx; objects may still have them. */
export const goneRows: readonly AnnotationRow[] = [
  ...[
    'global-rate-limit',
    'global-rate-limit-window',
    'global-rate-limit-key',
    'global-rate-limit-ignored-cidrs',
  ].map(
    (name): AnnotationRow => ({
      name,
      state: 'refused',
      text: 'Gone from ingress-nginx; use `limit-rps`, or a TrafficPolicy.',
    }),
  ),
  ...[
    'enable-influxdb',
    'influxdb-measurement',
    'influxdb-port',
    'influxdb-host',
    'influxdb-server-name',
  ].map(
    (name): AnnotationRow => ({
      name,
      state: 'refused',
      text: 'Gone from ingress-nginx; see the metrics of the gateway.',
    }),
  ),
  { name: 'secure-backends', state: 'refused', text: 'Gone from ingress-nginx; use `backend-protocol`.' },
];

export const nginxRows: readonly AnnotationRow[] = [
  ...routingRows,
  ...accessRows,
  ...proxyingRows,
  ...corsRows,
  ...endpointRows,
  ...tlsRows,
  ...firewallRows,
  ...goneRows,
].toSorted((a, b) => (a.name < b.name ? -1 : 1));
