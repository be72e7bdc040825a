/** TCPRoute, of Gateway API: connections of a TCP listener to Services. */
import type { ObjectOf } from '../kind.ts';
import { connectionRoute, connectionSpec, oldConnectionRoute } from './gatewayroutes.ts';

export const tcpRouteKind = {
  ...connectionRoute,
  olderVersions: [oldConnectionRoute('TCPRoute', 'v1alpha2')],
  kind: 'TCPRoute',
  plural: 'tcproutes',
  singular: 'tcproute',
  summary: 'Sends the connections of TCP listeners to Services.',
  spec: connectionSpec({}),
} as const;

export type TCPRoute = ObjectOf<typeof tcpRouteKind>;
