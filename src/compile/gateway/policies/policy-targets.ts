/** Whether what a policy is for is there, and at which of our Gateways. */
import type { AttachedPolicy } from '#model/gateway/policy-types.ts';
import { type Asking, gatewayNamed } from '../inputs.ts';
import { albInstance } from '../instances/derived-gateway.ts';
import { type ListenerPlace, targetKey } from './levels.ts';

export type TargetStanding = {
  /** A sentence: it isn't there. */
  readonly problem?: string;
  /** Gateways that have it; none: it is nobody's yet, or another controller's. */
  readonly gateways: readonly string[];
};

/** What the rest of the book knows. */
export type Reach = {
  /** Whether a Gateway is ours. */
  readonly isOurs: (gateway: string) => boolean;
  /** Gateways that a route is attached to. */
  readonly gatewaysOfRoute: (id: string) => readonly string[];
  /** Listeners that serve it. */
  readonly listenersOfRoute: (id: string) => readonly ListenerPlace[];
  /** The instance that serves a Gateway. */
  readonly instanceOf: (gateway: string) => string | undefined;
  /** Gateways whose routes name a Service. */
  readonly gatewaysOfService: (service: string) => readonly string[];
};

export function targetStanding(
  policy: AttachedPolicy,
  index: number,
  of: 'traffic' | 'backends',
  ask: Asking,
  reach: Reach,
): TargetStanding {
  const target = policy.targets[index];
  const id = target && targetKey(policy, target);
  const field = `spec.targetRefs[${index}]`;
  if (target === undefined || id === undefined || (target.kind === 'Service') !== (of === 'backends'))
    return { problem: `${field}: ${target?.kind} can't be a target`, gateways: [] };
  const { kind, name, section } = target;
  const key = `${policy.namespace}/${name}`;
  const there = sectionsOf(kind, key, ask);
  const shown = `${kind} ${key}`;
  if (there === undefined) {
    // Services are known only where routes send to them.
    const gateways = kind === 'Service' ? reach.gatewaysOfService(key) : [];
    if (kind === 'Service' && gateways.length === 0) return { gateways };
    return { problem: `${field}: there is no ${shown}`, gateways: [] };
  }
  if (section !== undefined && !there.includes(section)) {
    const problem =
      there.length === 0
        ? `${field}.sectionName: ${shown} has nothing that has a name of its own`
        : `${field}.sectionName: ${shown} has no ${JSON.stringify(section)}`;
    return { problem, gateways: [] };
  }
  return { gateways: gatewaysAt(kind, key, ask, reach) };
}

/** Names that a section of it may have; undefined: there is no such object. */
function sectionsOf(kind: string, key: string, ask: Asking): readonly string[] | undefined {
  const names = (all: readonly { readonly name?: string | undefined }[] | undefined) =>
    all?.flatMap(({ name }) => (name === undefined || name === '' ? [] : [name]));
  switch (kind) {
    case 'Service':
      return names(ask.get('service', key)?.ports);
    case 'Gateway':
      return names(ask.get('gateway', key)?.listeners);
    case 'ListenerSet':
      return names(ask.get('listenerSet', key)?.listeners);
    case 'ALB': {
      // Its ports, also that which has no certificate of its own: others bring theirs.
      const alb = ask.get('alb', key);
      return alb && (['http', 'https'] as const).filter((name) => alb[name] !== undefined);
    }
    case 'Ingress':
      return ask.get('ingress', key) && [];
    default:
      return names(ask.get('route', `${kind}/${key}`)?.rules);
  }
}

function gatewaysAt(kind: string, key: string, ask: Asking, reach: Reach): readonly string[] {
  const ours = (gateway: string): readonly string[] => (reach.isOurs(gateway) ? [gateway] : []);
  switch (kind) {
    case 'Service':
      return reach.gatewaysOfService(key);
    case 'Gateway':
      return ours(key);
    case 'ALB':
      return ours(albInstance(key));
    case 'ListenerSet': {
      const set = ask.get('listenerSet', key);
      const gateway = set && gatewayNamed(set.parent);
      return gateway === undefined ? [] : ours(gateway);
    }
    case 'Ingress':
      return ask.routesOf(`Ingress/${key}`).flatMap((route) => reach.gatewaysOfRoute(route));
    default:
      return reach.gatewaysOfRoute(`${kind}/${key}`);
  }
}
