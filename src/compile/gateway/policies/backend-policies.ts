/** What BackendPolicies say of one port of a Service: the port's own before the whole Service's. */
import type { GatewayBackendIntent } from '#intent/gateway.ts';
import type { BackendPolicyModel } from '#model/gateway/policy-types.ts';
import type { BackendServiceModel } from '#model/gateway/types.ts';
import type { BackendUse } from '../types.ts';
import { inForce, type Levels } from './levels.ts';
import { type FieldsOf, merge } from './merge.ts';
import type { AttachedPolicies } from './types.ts';

export const backendFields: FieldsOf<BackendPolicyModel, BackendPolicyModel['settings']> = {
  of: ({ settings }) => settings,
  together: [],
  written: { health: 'healthCheck', breaker: 'circuitBreaker', mostRequests: 'maxRequests' },
};

/** How endpoints of requests are chosen is no matter of connections that pass through. */
export function backendSettings(
  service: BackendServiceModel,
  { port, protocol }: Pick<BackendUse, 'port' | 'protocol'>,
  { ofService }: Pick<AttachedPolicies, 'ofService'>,
): Pick<GatewayBackendIntent, 'balance' | 'health' | 'breaker' | 'mostRequests'> {
  const policies = ofService(service.key);
  if (policies.length === 0 || protocol === 'tcp' || protocol === 'udp') return {};
  const entry = service.ports.find((each) => each.port === port && each.protocol.toUpperCase() === 'TCP');
  const sections = entry === undefined || entry.name === '' ? [undefined] : [entry.name, undefined];
  const levels: Levels<BackendPolicyModel> = sections
    .map((section) => inForce(policies, `Service/${service.key}`, section))
    .filter((level) => level.length > 0);
  const merged = merge(levels, backendFields);
  const [balance, health] = [merged.get('balance')?.value, merged.get('health')?.value];
  const [breaker, mostRequests] = [merged.get('breaker')?.value, merged.get('mostRequests')?.value];
  return {
    ...(balance === undefined ? {} : { balance }),
    ...(health === undefined ? {} : { health }),
    ...(breaker === undefined ? {} : { breaker }),
    ...(mostRequests === undefined ? {} : { mostRequests }),
  };
}
