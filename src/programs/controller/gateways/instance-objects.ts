/** The objects that an instance of the gateway consists of; pure. Its pods are in instance-pods.ts. */
import { createHash } from 'node:crypto';
import { secretType, serviceType } from '#api/core.ts';
import { gatewayGroup } from '#api/kinds/gatewayparts.ts';
import { apiVersionOf, type KubeObject, type ResourceType } from '#api/object.ts';
import type { GatewayPortIntent } from '#intent/gateway.ts';
import type { GatewayModel } from '#model/gateway/types.ts';
import { loadBalancerAnnotations } from '#model/loadbalancerservice.ts';
import { podTemplate } from './instance-pods.ts';
import { deploymentType, disruptionBudgetType, serviceAccountType } from './kinds.ts';
import { instanceLabels, instanceNames, instancePodLabels } from './names.ts';
import type { InstanceParameters } from './parameters.ts';
import { servicePorts } from './slots.ts';

export type InstanceSpec = {
  readonly gateway: GatewayModel;
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
  const { gateway, parameters, key } = spec;
  const names = instanceNames(gateway);
  const matchLabels = instancePodLabels(gateway);
  const made = (type: ResourceType, name: string, rest: object, annotations: Annotations = {}) =>
    instanceObject(gateway, type, name, rest, annotations);
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

function service({ gateway, parameters, ports }: InstanceSpec, name: string): InstanceObject {
  const { serviceType: type, externalTrafficPolicy } = parameters;
  const wished = gateway.addresses.flatMap(({ type: kind, value }) =>
    kind === 'IPAddress' && value !== undefined && value !== '' ? [value] : [],
  );
  // Pods that end take requests until they say that they don't: instance-pods.ts.
  const whileServing = { [loadBalancerAnnotations.while]: 'serving' };
  const annotations: Annotations =
    type === 'LoadBalancer' && wished.length > 0
      ? { ...whileServing, [loadBalancerAnnotations.addresses]: wished.join(',') }
      : whileServing;
  const spec = {
    type,
    selector: instancePodLabels(gateway),
    ipFamilyPolicy: 'PreferDualStack',
    ...(type === 'ClusterIP' ? {} : { externalTrafficPolicy }),
    ...(type === 'LoadBalancer' ? { allocateLoadBalancerNodePorts: false } : {}),
    ports: servicePorts(ports),
  };
  return instanceObject(gateway, serviceType, name, { spec }, annotations);
}

/** Labels and annotations of the Gateway's infrastructure are on all; ours stand against those of the same name. */
function instanceObject(
  gateway: GatewayModel,
  type: ResourceType,
  name: string,
  rest: object,
  annotations: Annotations,
): InstanceObject {
  const { infrastructure } = gateway;
  const object: KubeObject = {
    apiVersion: apiVersionOf(type),
    kind: type.kind,
    metadata: {
      name,
      namespace: gateway.namespace,
      labels: { ...infrastructure.labels, ...instanceLabels(gateway) },
      annotations: { ...infrastructure.annotations, ...annotations },
      ownerReferences: [
        {
          apiVersion: `${gatewayGroup}/v1`,
          kind: 'Gateway',
          name: gateway.name,
          uid: gateway.uid,
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
