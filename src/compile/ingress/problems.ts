/** What became of the parts of an Ingress, as problems of the Ingress. */
import type { Origin } from '#intent/origin.ts';
import type { Problem, ProblemCode } from '#model/problem.ts';
import type { GatewayCondition, GatewayStatus } from '../gateway/types.ts';

export type PartStatus =
  | { readonly kind: 'listenerSet' | 'route'; readonly status: GatewayStatus }
  | { readonly kind: 'policy'; readonly conditions: readonly GatewayCondition[] };

/** `isServed`: at least one of its routes is taken. */
export function partProblems(
  object: Origin,
  parts: readonly PartStatus[],
): { readonly problems: readonly Problem[]; readonly isServed: boolean } {
  const found = new Map<string, Problem>();
  const add = (field: string, code: ProblemCode, message: string): void => {
    found.set(`${field} ${message}`, { object, field, code, message });
  };
  let isServed = false;
  for (const part of parts) {
    if (part.kind === 'policy') {
      for (const { type, status, message } of part.conditions.filter(isBad))
        if (status !== 'Unknown')
          add('metadata.annotations', type === 'Overridden' ? 'WithoutEffect' : 'ReferenceNotFound', message);
      continue;
    }
    const { status } = part;
    if ('listeners' in status) {
      for (const { name, conditions } of status.listeners)
        for (const { type, message } of conditions.filter(isBad))
          if (type !== 'Programmed' && type !== 'OverlappingTLSConfig')
            add(
              'spec.tls',
              type === 'ResolvedRefs' ? 'ReferenceNotFound' : 'NotServed',
              `${name}: ${message}`,
            );
    }
    if (!('parents' in status)) continue;
    for (const { conditions } of status.parents) {
      if (conditions.some(({ type, status: is }) => type === 'Accepted' && is === 'True')) isServed = true;
      for (const { type, message } of conditions.filter(isBad))
        add('spec.rules', type === 'ResolvedRefs' ? 'ReferenceNotFound' : 'NotServed', message);
    }
  }
  return { problems: [...found.values()], isServed };
}

/** Some conditions are good when they are true, and some when they aren't there. */
function isBad({ type, status }: GatewayCondition): boolean {
  return goodWhenTrue.has(type) ? status === 'False' : status === 'True';
}

const goodWhenTrue = new Set(['Accepted', 'ResolvedRefs', 'Programmed']);
