/** What a pod says of the nodes that it takes, and what nodes say of the pods that they take; pure. */
import { selects } from '#model/selector.ts';
import type { LabNode, Taint } from '../objects/node.ts';
import type { NodeSelectorRequirement, NodeSelectorTerm, Toleration } from '../objects/placement.ts';
import type { Pod } from '../objects/pod.ts';

/** Whether a pod with these tolerations may go to, or stay on, a node with this taint (v1.Toleration). */
export function tolerates(tolerations: readonly Toleration[], taint: Taint): boolean {
  return tolerations.some(
    ({ key, operator = 'Equal', value, effect }) =>
      (effect === undefined || effect === '' || effect === taint.effect) &&
      (key === undefined || key === '' ? operator === 'Exists' : key === taint.key) &&
      (operator === 'Exists' || (value ?? '') === (taint.value ?? '')),
  );
}

/** `nodeSelector` and required node affinity. */
export function matchesNode(pod: Pod, node: LabNode): boolean {
  if (!selects({ matchLabels: pod.spec.nodeSelector ?? {} }, node.metadata.labels ?? {})) return false;
  const terms =
    pod.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
  return terms === undefined || terms.some((term) => matchesTerm(term, node));
}

export function matchesTerm(term: NodeSelectorTerm, node: LabNode): boolean {
  const labels = node.metadata.labels ?? {};
  const expressions = term.matchExpressions ?? [];
  const fields = term.matchFields ?? [];
  if (expressions.length === 0 && fields.length === 0) return false;
  return (
    expressions.every((requirement) =>
      matchesRequirement(
        requirement,
        Object.hasOwn(labels, requirement.key) ? labels[requirement.key] : undefined,
      ),
    ) &&
    fields.every(
      (requirement) =>
        requirement.key === 'metadata.name' && matchesRequirement(requirement, node.metadata.name),
    )
  );
}

function matchesRequirement(
  { operator, values = [] }: NodeSelectorRequirement,
  value: string | undefined,
): boolean {
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    case 'Gt':
      return value !== undefined && Number(value) > Number(values[0]);
    case 'Lt':
      return value !== undefined && Number(value) < Number(values[0]);
  }
}
