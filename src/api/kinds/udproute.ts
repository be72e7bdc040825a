/** UDPRoute, of Gateway API: datagrams of a UDP listener to Services. */
import type { ObjectOf } from '../kind.ts';
import { connectionRoute, connectionSpec, oldConnectionRoute } from './gatewayroutes.ts';

export const udpRouteKind = {
  ...connectionRoute,
  olderVersions: [oldConnectionRoute('UDPRoute', 'v1alpha2')],
  kind: 'UDPRoute',
  plural: 'udproutes',
  singular: 'udproute',
  summary: 'Sends the datagrams of UDP listeners to Services; those of one client port go to one pod.',
  spec: connectionSpec({}),
} as const;

export type UDPRoute = ObjectOf<typeof udpRouteKind>;
