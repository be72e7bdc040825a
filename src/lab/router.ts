/** BGP on the lab's router: a top-of-rack switch that takes whichever node comes, of its AS or of another, as configuration of FRR's daemons. */
import type { KubeObject } from '#api/object.ts';
import {
  addressesOf,
  internetNetwork,
  ofFamily,
  routerAddresses,
  segmentsOf,
  type Topology,
  underlayOf,
} from './topology.ts';

/** The router's AS number; and the nodes' one, which its BGPNeighbors say. */
export const routerASN = 65_000;
export const nodesASN = 64_512;

/** Next hops of one route: all nodes that announce it. */
const maxPaths = 64;
/** The router would go so far, in milliseconds: what is agreed on is the slower of the two, which leaves it to the nodes. */
const bfdInterval = 100;
const bfdProfile = 'nodes';

/** By file name; programs/frr/run.sh runs them. BFD is there for whoever asks for it. */
export function routerFrr(topology: Topology): Readonly<Record<string, string>> {
  const { family } = topology;
  const [id = ''] = addressesOf('ipv4', 1);
  const ranges = segmentsOf(topology).flatMap((segment) => ofFamily(family, underlayOf(segment)));
  const internet = ofFamily(family, internetNetwork);
  const carry = (name: 'ipv4' | 'ipv6'): string[] => [
    ` address-family ${name} unicast`,
    ...internet
      .filter((prefix) => prefix.includes(':') === (name === 'ipv6'))
      .map((prefix) => `  network ${prefix}`),
    '  neighbor nodes activate',
    '  neighbor nodes default-originate',
    `  maximum-paths ${maxPaths}`,
    ' exit-address-family',
  ];
  const lines = [
    `router bgp ${routerASN}`,
    ` bgp router-id ${id}`,
    ' no bgp ebgp-requires-policy',
    ' no bgp default ipv4-unicast',
    ' no bgp network import-check',
    // Nodes of several AS may have one address, too.
    ' bgp bestpath as-path multipath-relax',
    ' bgp listen limit 1000',
    ' neighbor nodes peer-group',
    ' neighbor nodes remote-as auto',
    ` neighbor nodes bfd profile ${bfdProfile}`,
    ' neighbor nodes timers 3 9',
    ' neighbor nodes timers connect 1',
    ...ranges.map((range) => ` bgp listen range ${range} peer-group nodes`),
    ...carry('ipv4'),
    ...carry('ipv6'),
    'exit',
  ];
  const bfd = [
    'bfd',
    ` profile ${bfdProfile}`,
    `  receive-interval ${bfdInterval}`,
    `  transmit-interval ${bfdInterval}`,
    ' exit',
    'exit',
  ];
  return {
    'zebra.conf': '!\n',
    'bfdd.conf': `${bfd.join('\n')}\n`,
    'bgpd.conf': `${lines.join('\n')}\n`,
  };
}

/** The BGPNeighbors of a lab's nodes: the router of each segment, a session for each family. */
export function routerNeighbors(topology: Topology): readonly KubeObject[] {
  const segments = segmentsOf(topology);
  return segments.flatMap((segment) =>
    routerAddresses(topology.family, segment).map((address) => {
      const kind = address.includes(':') ? 'ipv6' : 'ipv4';
      const name = segments.length === 1 ? `router-${kind}` : `router-${segment + 1}-${kind}`;
      return {
        apiVersion: 'netloom.dev/v1alpha1',
        kind: 'BGPNeighbor',
        metadata: { name },
        spec: {
          address,
          asn: routerASN,
          localASN: nodesASN,
          holdTime: '9s',
          ...(segments.length === 1
            ? {}
            : { nodeSelector: { matchLabels: { [segmentLabel]: `${segment + 1}` } } }),
        },
      };
    }),
  );
}

/** The same as MetalLB's kind says it, in the namespace that MetalLB has; of the first segment. `more`: fields of the spec. */
export function routerPeers(family: Topology['family'], more: object = {}): readonly KubeObject[] {
  return routerAddresses(family).map((peerAddress) => ({
    apiVersion: 'metallb.io/v1beta2',
    kind: 'BGPPeer',
    metadata: {
      name: peerAddress.includes(':') ? 'router-ipv6' : 'router-ipv4',
      namespace: 'metallb-system',
    },
    spec: { myASN: nodesASN, peerASN: routerASN, peerAddress, holdTime: '9s', keepaliveTime: '3s', ...more },
  }));
}

/** Of a node in a lab of several segments: 1, 2 … */
export const segmentLabel = 'netloom.dev/segment';
