/** Watches the objects that gateways are made of, and tells of each as a model. */
import { endpointSliceType, ingressClassType, ingressType, namespaceType, serviceType } from '#api/core.ts';
import { albKind } from '#api/kinds/alb.ts';
import { alb2Kind } from '#api/kinds/alb2.ts';
import { backendPolicyKind } from '#api/kinds/backendpolicy.ts';
import { backendTLSPolicyKind } from '#api/kinds/backendtlspolicy.ts';
import { frontendKind } from '#api/kinds/frontend.ts';
import { gatewayKind } from '#api/kinds/gateway.ts';
import { gatewayClassKind } from '#api/kinds/gatewayclass.ts';
import { grpcRouteKind } from '#api/kinds/grpcroute.ts';
import { hostnameGrantKind } from '#api/kinds/hostnamegrant.ts';
import { httpRouteKind } from '#api/kinds/httproute.ts';
import { listenerSetKind } from '#api/kinds/listenerset.ts';
import { referenceGrantKind } from '#api/kinds/referencegrant.ts';
import { ruleKind } from '#api/kinds/rule.ts';
import { tcpRouteKind } from '#api/kinds/tcproute.ts';
import { tlsRouteKind } from '#api/kinds/tlsroute.ts';
import { trafficPolicyKind } from '#api/kinds/trafficpolicy.ts';
import { udpRouteKind } from '#api/kinds/udproute.ts';
import { wafPolicyKind } from '#api/kinds/wafpolicy.ts';
import type { KubeObject, ResourceType } from '#api/object.ts';
import type { GatewayInput, GatewayInputs } from '#compile/gateway/types.ts';
import type { Client } from '#kube/client.ts';
import { type Informer, startInformer } from '#kube/informer.ts';
import { readALB2 } from '#model/alauda/alb2.ts';
import { labelOf, labelsOf, readFrontend } from '#model/alauda/frontend.ts';
import { readRule } from '#model/alauda/rule.ts';
import { readALB } from '#model/gateway/alb.ts';
import { readBackendPolicy } from '#model/gateway/backendpolicy.ts';
import { readBackendService } from '#model/gateway/backendservice.ts';
import { readBackendTLSPolicy } from '#model/gateway/backendtlspolicy.ts';
import { readGateway } from '#model/gateway/gateway.ts';
import { readGatewayClass } from '#model/gateway/gatewayclass.ts';
import { readHostnameGrant } from '#model/gateway/hostnamegrant.ts';
import { readListenerSet } from '#model/gateway/listenerset.ts';
import { readReferenceGrant } from '#model/gateway/referencegrant.ts';
import { readRoute } from '#model/gateway/route.ts';
import { readTrafficPolicy } from '#model/gateway/trafficpolicy.ts';
import { readWAFPolicy } from '#model/gateway/wafpolicy.ts';
import { readIngress } from '#model/ingress/ingress.ts';
import { readIngressClass } from '#model/ingress/ingressclass.ts';
import type { Problem, Read } from '#model/problem.ts';
import { readBackendSlice } from '#model/service.ts';
import type { Log } from '#telemetry/log.ts';
import type { ObjectReference } from '#telemetry/problems.ts';
import { referenceTo } from '../caches.ts';
import type { HeldStatus } from './status.ts';
import type { StatusObject } from './status-writer.ts';

export type SeenObject<M = unknown> = {
  readonly ref: ObjectReference;
  readonly value: M | undefined;
  readonly problems: readonly Problem[];
  /** Of kinds that have one that we write. */
  readonly status?: StatusObject;
  /** By `KIND/namespace/name`: where one of these is ours, so is it, also if it can't be read. */
  readonly owners?: readonly string[];
};

export type InputsOptions = {
  readonly client: Client;
  readonly log: Log;
  /** An object says something else than before, or is gone. */
  readonly set: <K extends GatewayInput>(
    kind: K,
    key: string,
    value: GatewayInputs[K] | undefined,
    seen: SeenObject | undefined,
  ) => void;
  /** It was written to, and says what it did. `key`: `KIND/namespace/name`. */
  readonly touched: (key: string) => void;
};

export type Inputs = {
  /** Resolves when all lists are known; those of Services and slices only once `watchBackends` was called. */
  synced(): Promise<unknown>;
  /** Services and slices of the cluster: only where a Gateway may send to them. */
  watchBackends(): void;
  /** By `KIND/namespace/name`; of kinds of Gateway API. */
  object(key: string): SeenObject | undefined;
  stop(): void;
};

type Row = {
  readonly type: ResourceType;
  readonly kind: GatewayInput;
  readonly read: (object: KubeObject) => Read<unknown>;
  readonly hasStatus: boolean;
};

const row = <K extends GatewayInput>(
  type: ResourceType,
  kind: K,
  read: (object: never) => Read<GatewayInputs[K]>,
  hasStatus = true,
): Row => ({ type, kind, read: read as Row['read'], hasStatus });

const gatewayAPI: readonly Row[] = [
  row(gatewayClassKind, 'class', readGatewayClass),
  row(gatewayKind, 'gateway', readGateway),
  row(listenerSetKind, 'listenerSet', readListenerSet),
  row(httpRouteKind, 'route', readRoute),
  row(grpcRouteKind, 'route', readRoute),
  row(tlsRouteKind, 'route', readRoute),
  row(tcpRouteKind, 'route', readRoute),
  row(udpRouteKind, 'route', readRoute),
  row(referenceGrantKind, 'grant', readReferenceGrant, false),
  row(backendTLSPolicyKind, 'tlsPolicy', readBackendTLSPolicy),
  row(albKind, 'alb', readALB),
  row(wafPolicyKind, 'wafPolicy', readWAFPolicy),
  row(alb2Kind, 'alb2', readALB2),
  row(frontendKind, 'frontend', readFrontend),
  row(ruleKind, 'albRule', readRule),
  row(ingressType, 'ingress', readIngress),
  row(ingressClassType, 'ingressClass', readIngressClass, false),
  row(hostnameGrantKind, 'hostnameGrant', readHostnameGrant),
  row(trafficPolicyKind, 'policy', readTrafficPolicy),
  row(backendPolicyKind, 'backendPolicy', readBackendPolicy),
];

const namespaces = row(namespaceType, 'namespace', readLabels, false);
const backends: readonly Row[] = [
  row(serviceType, 'service', readBackendService, false),
  row(endpointSliceType, 'slice', readBackendSlice, false),
];

export function startInputs({ client, log, set, touched }: InputsOptions): Inputs {
  const informers = new Map<string, Informer<SeenObject>>();
  const tell = set as (kind: GatewayInput, key: string, value: unknown, seen: SeenObject | undefined) => void;
  const watch = ({ type, kind, read, hasStatus }: Row): void => {
    const informer = startInformer<KubeObject, SeenObject>(client, type, {
      log,
      mayBeAbsent: true,
      pageSize: 500,
      equal: (a, b) => !hasStatus && sameModel(a, b),
      transform: (object) => ({
        ref: { ...referenceTo(object), ...generationOf(object) },
        ...read(object),
        ...(hasStatus ? { status: statusOf(type, object) } : {}),
        ...ownersOf(type, object),
      }),
    });
    informers.set(type.kind, informer);
    informer.onChange(({ key, old, new: seen }) => {
      const ownKey = kind === 'route' ? `${type.kind}/${key}` : key;
      // A write of its status alone is no news of the object.
      if (old === undefined || seen === undefined || !sameModel(old, seen))
        tell(kind, ownKey, seen?.value, seen);
      if (hasStatus) touched(`${type.kind}/${key}`);
    });
  };
  for (const each of [...gatewayAPI, namespaces]) watch(each);

  return {
    synced: () => Promise.all([...informers.values()].map(({ synced }) => synced)),
    watchBackends() {
      if (informers.has(serviceType.kind)) return;
      for (const each of backends) watch(each);
    },
    object(key) {
      const [kind = '', first = '', second] = key.split('/');
      const informer = informers.get(kind);
      return second === undefined ? informer?.get(undefined, first) : informer?.get(first, second);
    },
    stop() {
      for (const informer of informers.values()) informer.stop();
    },
  };
}

/** Labels that grants of namespaces are decided by. */
function readLabels({ metadata }: KubeObject): Read<GatewayInputs['namespace']> {
  return { value: metadata.labels ?? {}, problems: [] };
}

/** Of ALB's kinds: what their labels name. */
function ownersOf(type: ResourceType, object: KubeObject): Pick<SeenObject, 'owners'> {
  if (type !== frontendKind && type !== ruleKind) return {};
  const named = { ALB2: labelOf(object, labelsOf.alb), Frontend: labelOf(object, labelsOf.frontend) };
  const owners = Object.entries(named).flatMap(([kind, name]) =>
    name === undefined || kind === type.kind ? [] : [`${kind}/${object.metadata.namespace}/${name}`],
  );
  return { owners };
}

/** The spec of an object, its annotations and what is wrong with it: not its status. */
function sameModel(a: SeenObject, b: SeenObject): boolean {
  return a.ref.uid === b.ref.uid && textOf(a) === textOf(b);
}

function textOf({ value, problems }: SeenObject): string {
  return JSON.stringify([value, problems], (_, each: unknown) => (each instanceof Map ? [...each] : each));
}

function generationOf({ metadata: { generation } }: KubeObject): { readonly generation?: number } {
  return generation === undefined ? {} : { generation };
}

function statusOf(type: ResourceType, { metadata, ...object }: KubeObject): StatusObject {
  return {
    type,
    namespace: metadata.namespace,
    name: metadata.name,
    resourceVersion: metadata.resourceVersion ?? '',
    generation: metadata.generation ?? 0,
    finalizers: metadata.finalizers ?? [],
    status: (object['status'] ?? {}) as HeldStatus,
  };
}
