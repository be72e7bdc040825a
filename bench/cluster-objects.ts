/** Objects of other nodes for a lab with few real ones: nodes, their blocks, Services and the endpoints behind them; pure. */
import { group, version } from '#api/kind.ts';
import type { KubeObject } from '#api/object.ts';
import { blockName } from '#compile/ipam/blocks.ts';

export const podsPerNode = 30;
export const endpointsPerService = 3;

type Numbered = (index: number) => KubeObject;

/** Node `remote-N`, that no kubelet stands behind. */
export const remoteNode: Numbered = (index) => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name: `remote-${index}` },
  spec: { taints: [{ key: 'netloom.dev/bench', effect: 'NoSchedule' }] },
  status: { addresses: [{ type: 'InternalIP', address: nodeAddress(index) }] },
});

export function remoteClaim(index: number, nodeUID: string): KubeObject {
  const cidr = `10.244.${index}.0/26`;
  return {
    apiVersion: `${group}/${version}`,
    kind: 'BlockClaim',
    metadata: { name: blockName(cidr) ?? '' },
    spec: { cidr, subnet: 'default', node: `remote-${index}`, nodeUID },
  };
}

export const remoteService: Numbered = (index) => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: `service-${index}`, namespace: 'default' },
  spec: {
    ports: [{ name: 'http', port: 80, targetPort: 8080, protocol: 'TCP' }],
    ipFamilyPolicy: 'SingleStack',
  },
});

/** `turn`: a change of it changes the endpoints' port, so that each turn is news. */
export function remoteSlice(index: number, turn = 0): KubeObject {
  const endpoints = Array.from({ length: endpointsPerService }, (_, slot) => {
    const pod = index * endpointsPerService + slot;
    const node = Math.floor(pod / podsPerNode);
    return {
      addresses: [`10.244.${node}.${2 + (pod % podsPerNode)}`],
      conditions: { ready: true, serving: true, terminating: false },
      nodeName: `remote-${node}`,
      targetRef: { kind: 'Pod', namespace: 'default', name: `pod-${pod}` },
    };
  });
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name: `service-${index}-1`,
      namespace: 'default',
      labels: {
        'kubernetes.io/service-name': `service-${index}`,
        'endpointslice.kubernetes.io/managed-by': 'netloom-bench',
      },
    },
    addressType: 'IPv4',
    endpoints,
    ports: [{ name: 'http', port: 8080 + turn, protocol: 'TCP' }],
  } as KubeObject;
}

function nodeAddress(index: number): string {
  return `192.168.${100 + Math.floor(index / 200)}.${1 + (index % 200)}`;
}
