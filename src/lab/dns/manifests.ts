/** The cluster DNS as objects: a Deployment behind the Service `kube-dns`, as every cluster has it. */
import { isIPv6 } from 'node:net';
import type { KubeObject } from '#api/object.ts';

export type DnsOptions = {
  /** Cluster addresses of the Service, at most one a family. */
  readonly addresses: readonly string[];
  readonly domain: string;
  /** Default 1. */
  readonly replicas?: number;
};

const namespace = 'kube-system';
const name = 'cluster-dns';
const labels = { 'k8s-app': 'kube-dns' };

/** In the order in which they are applied. */
export function dnsManifests({ addresses, domain, replicas = 1 }: DnsOptions): readonly KubeObject[] {
  const rbac = 'rbac.authorization.k8s.io';
  const metadata = { name, namespace, labels };
  const watch = ['get', 'list', 'watch'];
  return [
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata },
    {
      apiVersion: `${rbac}/v1`,
      kind: 'ClusterRole',
      metadata: { name, labels },
      rules: [
        { apiGroups: [''], resources: ['services', 'pods'], verbs: watch },
        { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: watch },
      ],
    },
    {
      apiVersion: `${rbac}/v1`,
      kind: 'ClusterRoleBinding',
      metadata: { name, labels },
      roleRef: { apiGroup: rbac, kind: 'ClusterRole', name },
      subjects: [{ kind: 'ServiceAccount', name, namespace }],
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'kube-dns', namespace, labels },
      spec: {
        selector: labels,
        clusterIP: addresses[0],
        clusterIPs: addresses,
        ipFamilies: addresses.map((address) => (isIPv6(address) ? 'IPv6' : 'IPv4')),
        ipFamilyPolicy: addresses.length > 1 ? 'RequireDualStack' : 'SingleStack',
        ports: [
          { name: 'dns', protocol: 'UDP', port: 53, targetPort: 53 },
          { name: 'dns-tcp', protocol: 'TCP', port: 53, targetPort: 53 },
        ],
      },
    },
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata,
      spec: {
        replicas,
        selector: { matchLabels: labels },
        strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
        template: { metadata: { labels }, spec: podSpec(domain) },
      },
    },
  ];
}

function podSpec(domain: string): object {
  return {
    serviceAccountName: name,
    // Its own upstream is the node's resolver.
    dnsPolicy: 'Default',
    terminationGracePeriodSeconds: 2,
    containers: [
      {
        name: 'dns',
        image: 'netloom/dns',
        env: [{ name: 'CLUSTER_DOMAIN', value: domain }],
        ports: [
          { name: 'dns', protocol: 'UDP', containerPort: 53 },
          { name: 'dns-tcp', protocol: 'TCP', containerPort: 53 },
        ],
        // unbound listens only once it has the records.
        readinessProbe: { tcpSocket: { port: 53 }, periodSeconds: 1 },
      },
    ],
  };
}
