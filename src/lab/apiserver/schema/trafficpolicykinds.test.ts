/** What our definitions of policies take and refuse, with their rules in CEL; what stands in the examples is among it. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { crdOf } from '#api/crd.ts';
import { kinds } from '#api/kinds.ts';
import type { KubeObject } from '#api/object.ts';
import { backendPolicySpec, sampleOf, trafficSpec } from '#model/gateway/samples.ts';
import { servedKindsOf } from './crd.ts';
import { type AdmitOptions, admit } from './validate.ts';

const create: AdmitOptions = { operation: 'create', fieldValidation: 'Strict', cel: true };
const policyKinds = kinds.filter(({ kind }) => ['TrafficPolicy', 'BackendPolicy'].includes(kind));

/** What is wrong with it, in one text. */
function wrong(object: KubeObject): string {
  const definition = policyKinds.find(({ kind }) => kind === object.kind)!;
  const { value, problems } = servedKindsOf(crdOf(definition));
  expect(problems).toEqual([]);
  return value
    .flatMap(({ schema }) => admit(schema, object as Record<string, unknown>, create).problems)
    .map((each) => JSON.stringify(each))
    .join('\n');
}

const group = 'gateway.networking.k8s.io';
const route = { group, kind: 'HTTPRoute', name: 'web' };
const gateway = { group, kind: 'Gateway', name: 'edge' };
const service = { kind: 'Service', name: 'web' };
const canary = { percent: 5, backendRefs: [{ name: 'next', port: 80 }] };

test('all that can be said is taken', () => {
  const access = { allow: ['192.0.2.0/24'], deny: ['192.0.2.1'] };
  expect(wrong(sampleOf('TrafficPolicy', { ...trafficSpec, access }))).toBe('');
  const healthCheck = { ...backendPolicySpec.healthCheck, host: 'web.example' };
  expect(wrong(sampleOf('BackendPolicy', { ...backendPolicySpec, healthCheck }))).toBe('');
});

test('so is what stands in the examples', () => {
  const text = readFileSync(new URL('../../../../examples/gateway-policies.yaml', import.meta.url), 'utf8');
  const objects = parseAllDocuments(text).map((each) => each.toJS() as KubeObject);
  const own = objects.filter(({ kind }) => policyKinds.some((each) => each.kind === kind));
  expect(own.length).toBeGreaterThan(4);
  for (const object of own) expect([object.metadata.name, wrong(object)]).toEqual([object.metadata.name, '']);
});

test.each<[string, string, object, string]>([
  ['no target', 'TrafficPolicy', {}, 'targetRefs'],
  [
    'a Service as a target',
    'TrafficPolicy',
    { targetRefs: [{ group: '', ...service }] },
    'a target is a Gateway',
  ],
  [
    'a kind of another group',
    'TrafficPolicy',
    { targetRefs: [{ ...route, group: 'x.io' }] },
    'a target is a Gateway',
  ],
  ['a target twice', 'TrafficPolicy', { targetRefs: [route, route] }, 'stands there twice'],
  [
    'a section of an Ingress',
    'TrafficPolicy',
    { targetRefs: [{ group: 'networking.k8s.io', kind: 'Ingress', name: 'i', sectionName: 'a' }] },
    'no sections',
  ],
  [
    'canaries of a Gateway',
    'TrafficPolicy',
    { targetRefs: [gateway], canaries: [canary] },
    'canaries are for',
  ],
  [
    'proxies of a route',
    'TrafficPolicy',
    { targetRefs: [route], trustedProxies: ['10.0.0.0/8'] },
    'trustedProxies are for',
  ],
  ['no access', 'TrafficPolicy', { targetRefs: [route], access: {} }, 'needs allow or deny'],
  [
    'an address that is none',
    'TrafficPolicy',
    { targetRefs: [route], access: { deny: ['a.example'] } },
    'access.deny',
  ],
  [
    'a canary that nobody gets to',
    'TrafficPolicy',
    { targetRefs: [route], canaries: [{ backendRefs: canary.backendRefs }] },
    'needs header, cookie',
  ],
  [
    'two affinities',
    'TrafficPolicy',
    { targetRefs: [route], affinity: { session: {}, hash: { by: 'Path' } } },
    'either session or hash',
  ],
  [
    'a hash without a name',
    'TrafficPolicy',
    { targetRefs: [route], affinity: { hash: { by: 'Header' } } },
    'need a name',
  ],
  [
    'a page in no way',
    'TrafficPolicy',
    { targetRefs: [route], errors: [{ codes: [404] }] },
    'either backendRef or body',
  ],
  [
    'a realm that ends its header',
    'TrafficPolicy',
    { targetRefs: [route], basicAuth: { realm: 'a"', secretRef: { name: 'u' } } },
    'realm',
  ],
  [
    'a field of no log',
    'TrafficPolicy',
    { targetRefs: [route], accessLog: { fields: ['password'] } },
    'accessLog.fields',
  ],
  [
    'a Gateway as a target of a BackendPolicy',
    'BackendPolicy',
    { targetRefs: [gateway] },
    'a target is a Service',
  ],
  [
    'a hash for the fewest',
    'BackendPolicy',
    { targetRefs: [service], balance: { type: 'LeastRequests', hash: { by: 'Path' } } },
    'hash is for type Hash',
  ],
  [
    'a path of TCP',
    'BackendPolicy',
    { targetRefs: [service], healthCheck: { type: 'TCP', path: '/' } },
    'are for type HTTP',
  ],
  [
    'a check longer than its interval',
    'BackendPolicy',
    { targetRefs: [service], healthCheck: { interval: '1s', timeout: '2s' } },
    'longer than interval',
  ],
])('%s is refused', (_, kind, spec, message) => {
  expect(wrong(sampleOf(kind, spec))).toContain(message);
});
