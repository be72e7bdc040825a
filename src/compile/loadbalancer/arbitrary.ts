/** For tests: pools and Services as they may stand beside each other, small enough that they meet. */
import type { AddressPoolModel, LoadBalancerModel } from '#model/loadbalancer.ts';
import { balancerModel } from './testing.ts';

export { poolModel as pool } from './testing.ts';

/** `shop/web`: created in the order of the numbers given. */
export function service(
  key: string,
  order: number,
  extra: Partial<LoadBalancerModel> = {},
): LoadBalancerModel {
  const [namespace = '', name = ''] = key.split('/');
  return {
    ...balancerModel(name, []),
    origin: { kind: 'Service', namespace, name },
    key,
    namespace,
    uid: `${key} ${order}`,
    created: new Date(Date.UTC(2026, 0, 1, 0, 0, order)).toISOString(),
    ...extra,
  };
}

export function allocation(
  extra: Partial<NonNullable<AddressPoolModel['allocation']>>,
): Pick<AddressPoolModel, 'allocation'> {
  return {
    allocation: { priority: 0, namespaces: [], namespaceSelectors: [], serviceSelectors: [], ...extra },
  };
}
