/** Which ALB serves an Ingress: that of its class. */
import type { ALBModel } from '#model/gateway/policy-types.ts';
import { type IngressModel, ingressController } from '#model/ingress/types.ts';
import type { Asking } from '../gateway/inputs.ts';
import { isTenant } from '../gateway/instances/tenants.ts';

export type Serving =
  | { readonly alb: ALBModel }
  /** Ours, but nobody serves it: a sentence. */
  | { readonly field: string; readonly refused: string }
  /** Another controller's, or nobody's. */
  | undefined;

type Classes = Pick<Asking, 'get' | 'albsOfClass' | 'defaultIngressClasses' | 'labels'>;

/** One without a class is of the class that is the default, as the API server writes into those that are made while there is one. */
export function servingOf(ingress: IngressModel, ask: Classes): Serving {
  const name = ingress.className ?? defaultClass(ask);
  if (name === undefined) return undefined;
  const field = 'spec.ingressClassName';
  const found = ask.get('ingressClass', name);
  if (found !== undefined && found.controller !== ingressController) return undefined;
  const alb = found?.alb === undefined ? ask.albsOfClass(name)[0] : ask.get('alb', found.alb);
  if (alb === undefined) {
    if (found === undefined) return undefined;
    return {
      field,
      refused: `IngressClass ${name}: ${found.alb === undefined ? 'no ALB serves it' : `there is no ALB ${found.alb}`}`,
    };
  }
  return isTenant(alb, ingress.namespace, ask)
    ? { alb }
    : { field, refused: `the ALB of class ${name} takes nothing of namespace ${ingress.namespace}` };
}

/** Of several the youngest, as the API server has it. */
function defaultClass(ask: Classes): string | undefined {
  return ask
    .defaultIngressClasses()
    .flatMap((name) => ask.get('ingressClass', name) ?? [])
    .filter(({ controller }) => controller === ingressController)
    .toSorted((a, b) => (a.created < b.created ? 1 : a.created > b.created ? -1 : a.key < b.key ? -1 : 1))[0]
    ?.key;
}
