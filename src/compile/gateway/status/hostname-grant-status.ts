/** What is said of a HostnameGrant. */
import type { HostnameGrantModel } from '#model/gateway/policy-types.ts';
import { condition } from '../listeners/listener-conditions.ts';
import type { GatewayStatus } from '../types.ts';
import type { Statuses } from './statuses.ts';

export function sayHostnameGrant(
  key: string,
  model: HostnameGrantModel | undefined,
  statuses: Statuses,
): void {
  if (model === undefined) statuses.leave(`HostnameGrant/${key}`);
  else statuses.say(`HostnameGrant/${key}`, model.generation, hostnameGrantStatus(model));
}

function hostnameGrantStatus({ key, hostnames, tenants }: HostnameGrantModel): GatewayStatus {
  const { namespaces, selector, projects } = tenants;
  const said = (status: 'True' | 'False', reason: string, message: string): GatewayStatus => ({
    kind: 'HostnameGrant',
    key,
    conditions: [condition('Accepted', status, reason, message)],
  });
  if (hostnames.length === 0) return said('False', 'Invalid', 'None of its hostnames can be read');
  if (namespaces.length + projects.length === 0 && selector === undefined)
    return said('True', 'NoTenants', 'It names nobody: nobody may have its hostnames');
  return said('True', 'Accepted', 'It holds at every gateway of ours');
}
