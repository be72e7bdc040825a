/** The objects that an instance of the gateway consists of; pure. Its pods are in instance-pods.ts. */
import { createHash } from 'node:crypto';
import { secretType, serviceType } from '#api/core.ts';
import { apiVersionOf, type KubeObject, type ResourceType } from '#api/object.ts';
import type { GatewayPortIntent } from '#intent/gateway.ts';
import { loadBalancerAnnotations } from '#model/loadbalancerservice.ts';
import { podTemplate } from './instance-pods.ts';
import { deploymentType, disruptionBudgetType, serviceAccountType } from './kinds.ts';
import { instanceLabels, instanceNames, instancePodLabels } from './names.ts';
import type { InstanceOwner } from './owner.ts';
import type { InstanceParameters } from './parameters.ts';
import { servicePorts } from './slots.ts';

export type InstanceSpec = {
  readonly owner: InstanceOwner;
  readonly parameters: InstanceParameters;
  readonly ports: Readonly<Record<string, GatewayPortIntent>>;
  /** 64 hexadecimal digits. */
  readonly key: string;
  readonly image: string;
};

export type InstanceObject = { readonly type: ResourceType; readonly object: KubeObject };

/** Tells which version of our wishes an object has: what they no longer say must go from it. */
const wishesAnnotation = 'netloom.dev/gateway-wishes';

/** In the order in which they are made. Without a port there is no Service, with one replica no PodDisruptionBudget. */
export function instanceObjects(spec: InstanceSpec): readonly InstanceObject[] {
  const { owner, parameters, key } = spec;
  const names = instanceNames(owner);
  const matchLabels = instancePodLabels(owner);
  const made = (type: ResourceType, name: string, rest: object, annotations: Annotations = {}) =>
    instanceObject(owner, type, name, rest, annotations);
  const { replicas = 1 } = parameters;
  return [
    made(serviceAccountType, names.name, { automountServiceAccountToken: false }),
    made(secretType, names.feed, {
      type: 'Opaque',
      data: { key: Buffer.from(key).toString('base64') },
    }),
    made(deploymentType, names.name, {
      spec: {
        ...(parameters.replicas === undefined ? {} : { replicas: parameters.replicas }),
        selector: { matchLabels },
        strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
        template: podTemplate(spec, names),
      },
    }),
    ...(replicas > 1
      ? [
          made(disruptionBudgetType, names.name, {
            spec: { maxUnavailable: 1, selector: { matchLabels } },
          }),
        ]
      : []),
    ...(Object.keys(spec.ports).length > 0 ? [service(spec, names.name)] : []),
  ];
}

type Annotations = Readonly<Record<string, string>>;

function service({ owner, parameters, ports }: InstanceSpec, name: string): InstanceObject {
  const { serviceType: type, externalTrafficPolicy, loadBalancerClass } = parameters;
  const wished = parameters.onNodes === true ? [] : owner.addresses;
  // Pods that end take requests until they say that they don't: instance-pods.ts.
  const whileServing = { [loadBalancerAnnotations.while]: 'serving' };
  const annotations: Annotations = {
    ...parameters.annotations,
    ...whileServing,
    ...(type === 'LoadBalancer' && wished.length > 0
      ? { [loadBalancerAnnotations.addresses]: wished.join(',') }
      : {}),
  };
  const spec = {
    type,
    selector: instancePodLabels(owner),
    ipFamilyPolicy: 'PreferDualStack',
    ...(type === 'ClusterIP' ? {} : { externalTrafficPolicy }),
    ...(type === 'LoadBalancer' ? { allocateLoadBalancerNodePorts: false } : {}),
    ...(loadBalancerClass === undefined ? {} : { loadBalancerClass }),
    ports: servicePorts(ports),
  };
  return instanceObject(owner, serviceType, name, { spec }, annotations);
}

/** Labels and annotations of the owner are on all; ours stand against those of the same name. */
function instanceObject(
  owner: InstanceOwner,
  type: ResourceType,
  name: string,
  rest: object,
  annotations: Annotations,
): InstanceObject {
  const object: KubeObject = {
    apiVersion: apiVersionOf(type),
    kind: type.kind,
    metadata: {
      name,
      namespace: owner.namespace,
      labels: { ...owner.labels, ...instanceLabels(owner) },
      annotations: { ...owner.annotations, ...annotations },
      ownerReferences: [
        {
          apiVersion: owner.apiVersion,
          kind: owner.kind,
          name: owner.name,
          uid: owner.uid,
          controller: true,
        },
      ],
    },
    ...rest,
  };
  const wishes = createHash('sha256').update(JSON.stringify(object)).digest('hex').slice(0, 16);
  const noted = { ...object.metadata.annotations, [wishesAnnotation]: wishes };
  return { type, object: { ...object, metadata: { ...object.metadata, annotations: noted } } };
}
