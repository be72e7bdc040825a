/** What is made of ALB's objects is called as they are, with what no object's name may have. */
import type { GatewayObject } from '#model/gateway/types.ts';
import { albGroup } from '../gateway/instances/derived-gateway.ts';

/** Of the ALB that an ALB2 (`namespace/name`) is. */
export function albKey(alb2: string): string {
  return `${alb2}~alb2`;
}

/** The ALB2 of an ALB that was made of one. */
export function alb2Of(alb: string): string | undefined {
  return alb.endsWith('~alb2') ? alb.slice(0, -'~alb2'.length) : undefined;
}

/** Of the ListenerSet that a Frontend is, and of its default route. */
export function frontendKey(frontend: string): string {
  return `${frontend}~frontend`;
}

export function frontendOf(set: string): string | undefined {
  return set.endsWith('~frontend') ? set.slice(0, -'~frontend'.length) : undefined;
}

/** Of the routes and policies that a Rule is. */
export function ruleKey(rule: string, number = 1): string {
  return number === 1 ? `${rule}~rule` : `${rule}~rule~${number}`;
}

/** Everything that a model has of its object, but for the name. */
export function headOf(source: GatewayObject, key: string): GatewayObject {
  const { origin, namespace, uid, generation, created } = source;
  return { origin, key, namespace, name: key.slice(key.indexOf('/') + 1), uid, generation, created };
}

export function listenerSetReference(key: string) {
  const [namespace = '', name = ''] = key.split('/');
  return { group: 'gateway.networking.k8s.io', kind: 'ListenerSet', namespace, name };
}

/** The ALB that an ALB2 (`namespace/name`) is. */
export function albReference(alb2: string) {
  const [namespace = '', name = ''] = albKey(alb2).split('/');
  return { group: albGroup, kind: 'ALB', namespace, name };
}
