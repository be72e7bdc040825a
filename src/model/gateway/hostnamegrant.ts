/** Reads HostnameGrants. */
import type { KubeObject } from '#api/object.ts';
import { collectProblems, type Read } from '../problem.ts';
import { forms, gatewayObject, readHostname, readList, readRaw } from './fields.ts';
import type { HostnameGrantModel } from './policy-types.ts';
import { readTenants } from './tenants.ts';

/** A hostname that can't be read is nobody's; tenants that can't be read may nothing, and yet nobody else may. */
export function readHostnameGrant(object: KubeObject): Read<HostnameGrantModel> {
  const head = gatewayObject(object);
  const { problems, refuse } = collectProblems(head.origin);
  const spec = readRaw(object['spec'], 'spec', refuse);
  const hostnames = readList(spec['hostnames'], 'spec.hostnames', refuse).flatMap(
    (each, index) => readHostname(each, `spec.hostnames[${index}]`, forms.hostname, refuse) ?? [],
  );
  const tenants = readTenants(spec['tenants'], 'spec.tenants', refuse) ?? { namespaces: [], projects: [] };
  return { value: { ...head, hostnames: [...new Set(hostnames)], tenants }, problems };
}
