/** Every kind that Netloom defines or brings along, in the order in which they are documented and installed. */
import type { KindDefinition } from './kind.ts';
import { adminNetworkPolicyKind } from './kinds/adminnetworkpolicy.ts';
import { albKind } from './kinds/alb.ts';
import { alb2Kind } from './kinds/alb2.ts';
import { backendPolicyKind } from './kinds/backendpolicy.ts';
import { backendTLSPolicyKind } from './kinds/backendtlspolicy.ts';
import { baselineAdminNetworkPolicyKind } from './kinds/baselineadminnetworkpolicy.ts';
import { bfdProfileKind } from './kinds/bfdprofile.ts';
import { bgpAdvertisementKind } from './kinds/bgpadvertisement.ts';
import { bgpNeighborKind } from './kinds/bgpneighbor.ts';
import { bgpPeerKind } from './kinds/bgppeer.ts';
import { blockClaimKind } from './kinds/blockclaim.ts';
import { clusterNetworkPolicyKind } from './kinds/clusternetworkpolicy.ts';
import { communityKind } from './kinds/community.ts';
import { configurationStateKind } from './kinds/configurationstate.ts';
import { frontendKind } from './kinds/frontend.ts';
import { gatewayKind } from './kinds/gateway.ts';
import { gatewayClassKind } from './kinds/gatewayclass.ts';
import { grpcRouteKind } from './kinds/grpcroute.ts';
import { hostnameGrantKind } from './kinds/hostnamegrant.ts';
import { httpRouteKind } from './kinds/httproute.ts';
import { ipAddressPoolKind } from './kinds/ipaddresspool.ts';
import { ipPoolKind } from './kinds/ippool.ts';
import { l2AdvertisementKind } from './kinds/l2advertisement.ts';
import { listenerSetKind } from './kinds/listenerset.ts';
import { qosPolicyKind } from './kinds/qospolicy.ts';
import { referenceGrantKind } from './kinds/referencegrant.ts';
import { ruleKind } from './kinds/rule.ts';
import { serviceBGPStatusKind } from './kinds/servicebgpstatus.ts';
import { serviceL2StatusKind } from './kinds/servicel2status.ts';
import { subnetKind } from './kinds/subnet.ts';
import { tcpRouteKind } from './kinds/tcproute.ts';
import { tlsRouteKind } from './kinds/tlsroute.ts';
import { trafficPolicyKind } from './kinds/trafficpolicy.ts';
import { udpRouteKind } from './kinds/udproute.ts';
import { wafPolicyKind } from './kinds/wafpolicy.ts';

export const kinds: readonly KindDefinition[] = [
  subnetKind,
  ipPoolKind,
  blockClaimKind,
  qosPolicyKind,
  bgpNeighborKind,
  clusterNetworkPolicyKind,
  adminNetworkPolicyKind,
  baselineAdminNetworkPolicyKind,
  ipAddressPoolKind,
  l2AdvertisementKind,
  bgpAdvertisementKind,
  bgpPeerKind,
  bfdProfileKind,
  communityKind,
  serviceL2StatusKind,
  serviceBGPStatusKind,
  configurationStateKind,
  gatewayClassKind,
  gatewayKind,
  listenerSetKind,
  httpRouteKind,
  grpcRouteKind,
  tlsRouteKind,
  tcpRouteKind,
  udpRouteKind,
  referenceGrantKind,
  backendTLSPolicyKind,
  wafPolicyKind,
  albKind,
  trafficPolicyKind,
  backendPolicyKind,
  alb2Kind,
  frontendKind,
  ruleKind,
  hostnameGrantKind,
];
