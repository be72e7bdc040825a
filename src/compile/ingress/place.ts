/** What the parts of one translation have in common. */
import type { GatewayObject, ObjectReference, ParentReference } from '#model/gateway/types.ts';
import type { IngressModel } from '#model/ingress/types.ts';
import type { ProblemCode } from '#model/problem.ts';
import type { Effects } from './effects.ts';
import type { IngressContext, IngressFinding } from './types.ts';

export type Place = {
  readonly ingress: IngressModel;
  readonly context: IngressContext;
  readonly effects: Effects;
  readonly closed: boolean;
  readonly note: (field: string, code: ProblemCode, message: string) => void;
  readonly findings: readonly IngressFinding[];
};

export function createPlace(
  ingress: IngressModel,
  context: IngressContext,
  { effects, closed, findings: first }: Pick<Place, 'effects' | 'closed' | 'findings'>,
): Place {
  const findings = [...first];
  const note: Place['note'] = (field, code, message) => {
    findings.push({ field, code, message });
  };
  return { ingress, context, effects, closed, note, findings };
}

/** Of what is made of an Ingress: its age is the Ingress's, and its name one that no object has. */
export function derivedObject(ingress: IngressModel, suffix: string): GatewayObject {
  const { origin, key, namespace, name, uid, generation, created } = ingress;
  return {
    origin,
    key: `${key}~ingress${suffix}`,
    namespace,
    name: `${name}~ingress${suffix}`,
    uid,
    generation,
    created,
  };
}

export function parentOf(reference: ObjectReference, sectionName: string): ParentReference {
  return { ...reference, sectionName, written: { ...reference, sectionName } };
}

export const gatewayGroup = 'gateway.networking.k8s.io';
