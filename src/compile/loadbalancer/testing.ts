/** Models of pools, advertisements, Services, slices and nodes for tests, with what a test says of them. */
import type { EndpointSliceModel } from '#model/endpointslice.ts';
import type { L2AdvertisementModel } from '#model/l2advertisement.ts';
import type { AddressPoolModel, LoadBalancerModel } from '#model/loadbalancer.ts';
import type { NodeModel } from '#model/node.ts';
import { parseRange } from '#net/range.ts';

export function poolModel(
  name: string,
  ranges: readonly string[],
  part: Partial<AddressPoolModel> = {},
): AddressPoolModel {
  return {
    origin: { kind: 'IPAddressPool', namespace: 'metallb-system', name },
    name,
    created: '2026-01-01T00:00:00Z',
    labels: {},
    ranges: ranges.map((text) => parseRange(text)!),
    autoAssign: true,
    avoidsBuggyAddresses: false,
    ...part,
  };
}

export function l2Model(name: string, part: Partial<L2AdvertisementModel> = {}): L2AdvertisementModel {
  return {
    origin: { kind: 'L2Advertisement', namespace: 'metallb-system', name },
    name,
    created: '2026-01-01T00:00:00Z',
    pools: [],
    poolSelectors: [],
    nodeSelectors: [],
    serviceSelectors: [],
    interfaces: [],
    preferences: [],
    ...part,
  };
}

export function balancerModel(
  name: string,
  assigned: readonly string[],
  part: Partial<LoadBalancerModel> = {},
): LoadBalancerModel {
  return {
    origin: { kind: 'Service', namespace: 'shop', name },
    key: `shop/${name}`,
    namespace: 'shop',
    uid: name,
    created: '2026-01-01T00:00:00Z',
    labels: {},
    families: [4],
    familyPolicy: 'SingleStack',
    local: false,
    selector: `app=${name}`,
    ports: [{ protocol: 'tcp', port: 80 }],
    assigned,
    deleted: false,
    ...part,
  };
}

/** `places`: names of nodes, one ready endpoint each. */
export function sliceModel(service: string, places: readonly string[]): EndpointSliceModel {
  return {
    origin: { kind: 'EndpointSlice', namespace: 'shop', name: service },
    service: `shop/${service}`,
    family: 4,
    ports: [{ name: '', protocol: 'tcp', port: 8080 }],
    endpoints: places.map((node, index) => ({
      address: `10.244.0.${index + 1}`,
      ready: true,
      serving: true,
      terminating: false,
      node,
    })),
  };
}

export function nodeModel(name: string, part: Partial<NodeModel> = {}): NodeModel {
  return {
    origin: { kind: 'Node', name },
    name,
    uid: name,
    addresses: ['192.168.66.1'],
    labels: {},
    ...part,
  };
}
