/** A cluster under policy, as objects: namespaces of ten policies and a hundred pods each, and what an administrator writes; pure. */
import type { KubeObject } from '#api/object.ts';
import type { AdminNetworkPolicy, BaselineAdminNetworkPolicy, NetworkPolicy } from '#api/policies.ts';

export const policiesPerNamespace = 10;
export const podsPerNamespace = 100;
export const localPods = 100;
const apps = 10;
const teams = 20;

/** Where pods of other nodes have their addresses: room for a quarter of a million. */
export const remoteCidr = '10.128.0.0/14';
/** What each pod serves, by TCP and UDP. */
export const servedPort = 7000;

/** Pods are numbered: a hundred of a namespace, then the next one's; every tenth is of the same app. */
export type PodNumber = number;

export type PolicyCluster = {
  readonly namespaces: readonly KubeObject[];
  readonly policies: readonly NetworkPolicy[];
  readonly adminPolicies: readonly AdminNetworkPolicy[];
  readonly baselinePolicies: readonly BaselineAdminNetworkPolicy[];
  readonly pods: number;
  nameOf(pod: PodNumber): string;
  /** `namespace/name`. */
  keyOf(pod: PodNumber): string;
  object(pod: PodNumber, place: PodPlace): KubeObject;
  /** The pods of the node that is measured: two or more of each of up to fifty namespaces, of apps that follow each other. */
  readonly local: readonly PodNumber[];
};

export type PodPlace = {
  readonly node: string;
  readonly address: string;
  /** The app that it is labelled as; default: the one of its number. */
  readonly app?: number;
};

/** `label` stands in the names of pods, so that several clusters' can be on one machine. */
export function policyCluster(policies: number, label: string): PolicyCluster {
  const nameOf = (pod: PodNumber) => `${label}-${pod}`;
  const count = policies / policiesPerNamespace;
  const spaces = Math.min(count, localPods / 2);
  const share = localPods / spaces;
  return {
    namespaces: [
      ...Array.from({ length: count }, (_, index) => namespace(namespaceName(index), index)),
      namespace('kube-system', 0),
      namespace('monitoring', 1),
    ],
    policies: Array.from({ length: count }, (_, index) => policiesOf(index)).flat(),
    adminPolicies: [adminPolicy('no-metadata', 1, noMetadata), adminPolicy('monitoring', 2, fromMonitoring)],
    baselinePolicies: [baseline],
    pods: count * podsPerNamespace,
    nameOf,
    keyOf: (pod) => `${namespaceOf(pod)}/${nameOf(pod)}`,
    object: (pod, place) => podObject(pod, nameOf(pod), place),
    local: Array.from({ length: spaces }, (_, space) =>
      Array.from({ length: share }, (__, slot) => space * podsPerNamespace + ((space + slot) % apps)),
    ).flat(),
  };
}

export function namespaceOf(pod: PodNumber): string {
  return namespaceName(Math.floor(pod / podsPerNamespace));
}

function podObject(pod: PodNumber, name: string, { node, address, app = pod % apps }: PodPlace): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: namespaceOf(pod),
      uid: name,
      labels: { app: `app-${app}`, 'pod-template-hash': `${pod % 7}` },
    },
    spec: {
      nodeName: node,
      containers: [
        {
          name: 'main',
          image: 'registry.example/app:1',
          ports: [
            { name: 'http', containerPort: servedPort, protocol: 'TCP' },
            { name: 'metrics', containerPort: 9090, protocol: 'TCP' },
          ],
        },
      ],
    },
    status: { phase: 'Running', podIP: address, podIPs: [{ ip: address }] },
  };
}

/** Of a pod of another node. */
export function remoteAddress(pod: PodNumber): string {
  const number = pod + 256;
  return `10.${128 + (number >> 16)}.${(number >> 8) & 255}.${number & 255}`;
}

export function remoteNode(pod: PodNumber): string {
  return `remote-${Math.floor(pod / localPods)}`;
}

/** An app that takes connections from the one before and opens some to the one behind. */
export const chainApps = { first: 1, last: 5 } as const;

function namespaceName(index: number): string {
  return `space-${index}`;
}

function namespace(name: string, index: number): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name, uid: name, labels: { team: `team-${index % teams}` } },
  };
}

function policiesOf(index: number): NetworkPolicy[] {
  const name = namespaceName(index);
  const policy = (called: string, spec: NonNullable<NetworkPolicy['spec']>): NetworkPolicy => ({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name: called, namespace: name, uid: `${name}-${called}` },
    spec,
  });
  const app = (number: number) => ({ matchLabels: { app: `app-${number}` } });
  const served = (['TCP', 'UDP'] as const).map((protocol) => ({ protocol, port: servedPort }));
  const inside = (space: string) => ({ matchLabels: { 'kubernetes.io/metadata.name': space } });
  const chained = Array.from({ length: chainApps.last - chainApps.first + 1 }, (_, step) => {
    const number = chainApps.first + step;
    return policy(`app-${number}`, {
      podSelector: app(number),
      policyTypes: ['Ingress', 'Egress'],
      ingress: [{ from: [{ podSelector: app(number - 1) }], ports: served }],
      egress: [{ to: [{ podSelector: app(number + 1) }], ports: served }],
    });
  });
  return [
    policy('default-deny', { podSelector: {}, policyTypes: ['Ingress', 'Egress'] }),
    policy('dns', {
      podSelector: {},
      policyTypes: ['Egress'],
      egress: [
        {
          to: [
            {
              namespaceSelector: inside('kube-system'),
              podSelector: { matchLabels: { 'k8s-app': 'kube-dns' } },
            },
          ],
          ports: (['UDP', 'TCP'] as const).map((protocol) => ({ protocol, port: 53 })),
        },
      ],
    }),
    policy('metrics', {
      podSelector: {},
      policyTypes: ['Ingress'],
      ingress: [
        {
          from: [{ namespaceSelector: inside('monitoring') }],
          ports: [{ protocol: 'TCP', port: 'metrics' }],
        },
      ],
    }),
    ...chained,
    policy('edge', {
      podSelector: app(0),
      policyTypes: ['Ingress'],
      ingress: [
        {
          from: [{ ipBlock: { cidr: '0.0.0.0/0', except: ['10.0.0.0/8'] } }],
          ports: [{ protocol: 'TCP', port: 443 }],
        },
      ],
    }),
    policy('partner', {
      podSelector: app(9),
      policyTypes: ['Egress'],
      egress: [
        {
          to: [{ ipBlock: { cidr: `198.${18 + (index >> 8)}.${index & 255}.0/24` } }],
          ports: [{ protocol: 'TCP', port: 30_000, endPort: 32_767 }],
        },
      ],
    }),
  ];
}

type AdminSpec = AdminNetworkPolicy['spec'];

function adminPolicy(
  name: string,
  priority: number,
  rules: Pick<AdminSpec, 'ingress' | 'egress'>,
): AdminNetworkPolicy {
  return {
    apiVersion: 'policy.networking.k8s.io/v1alpha1',
    kind: 'AdminNetworkPolicy',
    metadata: { name, uid: name },
    spec: { priority, subject: { namespaces: {} }, ...rules },
  };
}

const noMetadata: Pick<AdminSpec, 'egress'> = {
  egress: [{ name: 'metadata', action: 'Deny', to: [{ networks: ['169.254.169.254/32'] }] }],
};

const fromMonitoring: Pick<AdminSpec, 'ingress'> = {
  ingress: [
    {
      name: 'probes',
      action: 'Allow',
      from: [{ namespaces: { matchLabels: { 'kubernetes.io/metadata.name': 'monitoring' } } }],
      ports: [{ portRange: { protocol: 'TCP', start: 9100, end: 9199 } }],
    },
  ],
};

const baseline: BaselineAdminNetworkPolicy = {
  apiVersion: 'policy.networking.k8s.io/v1alpha1',
  kind: 'BaselineAdminNetworkPolicy',
  metadata: { name: 'default', uid: 'default' },
  spec: {
    subject: { namespaces: {} },
    ingress: [{ name: 'nobody', action: 'Deny', from: [{ namespaces: {} }] }],
  },
};
