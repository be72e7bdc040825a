/** Pools, advertisements, pods and Services of the chaos run; pure. */
import type { KubeObject } from '#api/object.ts';
import { routerPeers } from '#lab/router.ts';

export const nodes = ['node1', 'node2', 'node3', 'node4'] as const;
export const apps = ['wide', 'narrow', 'lonely'] as const;
export type App = (typeof apps)[number];
export type PoolName = 'segment' | 'fabric';

/** Where the pods of an app run: everywhere, on two nodes, on one. */
export const placesOf: Readonly<Record<App, readonly string[]>> = {
  wide: nodes,
  narrow: ['node1', 'node3'],
  lonely: ['node2'],
};

export type ServiceWish = {
  readonly name: string;
  readonly pool: PoolName;
  readonly app: App;
  readonly local: boolean;
  /** Of Services that may have one address. */
  readonly shared?: string;
  readonly port: number;
};

/** Each pool has a part that comes and goes. */
export const ranges: Readonly<
  Record<PoolName, readonly [fixed: readonly string[], loose: readonly string[]]>
> = {
  segment: [['192.168.66.210-192.168.66.219', 'fd66::a0-fd66::af'], ['192.168.66.220-192.168.66.223']],
  fabric: [['198.51.100.0/28', '2001:db8:77::/124'], ['198.51.100.32/29']],
};

export function pool(name: PoolName, isWide: boolean): KubeObject {
  const [fixed, loose] = ranges[name];
  return metallb('IPAddressPool', name, {
    addresses: isWide ? [...fixed, ...loose] : fixed,
    autoAssign: false,
  });
}

const metallb = (kind: string, name: string, spec: object): KubeObject => ({
  apiVersion: 'metallb.io/v1beta1',
  kind,
  metadata: { name, namespace: 'metallb-system' },
  spec,
});

export const ground: readonly KubeObject[] = [
  { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'metallb-system' } },
  metallb('L2Advertisement', 'segment', { ipAddressPools: ['segment'] }),
  metallb('BGPAdvertisement', 'fabric', { ipAddressPools: ['fabric'], communities: ['65000:100'] }),
  metallb('BFDProfile', 'fast', { receiveInterval: 200, transmitInterval: 200, detectMultiplier: 3 }),
  ...routerPeers('dual', { bfdProfile: 'fast' }),
];

export function echo(app: App, node: string): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: `${app}-${node}`, namespace: 'default', labels: { app } },
    spec: {
      nodeName: node,
      terminationGracePeriodSeconds: 0,
      tolerations: [{ operator: 'Exists' }],
      containers: [{ name: 'main', image: 'netloom/echo' }],
    },
  } as KubeObject;
}

export function balanced({ name, pool: from, app, local, shared, port }: ServiceWish): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      name,
      namespace: 'default',
      annotations: {
        'metallb.io/address-pool': from,
        ...(shared === undefined ? {} : { 'metallb.io/allow-shared-ip': shared }),
      },
    },
    spec: {
      type: 'LoadBalancer',
      externalTrafficPolicy: local ? 'Local' : 'Cluster',
      ipFamilyPolicy: 'PreferDualStack',
      selector: { app },
      ports: [{ port, targetPort: 8080 }],
    },
  } as KubeObject;
}
