/** Which namespaces are meant: by name, by their labels, by project. */

import type { Refuse } from '../problem.ts';
import { type Labels, readSelector, selects } from '../selector.ts';
import { called, readForm, readList, readRaw, readText } from './fields.ts';
import type { TenantsModel } from './policy-types.ts';

/** Label of a namespace: the project that it is of. */
export const projectLabel = 'cpaas.io/project';

/** What can't be read means nobody. */
export function readTenants(value: unknown, field: string, refuse: Refuse): TenantsModel {
  const raw = readRaw(value, field, refuse);
  const namespaces = readList(raw['namespaces'], `${field}.namespaces`, refuse).flatMap(
    (each, index) => readForm(each, `${field}.namespaces[${index}]`, called.namespace, refuse) ?? [],
  );
  const projects = readList(raw['projects'], `${field}.projects`, refuse).flatMap(
    (each, index) => readText(each, `${field}.projects[${index}]`, refuse) ?? [],
  );
  const given = raw['selector'];
  const selector =
    given === undefined || given === null ? undefined : readSelector(given, `${field}.selector`, refuse);
  return { namespaces, projects, ...(selector === undefined ? {} : { selector }) };
}

/** `labels`: of the namespace; asked for only where they decide. */
export function isTenant(
  { namespaces, selector, projects }: TenantsModel,
  namespace: string,
  labels: (namespace: string) => Labels,
): boolean {
  if (namespaces.includes(namespace)) return true;
  if (selector === undefined && projects.length === 0) return false;
  const own = labels(namespace);
  const project = Object.hasOwn(own, projectLabel) ? own[projectLabel] : undefined;
  return selects(selector, own) || (project !== undefined && projects.includes(project));
}
