/** What may be said of an instance: by an ALB, or by keys of the ConfigMap that a Gateway's `infrastructure.parametersRef` names; pure. */
import type { ALBModel } from '#model/gateway/policy-types.ts';
import type { GatewayModel, ObjectReference } from '#model/gateway/types.ts';
import { nodeAddressClass } from './node-addresses.ts';

export type InstanceParameters = {
  /** Absent: left to whoever scales the Deployment; one at first. */
  readonly replicas?: number;
  readonly externalTrafficPolicy: 'Local' | 'Cluster';
  readonly serviceType: 'LoadBalancer' | 'NodePort' | 'ClusterIP';
  readonly loadBalancerClass?: string;
  /** Its addresses are those of the nodes that its pods are on. */
  readonly onNodes?: true;
  /** Of the Service. */
  readonly annotations?: Readonly<Record<string, string>>;
  /** Of the container nginx. */
  readonly resources?: object;
  readonly nodeSelector?: Readonly<Record<string, string>>;
  readonly tolerations?: readonly object[];
};

export type ReadParameters =
  | { readonly value: InstanceParameters }
  /** One sentence. */
  | { readonly wrong: string };

export const defaultParameters: InstanceParameters = {
  externalTrafficPolicy: 'Local',
  serviceType: 'LoadBalancer',
};

export function albParameters({ instance }: Pick<ALBModel, 'instance'>): InstanceParameters {
  const { network, replicas, resources, nodeSelector, tolerations, annotations } = instance;
  const onNodes = network === 'HostNetwork';
  const loadBalancerClass = onNodes ? nodeAddressClass : instance.loadBalancerClass;
  const balanced = onNodes || network === 'LoadBalancer';
  return {
    ...(replicas === undefined ? {} : { replicas }),
    // A node that has no pod answers nobody who comes to its own address.
    externalTrafficPolicy: onNodes ? 'Local' : instance.externalTrafficPolicy,
    serviceType: onNodes ? 'LoadBalancer' : network,
    ...(balanced && loadBalancerClass !== undefined ? { loadBalancerClass } : {}),
    ...(onNodes ? { onNodes } : {}),
    annotations,
    ...(resources === undefined ? {} : { resources }),
    nodeSelector,
    tolerations,
  };
}

const mostReplicas = 100;

/** The ConfigMap that is referred to, as `namespace/name`; or what is wrong with the reference. */
export function parametersKey({
  namespace,
  infrastructure: { parameters },
}: Pick<GatewayModel, 'namespace' | 'infrastructure'>): string | undefined | { readonly wrong: string } {
  if (parameters === undefined) return undefined;
  if (!isConfigMap(parameters) || parameters.namespace !== namespace)
    return {
      wrong: `spec.infrastructure.parametersRef: ${parameters.group}/${parameters.kind} is not what it can be: a ConfigMap (group "") with ${keys}`,
    };
  return `${namespace}/${parameters.name}`;
}

/** `data` undefined: there is no such ConfigMap. */
export function readParameters(
  key: string,
  data: Readonly<Record<string, string>> | undefined,
): ReadParameters {
  if (data === undefined) return { wrong: `there is no ConfigMap ${key}` };
  const { replicas, externalTrafficPolicy = 'Local', serviceType = 'LoadBalancer', ...rest } = data;
  const wrong = (field: string, what: string) => ({ wrong: `ConfigMap ${key}, ${field}: ${what}` });
  const [stranger] = Object.keys(rest).sort();
  if (stranger !== undefined) return wrong(stranger, `is none of ${keys}`);
  if (externalTrafficPolicy !== 'Local' && externalTrafficPolicy !== 'Cluster')
    return wrong('externalTrafficPolicy', `${JSON.stringify(externalTrafficPolicy)} is not Local or Cluster`);
  if (serviceType !== 'LoadBalancer' && serviceType !== 'NodePort' && serviceType !== 'ClusterIP')
    return wrong('serviceType', `${JSON.stringify(serviceType)} is not LoadBalancer, NodePort or ClusterIP`);
  if (replicas === undefined) return { value: { externalTrafficPolicy, serviceType } };
  if (!/^[1-9]\d{0,2}$/.test(replicas) || Number(replicas) > mostReplicas)
    return wrong('replicas', `${JSON.stringify(replicas)} is no number from 1 to ${mostReplicas}`);
  return { value: { replicas: Number(replicas), externalTrafficPolicy, serviceType } };
}

const keys = 'replicas, externalTrafficPolicy and serviceType';

function isConfigMap({ group, kind }: ObjectReference): boolean {
  return group === '' && kind === 'ConfigMap';
}
