/** Reads who is a tenant: namespaces by name, by their labels, by project. */

import type { Refuse } from '../problem.ts';
import { type Raw, shown } from '../raw.ts';
import { readSelector } from '../selector.ts';
import { readList, readRaw } from './fields.ts';
import type { TenantsModel } from './policy-types.ts';

/** What can't be read of it names nobody. Absent is undefined: nobody is a tenant, either. */
export function readTenants(value: unknown, field: string, refuse: Refuse): TenantsModel | undefined {
  if (value === undefined || value === null) return undefined;
  const raw: Raw = readRaw(value, field, refuse);
  const given = raw['selector'];
  const selector =
    given === undefined || given === null ? undefined : readSelector(given, `${field}.selector`, refuse);
  return {
    namespaces: readNames(raw['namespaces'], `${field}.namespaces`, refuse),
    ...(selector === undefined ? {} : { selector }),
    projects: readNames(raw['projects'], `${field}.projects`, refuse),
  };
}

function readNames(value: unknown, field: string, refuse: Refuse): readonly string[] {
  const names = readList(value, field, refuse).flatMap((each, index) => {
    if (typeof each === 'string' && each !== '') return [each];
    return refuse(`${field}[${index}]`, 'InvalidValue', `${shown(each)} is no name`) ?? [];
  });
  return [...new Set(names)];
}
