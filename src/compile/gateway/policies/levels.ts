/** Which policies hold for requests that a rule takes at a listener, level by level: the nearest to the request first. */
import type { AttachedPolicy, TrafficPolicyModel, WAFPolicyModel } from '#model/gateway/policy-types.ts';
import type { RouteModel } from '#model/gateway/types.ts';
import { olderFirst } from '../age.ts';
import { albOf } from '../instances/derived-gateway.ts';
import type { Listener } from '../types.ts';
import type { AttachedPolicies } from './types.ts';

/** Policies of one level, the one that wins first. None is empty. */
export type Levels<P extends AttachedPolicy> = readonly (readonly P[])[];

/** Where requests are: taken by a rule of a route, at a listener. */
export type Place = {
  readonly listener: ListenerPlace;
  readonly route: Pick<RouteModel, 'kind' | 'key'>;
  /** Of the rule; one without a name is nobody's target. */
  readonly rule: string | undefined;
};

export type ListenerPlace = {
  readonly owner: Pick<Listener['owner'], 'kind' | 'key'>;
  readonly model: Pick<Listener['model'], 'name'> & { readonly port?: number };
  readonly gateway: string;
  readonly instance?: string;
};

export type PlacePolicies = {
  readonly traffic: Levels<TrafficPolicyModel>;
  readonly firewall: Levels<WAFPolicyModel>;
  /** Of `traffic` the levels of the route itself: rule, route, Ingress. */
  readonly own: Levels<TrafficPolicyModel>;
  /** Of `traffic` those of whom the address belongs to: an ALB with its own listeners, or a Gateway that shares none, with its. */
  readonly edge: Levels<TrafficPolicyModel>;
};

export type Target = {
  readonly target: string;
  readonly section: string | undefined;
  readonly part: 'own' | 'between' | 'edge';
};

/** Of one kind at one target: more would make names of what they make together as long as anybody likes. The others are in conflict. */
export const mostAtTarget = 16;

/** Whether there are policies at all for any rule of a route, at a listener. All are asked for, so that whoever asks hears of the first. */
export function hasPolicies(
  listener: Place['listener'],
  route: Place['route'],
  policies: AttachedPolicies,
): boolean {
  let found = false;
  for (const { target } of targetsOf({ listener, route, rule: undefined }, policies)) {
    const { traffic, firewall } = policies.at(target);
    if (traffic.length + firewall.length > 0) found = true;
  }
  return found;
}

/** Rule, route, Ingress, listener, ListenerSet, Gateway, ALB; undefined where there is none at all, as almost everywhere. */
export function levelsAt(place: Place, policies: AttachedPolicies): PlacePolicies | undefined {
  const found = targetsOf(place, policies).flatMap((each) => {
    const { traffic, firewall } = policies.at(each.target);
    if (traffic.length + firewall.length === 0) return [];
    const { target, section, part } = each;
    return [
      { part, traffic: inForce(traffic, target, section), firewall: inForce(firewall, target, section) },
    ];
  });
  if (found.every(({ traffic, firewall }) => traffic.length + firewall.length === 0)) return undefined;
  const some = (level: readonly unknown[]): boolean => level.length > 0;
  const traffic = found.filter((each) => some(each.traffic));
  const of = (part: Target['part']) =>
    traffic.filter((each) => each.part === part).map((each) => each.traffic);
  return {
    traffic: traffic.map((each) => each.traffic),
    firewall: found.map((each) => each.firewall).filter(some),
    own: of('own'),
    edge: of('edge'),
  };
}

/** Of all policies at a target those that hold for it (or for the section of it), the one that wins first. */
export function inForce<P extends AttachedPolicy>(
  policies: readonly P[],
  target: string,
  section: string | undefined,
): readonly P[] {
  if (policies.length === 0) return policies;
  const known = sections.get(policies) ?? new Map<string | undefined, readonly AttachedPolicy[]>();
  sections.set(policies, known);
  const found =
    known.get(section) ??
    policies
      .filter((policy) =>
        policy.targets.some((each) => targetKey(policy, each) === target && each.section === section),
      )
      .toSorted(winnerFirst)
      .slice(0, mostAtTarget);
  known.set(section, found);
  return found as readonly P[];
}

/** By the list of all at one target: thousands of routes ask for those of their Gateway. */
const sections = new WeakMap<readonly AttachedPolicy[], Map<string | undefined, readonly AttachedPolicy[]>>();

/** Of two at one target: one that insists, then the older. */
export function winnerFirst(a: AttachedPolicy, b: AttachedPolicy): number {
  return Number(b.enforced) - Number(a.enforced) || olderFirst(a, b);
}

/** `KIND/namespace/name`; undefined: nothing that policies are for. */
export function targetKey(
  { namespace }: AttachedPolicy,
  { group, kind, name }: AttachedPolicy['targets'][number],
): string | undefined {
  return Object.hasOwn(groups, kind) && groups[kind] === group ? `${kind}/${namespace}/${name}` : undefined;
}

/** Kinds that policies have as targets; a Service only BackendPolicies. */
const groups: Readonly<Record<string, string>> = {
  Service: '',
  Gateway: 'gateway.networking.k8s.io',
  ListenerSet: 'gateway.networking.k8s.io',
  HTTPRoute: 'gateway.networking.k8s.io',
  GRPCRoute: 'gateway.networking.k8s.io',
  Ingress: 'networking.k8s.io',
  ALB: 'netloom.dev',
};

/** The Ingress that a route was made from: its names are its own with what no object can be called. */
export function ingressOf({ key }: Pick<RouteModel, 'key'>): string | undefined {
  const at = key.indexOf('~ingress');
  return at < 0 ? undefined : `Ingress/${key.slice(0, at)}`;
}

/** Section of an ALB, which no user can name: whatever comes by an Ingress to one of its ports. */
export function ingressSection(port: number): string {
  return `~ingress~${port}`;
}

function targetsOf({ listener, route, rule }: Place, policies: AttachedPolicies): readonly Target[] {
  return [...ownTargets(route, rule), ...listenerTargets(listener, policies, route)];
}

/** Of a route and its rule. */
export function ownTargets(route: Place['route'], rule: string | undefined): readonly Target[] {
  const id = `${route.kind}/${route.key}`;
  const ingress = ingressOf(route);
  const own = (target: string, section?: string): Target => ({ target, section, part: 'own' });
  return [
    ...(rule === undefined ? [] : [own(id, rule)]),
    own(id),
    ...(ingress === undefined ? [] : [own(ingress)]),
  ];
}

/** Of all that comes in at a listener; with a route, of what that route takes there. */
export function listenerTargets(
  { owner, gateway, instance = gateway, model }: ListenerPlace,
  policies: AttachedPolicies,
  route?: Place['route'],
): readonly Target[] {
  const port = route !== undefined && ingressOf(route) !== undefined ? model.port : undefined;
  const alb = albOf(instance);
  const shares = alb !== undefined && gateway !== instance;
  const isOfALB = alb !== undefined && !shares && owner.kind !== 'ListenerSet';
  const entrance = alb === undefined || isOfALB ? undefined : entranceOf(alb, model.port, policies);
  const between = (target: string, section?: string): Target => ({ target, section, part: 'between' });
  const edge = (target: string, section?: string): Target => ({ target, section, part: 'edge' });
  // Who shares an ALB has no address of his own: to whom clients come is the ALB's owner's to say.
  const ofGateway = shares ? between : edge;
  return [
    ...(owner.kind === 'ListenerSet'
      ? [between(`ListenerSet/${owner.key}`, model.name), between(`ListenerSet/${owner.key}`)]
      : // The listeners of an ALB are those of the Gateway that is made of it.
        [ofGateway(isOfALB ? `ALB/${alb}` : `Gateway/${gateway}`, model.name)]),
    ...(alb !== undefined && !shares ? [] : [ofGateway(`Gateway/${gateway}`)]),
    ...(alb === undefined || port === undefined ? [] : [edge(`ALB/${alb}`, ingressSection(port))]),
    ...(entrance === undefined ? [] : [edge(`ALB/${alb}`, entrance)]),
    ...(alb === undefined ? [] : [edge(`ALB/${alb}`)]),
  ];
}

/**
 * By which of the ALB's two ports a listener of somebody else is reached: nobody leaves what holds there by a listener of his own. Asked only where
 * something is said of a port, so that not all routes hear of each change of an ALB.
 */
function entranceOf(
  alb: string,
  port: number | undefined,
  { at, entranceAt }: AttachedPolicies,
): string | undefined {
  const { traffic, firewall } = at(`ALB/${alb}`);
  const isAsked = [...traffic, ...firewall].some(({ targets }) =>
    targets.some(({ kind, section }) => kind === 'ALB' && section !== undefined),
  );
  return isAsked && port !== undefined ? entranceAt(alb, port) : undefined;
}
