/** Whether Ingresses of the class that an ALB asks for come to it: as `compile/ingress/serving.ts` decides it. */
import type { ALBModel } from '#model/gateway/policy-types.ts';
import { ingressController } from '#model/ingress/types.ts';
import type { Asking } from '../inputs.ts';

/** A sentence: they don't. Whose they are isn't told: it may be another namespace's. */
export function lostIngressClass(
  { key, ingressClass }: Pick<ALBModel, 'key' | 'ingressClass'>,
  ask: Pick<Asking, 'get' | 'albsOfClass'>,
): string | undefined {
  if (ingressClass === undefined) return undefined;
  const { name } = ingressClass;
  const held = ask.get('ingressClass', name);
  const lost = (why: string) =>
    `spec.ingressClass: IngressClass ${name} ${why}: its Ingresses don't come here`;
  if (held !== undefined && held.controller !== ingressController) return lost("is another controller's");
  if (held?.alb !== undefined) return held.alb === key ? undefined : lost('leads to another ALB');
  return ask.albsOfClass(name)[0]?.key === key ? undefined : lost('is what an older ALB asks for');
}
