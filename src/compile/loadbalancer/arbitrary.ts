/** For tests: pools and Services as they may stand beside each other, small enough that they meet. */
import type { AddressPoolModel, LoadBalancerModel } from '#model/loadbalancer.ts';
import { parseRange } from '#net/range.ts';

export function pool(
  name: string,
  addresses: readonly string[],
  extra: Partial<AddressPoolModel> = {},
): AddressPoolModel {
  return {
    origin: { kind: 'IPAddressPool', namespace: 'metallb-system', name },
    name,
    created: '2026-01-01T00:00:00Z',
    labels: {},
    ranges: addresses.map((text) => parseRange(text)!),
    autoAssign: true,
    avoidsBuggyAddresses: false,
    ...extra,
  };
}

/** `shop/web`: created in the order of the numbers given. */
export function service(
  key: string,
  order: number,
  extra: Partial<LoadBalancerModel> = {},
): LoadBalancerModel {
  const [namespace = '', name = ''] = key.split('/');
  return {
    origin: { kind: 'Service', namespace, name },
    key,
    namespace,
    uid: `${key} ${order}`,
    created: new Date(Date.UTC(2026, 0, 1, 0, 0, order)).toISOString(),
    labels: {},
    families: [4],
    familyPolicy: 'SingleStack',
    local: false,
    selector: `app=${name}`,
    ports: [{ protocol: 'tcp', port: 80 }],
    assigned: [],
    deleted: false,
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
