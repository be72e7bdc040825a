/** The status that an object is to have, from the one it has and what was decided; what others wrote stays. Pure. */
import { group } from '#api/kind.ts';
import { alb2Kind } from '#api/kinds/alb2.ts';
import { gatewayGroup } from '#api/kinds/gatewayparts.ts';
import type { Condition } from '#api/object.ts';
import { instanceObject } from '#compile/gateway/instances/origin.ts';
import type { PolicyAncestor } from '#compile/gateway/policies/types.ts';
import {
  controllerName,
  type GatewayCondition,
  type GatewayStatus,
  type InstanceFacts,
  type ListenerStatus,
} from '#compile/gateway/types.ts';
import { findCondition, type NewCondition, setConditions } from '#kube/conditions.ts';
import type { ObjectReference, ParentReference } from '#model/gateway/types.ts';

/** As the API server has it. */
export type HeldStatus = {
  readonly conditions?: readonly Condition[];
  readonly addresses?: readonly object[];
  readonly listeners?: readonly (object & {
    readonly name: string;
    readonly conditions?: readonly Condition[];
  })[];
  readonly parents?: readonly HeldParent[];
  readonly ancestors?: readonly HeldAncestor[];
  /** Of Ingresses. */
  readonly loadBalancer?: { readonly ingress?: readonly object[] };
};

type HeldParent = {
  readonly parentRef: object;
  readonly controllerName: string;
  readonly conditions?: readonly Condition[];
};
type HeldAncestor = {
  readonly ancestorRef: object;
  readonly controllerName: string;
  readonly conditions?: readonly Condition[];
};

export type StatusView = {
  readonly held: HeldStatus;
  /** Of the object that was decided on. */
  readonly generation: number;
  /** Of a Gateway's instance. */
  readonly addresses?: InstanceFacts['addresses'];
  readonly now: Date;
};

/** So many entries a route's and a policy's status may have at most. */
const mostParents = 32;
const mostAncestors = 16;

/** Fields of the status to write, as a merge patch; equal ones are among them. */
export function statusFields(status: GatewayStatus, view: StatusView): Readonly<Record<string, unknown>> {
  const { held, addresses = [] } = view;
  switch (status.kind) {
    case 'GatewayClass':
      return {
        conditions: merged(held.conditions, status.conditions, view),
        supportedFeatures: status.supportedFeatures.map((name) => ({ name })),
      };
    case 'Gateway':
      return {
        conditions: merged(held.conditions, status.conditions, view),
        addresses: addresses.length === 0 ? undefined : addresses,
        listeners: listenerStatuses(status.listeners, view),
        attachedListenerSets: status.attachedListenerSets ?? 0,
      };
    case 'ListenerSet':
      return {
        conditions: merged(held.conditions, status.conditions, view),
        listeners: listenerStatuses(status.listeners, view),
      };
    case 'ALB':
      return {
        conditions: merged(held.conditions, status.conditions, view),
        addresses: addresses.length === 0 ? undefined : addresses,
        gateways: status.gateways,
        attachedRoutes: Math.max(0, ...status.listeners.map(({ attachedRoutes }) => attachedRoutes)),
      };
    case 'HostnameGrant':
      return { conditions: merged(held.conditions, status.conditions, view) };
    case 'ALB2':
      return alb2Fields(status, addresses);
    case 'Frontend':
      return { instances: { netloom: { conflict: status.conflict } } };
    case 'Ingress':
      return ingressFields(held, addresses);
    case 'Rule':
      return {};
    case 'BackendTLSPolicy':
    case 'TrafficPolicy':
    case 'BackendPolicy':
    case 'WAFPolicy':
      return { ancestors: ancestorsOf(status.ancestors, view) };
    default:
      return { parents: parentsOf(status.parents, view) };
  }
}

/** What ALB's own console shows of an ALB2. */
function alb2Fields(
  { waits }: Extract<GatewayStatus, { readonly kind: 'ALB2' }>,
  addresses: InstanceFacts['addresses'],
): Readonly<Record<string, unknown>> {
  const ips = addresses.flatMap(({ type, value }) => (type === 'IPAddress' ? [value] : []));
  const [ipv6, ipv4] = [ips.filter((each) => each.includes(':')), ips.filter((each) => !each.includes(':'))];
  const host = addresses.flatMap(({ type, value }) => (type === 'Hostname' ? [value] : []));
  const address = { ok: addresses.length > 0, msg: [...ipv4, ...ipv6, ...host].join(','), ipv4, ipv6, host };
  return { state: waits === undefined ? 'Running' : 'Progressing', reason: waits ?? '', detail: { address } };
}

/** As of a Service of type LoadBalancer. */
function ingressFields(
  { loadBalancer }: HeldStatus,
  addresses: InstanceFacts['addresses'],
): Readonly<Record<string, unknown>> {
  if (addresses.length === 0) return loadBalancer?.ingress === undefined ? {} : { loadBalancer: undefined };
  const ingress = addresses.map(({ type, value }) =>
    type === 'IPAddress' ? { ip: value } : { hostname: value },
  );
  return { loadBalancer: { ingress } };
}

/** What is left when nothing of ours is to be there any more; undefined: the object is as it may be. */
export function withoutOurs({
  parents,
  ancestors,
  loadBalancer,
}: HeldStatus): Readonly<Record<string, unknown>> | undefined {
  const others = (each: { readonly controllerName: string }) => each.controllerName !== controllerName;
  if (parents !== undefined) return { parents: parents.filter(others) };
  if (ancestors !== undefined) return { ancestors: ancestors.filter(others) };
  if (loadBalancer?.ingress !== undefined) return { loadBalancer: undefined };
  return undefined;
}

export function saysOurs(held: HeldStatus | undefined): boolean {
  return [...(held?.parents ?? []), ...(held?.ancestors ?? [])].some(
    (each) => each.controllerName === controllerName,
  );
}

/** Types of conditions that only a Gateway's own controller writes: those that are not decided any more go. */
const ours = new Set([
  'Accepted',
  'AttachedListenerSets',
  'Conflicted',
  'InsecureFrontendValidationMode',
  'OverlappingTLSConfig',
  'PartiallyInvalid',
  'Programmed',
  'Ready',
  'ResolvedRefs',
  'Scheduled',
  'SupportedVersion',
]);

function merged(
  held: readonly Condition[] | undefined,
  wanted: readonly GatewayCondition[],
  { generation, now }: StatusView,
): readonly Condition[] {
  const types = new Set(wanted.map(({ type }) => type));
  const kept = (held ?? []).filter(
    ({ type }) => types.has(type) || !(ours.has(type) || type.startsWith('netloom.dev/')),
  );
  return setConditions(kept, wanted.map(noted(generation)), now);
}

/** Whole lists of ours, in the order of what was decided. */
function own(
  held: readonly Condition[] | undefined,
  wanted: readonly GatewayCondition[],
  { generation, now }: StatusView,
): readonly Condition[] {
  const conditions = setConditions(held, wanted.map(noted(generation)), now);
  return wanted.flatMap(({ type }) => findCondition(conditions, type) ?? []);
}

const noted =
  (observedGeneration: number) =>
  (condition: GatewayCondition): NewCondition => ({ ...condition, observedGeneration });

function listenerStatuses(listeners: readonly ListenerStatus[], view: StatusView): readonly object[] {
  return listeners.map(({ name, supportedKinds, attachedRoutes, conditions }) => ({
    name,
    supportedKinds,
    attachedRoutes,
    conditions: own(view.held.listeners?.find((each) => each.name === name)?.conditions, conditions, view),
  }));
}

type ParentStatus = { readonly parent: ParentReference; readonly conditions: readonly GatewayCondition[] };

function parentsOf(wanted: readonly ParentStatus[], view: StatusView): readonly object[] {
  const held = view.held.parents ?? [];
  const others = held.filter((each) => each.controllerName !== controllerName);
  const mine = held.filter((each) => each.controllerName === controllerName);
  const entries = wanted.map(({ parent, conditions }) => {
    const text = stable(parent.written);
    const before = mine.find(({ parentRef }) => stable(parentRef) === text);
    return {
      parentRef: parent.written,
      controllerName,
      conditions: own(before?.conditions, conditions, view),
    };
  });
  return [...others, ...entries].slice(0, mostParents);
}

function ancestorsOf(wanted: readonly PolicyAncestor[], view: StatusView): readonly object[] {
  const held = view.held.ancestors ?? [];
  const others = held.filter((each) => each.controllerName !== controllerName);
  const mine = held.filter((each) => each.controllerName === controllerName);
  const entries = wanted.map(({ gateway, target, conditions }) => {
    const ancestorRef = gateway === undefined ? target : ancestorOf(gateway);
    const text = stable(ancestorRef);
    const before = mine.find((each) => stable(each.ancestorRef) === text);
    return { ancestorRef, controllerName, conditions: own(before?.conditions, conditions, view) };
  });
  return [...others, ...entries].slice(0, mostAncestors);
}

/** The Gateway, or the ALB that the book makes one of. */
function ancestorOf(gateway: string): ObjectReference {
  const { kind, namespace, name } = instanceObject(gateway);
  return { group: groups[kind], kind, namespace, name };
}

const groups = { Gateway: gatewayGroup, ALB: group, ALB2: alb2Kind.group } as const;

/** The reference whatever the order of its fields, and with those that the API fills in. */
function stable(reference: object): string {
  const filled = { group: gatewayGroup, kind: 'Gateway', ...reference };
  return JSON.stringify(Object.entries(filled).sort(([a], [b]) => (a < b ? -1 : 1)));
}
