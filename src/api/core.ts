/** The upstream kinds that Netloom reads, cut to the fields that it reads. */
import type { KubeObject, ObjectMeta, ResourceType } from './object.ts';

const core = (kind: string, plural: string, namespaced: boolean): ResourceType => ({
  group: '',
  version: 'v1',
  kind,
  plural,
  namespaced,
});

export const nodeType: ResourceType = core('Node', 'nodes', false);
export const namespaceType: ResourceType = core('Namespace', 'namespaces', false);
export const podType: ResourceType = core('Pod', 'pods', true);
export const serviceType: ResourceType = core('Service', 'services', true);
export const secretType: ResourceType = core('Secret', 'secrets', true);
export const endpointSliceType: ResourceType = {
  group: 'discovery.k8s.io',
  version: 'v1',
  kind: 'EndpointSlice',
  plural: 'endpointslices',
  namespaced: true,
};
export const ingressType: ResourceType = {
  group: 'networking.k8s.io',
  version: 'v1',
  kind: 'Ingress',
  plural: 'ingresses',
  namespaced: true,
};

export const ingressClassType: ResourceType = {
  group: 'networking.k8s.io',
  version: 'v1',
  kind: 'IngressClass',
  plural: 'ingressclasses',
  namespaced: false,
};

export const statefulSetType: ResourceType = {
  group: 'apps',
  version: 'v1',
  kind: 'StatefulSet',
  plural: 'statefulsets',
  namespaced: true,
};
export const leaseType: ResourceType = {
  group: 'coordination.k8s.io',
  version: 'v1',
  kind: 'Lease',
  plural: 'leases',
  namespaced: true,
};

export type Node = KubeObject & {
  readonly metadata: ObjectMeta;
  readonly spec?: { readonly taints?: readonly { readonly key: string }[] };
  readonly status?: {
    readonly addresses?: readonly { readonly type: string; readonly address: string }[];
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  };
};

/** Only ever read for a value that another object refers to. */
export type Secret = KubeObject & {
  readonly metadata: ObjectMeta;
  readonly type?: string;
  /** Values in base64. */
  readonly data?: Readonly<Record<string, string>>;
};

export type Namespace = KubeObject & { readonly metadata: ObjectMeta };
