/** Reads ReferenceGrants. */
import type { KubeObject } from '#api/object.ts';
import { collectProblems, type Read } from '../problem.ts';
import { gatewayObject, readEntries, readRaw, readText } from './fields.ts';
import type { ReferenceGrantModel } from './types.ts';

/** What can't be read permits nothing. */
export function readReferenceGrant(object: KubeObject): Read<ReferenceGrantModel> {
  const head = gatewayObject(object);
  const { problems, refuse } = collectProblems(head.origin);
  const spec = readRaw(object['spec'], 'spec', refuse);
  const from = readEntries(spec['from'], 'spec.from', refuse).flatMap(({ raw, field }) => {
    const group = raw['group'] === '' ? '' : readText(raw['group'], `${field}.group`, refuse);
    const kind = readText(raw['kind'], `${field}.kind`, refuse);
    const namespace = readText(raw['namespace'], `${field}.namespace`, refuse);
    if (group !== undefined && kind !== undefined && namespace !== undefined)
      return [{ group, kind, namespace }];
    return refuse(field, 'Required', 'needs group, kind and namespace; it permits nothing') ?? [];
  });
  const to = readEntries(spec['to'], 'spec.to', refuse).flatMap(({ raw, field }) => {
    const group = raw['group'] === '' ? '' : readText(raw['group'], `${field}.group`, refuse);
    const kind = readText(raw['kind'], `${field}.kind`, refuse);
    const given = raw['name'] !== undefined && raw['name'] !== null;
    const name = readText(raw['name'], `${field}.name`, refuse);
    if (group !== undefined && kind !== undefined && (!given || name !== undefined))
      return [{ group, kind, ...(name === undefined ? {} : { name }) }];
    return refuse(field, 'Required', 'needs group, kind and a name or none; it permits nothing') ?? [];
  });
  return { value: { ...head, from, to }, problems };
}
