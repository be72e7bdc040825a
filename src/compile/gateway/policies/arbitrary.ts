/** For tests: any policies, at targets that meet those of ../arbitrary.ts. */
import fc from 'fast-check';
import type { TrafficSettings } from '#model/gateway/policy-types.ts';
import { backend, backendPolicy, trafficPolicy, wafPolicy } from '../samples.ts';

const backendKey = fc.constantFrom('shop/web', 'shop/web', 'other/web', 'shop/none');
const targets = fc.uniqueArray(
  fc.constantFrom(
    'Gateway edge',
    'Gateway edge',
    'Gateway edge x',
    'Gateway none',
    'ListenerSet more',
    'ListenerSet more y',
    'HTTPRoute r',
    'HTTPRoute r one',
    'GRPCRoute r',
    'Ingress i',
    'ALB lb',
    'Service web',
  ),
  { minLength: 1, maxLength: 2 },
);
const common = fc.record({
  key: fc.constantFrom('shop/p', 'shop/p', 'shop/q', 'other/p'),
  targets,
  part: fc.record({ second: fc.integer({ min: 0, max: 1 }), enforced: fc.boolean() }),
});
const settings: fc.Arbitrary<TrafficSettings> = fc.record(
  {
    access: fc.constantFrom({ allow: ['192.0.2.0/24'] }, { deny: ['198.51.100.1/32'] }),
    rateLimits: fc.constant([{ requests: 10, per: 1000, burst: 0, by: ['client' as const] }]),
    maxBody: fc.constantFrom(0, 1000),
    trustedProxies: fc.constantFrom(['10.0.0.0/8'], ['192.0.2.1/32']),
    basicAuth: fc.constantFrom({ realm: 'r', secret: 'cert' }, { realm: 'r', secret: 'none' }),
    timeouts: fc.constantFrom({ request: 1000 }, { connect: 5 }),
    mirrors: backendKey.map((key) => [{ backend: backend(key), share: 500_000 }]),
    canaries: backendKey.map((key) => [{ share: 1000, backends: [backend(key)] }]),
  },
  { requiredKeys: [] },
);
export const anyPolicy = fc.tuple(common, settings).map(([{ key, targets: at, part }, says]) =>
  trafficPolicy(key, at, says, {
    ...part,
    ...(says.maxBody === 0 ? { refused: [{ field: 'spec.access', message: 'bad', protects: true }] } : {}),
  }),
);
export const anyFirewall = common.map(({ key, targets: at, part }) =>
  wafPolicy(key, at, { mode: 'block' }, part),
);
export const anyBackendPolicy = common.map(({ key, targets: at, part }) =>
  backendPolicy(key, at, { balance: 'leastRequests' }, part),
);
