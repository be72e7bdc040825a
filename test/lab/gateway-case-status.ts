/** The status of an object of Gateway API as it stands in a cluster, in the form in which the compile gives it; pure. */
import type { KubeObject } from '#api/object.ts';
import { controllerName, type GatewayCondition, type GatewayStatus } from '#compile/gateway/types.ts';

type Reference = {
  readonly kind?: string;
  readonly namespace?: string;
  readonly name: string;
  readonly sectionName?: string;
  readonly port?: number;
};
type Status = {
  readonly conditions?: readonly GatewayCondition[];
  readonly listeners?: readonly {
    readonly name: string;
    readonly attachedRoutes: number;
    readonly conditions: readonly GatewayCondition[];
  }[];
  readonly attachedListenerSets?: number;
  readonly parents?: readonly {
    readonly controllerName: string;
    readonly parentRef: Reference;
    readonly conditions: readonly GatewayCondition[];
  }[];
  readonly ancestors?: readonly {
    readonly controllerName: string;
    readonly ancestorRef: Reference;
    readonly conditions: readonly GatewayCondition[];
  }[];
};

/** `back`: the namespace as the case has it. Undefined: nothing is said by us. */
export function statusIn(object: KubeObject, back: (namespace: string) => string): GatewayStatus | undefined {
  const { kind, metadata } = object;
  const {
    conditions = [],
    listeners = [],
    attachedListenerSets,
    parents = [],
    ancestors = [],
  } = (object['status'] ?? {}) as Status;
  const own = metadata.namespace ?? '';
  const of = ({ namespace = own }: Reference) => back(namespace);
  const key = `${back(own)}/${metadata.name}`;
  // What an API server writes as the default of a status that nobody wrote.
  const said = conditions.filter(({ reason }) => reason !== 'Pending');
  switch (kind) {
    case 'GatewayClass':
      return said.length === 0 ? undefined : { kind, key, conditions: said, supportedFeatures: [] };
    case 'ALB':
      if (said.length === 0) return undefined;
      return { kind, key, conditions: said, listeners: [], gateways: 0 };
    case 'Gateway':
    case 'ListenerSet':
      if (said.length === 0) return undefined;
      return {
        kind,
        key,
        conditions: said,
        listeners: listeners.map((each) => ({ ...each, supportedKinds: [] })),
        ...(attachedListenerSets !== undefined && { attachedListenerSets }),
      };
    case 'BackendTLSPolicy':
    case 'TrafficPolicy':
    case 'BackendPolicy':
    case 'WAFPolicy':
      return {
        kind,
        key,
        ancestors: ancestors
          .filter((each) => each.controllerName === controllerName)
          .map(({ ancestorRef, conditions: all }) => ({
            gateway: `${of(ancestorRef)}/${ancestorRef.name}`,
            conditions: all,
          })),
      };
    default:
      return {
        kind: kind as 'HTTPRoute',
        key,
        parents: parents
          .filter((each) => each.controllerName === controllerName)
          .map(({ parentRef, conditions: all }) => ({
            parent: {
              group: 'gateway.networking.k8s.io',
              kind: parentRef.kind ?? 'Gateway',
              namespace: of(parentRef),
              name: parentRef.name,
              ...(parentRef.sectionName !== undefined && { sectionName: parentRef.sectionName }),
              ...(parentRef.port !== undefined && { port: parentRef.port }),
              written: {},
            },
            conditions: all,
          })),
      };
  }
}
