/** Who is a tenant of an ALB. */
import type { ALBModel, TenantsModel } from '#model/gateway/policy-types.ts';
import { selects } from '#model/selector.ts';
import type { Asking } from '../inputs.ts';

/** Of namespaces of a project, as Alauda Container Platform has it. */
const projectLabel = 'cpaas.io/project';

/** Whether objects of a namespace may be attached to an ALB: those of its own always may. */
export function isTenant(
  { namespace: own, tenants }: Pick<ALBModel, 'namespace' | 'tenants'>,
  namespace: string,
  ask: Pick<Asking, 'labels'>,
): boolean {
  return namespace === own || isAmong(tenants, namespace, ask);
}

/** Labels are asked for only where they decide. */
export function isAmong(
  tenants: TenantsModel | undefined,
  namespace: string,
  ask: Pick<Asking, 'labels'>,
): boolean {
  if (tenants === undefined) return false;
  const { namespaces, selector, projects } = tenants;
  if (namespaces.includes(namespace)) return true;
  if (selector === undefined && projects.length === 0) return false;
  const labels = ask.labels(namespace);
  const project = Object.hasOwn(labels, projectLabel) ? labels[projectLabel] : undefined;
  return selects(selector, labels) || (project !== undefined && projects.includes(project));
}
