/** Whatever an object says, readers read it without a throw, and nothing of it can end a line of HTTP or leave its field. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { KubeObject } from '#api/object.ts';
import { inspectAuthority, inspectCertificate } from '#system/certificate.ts';
import { problemCodes, type Read } from '../problem.ts';
import { readALB } from './alb.ts';
import { hostile } from './arbitrary.ts';
import { readAuthority } from './authority.ts';
import { readBackendPolicy } from './backendpolicy.ts';
import { readBackendService } from './backendservice.ts';
import { readBackendTLSPolicy } from './backendtlspolicy.ts';
import { readCertificate } from './certificate.ts';
import { readGateway } from './gateway.ts';
import { readGatewayClass } from './gatewayclass.ts';
import { readHostnameGrant } from './hostnamegrant.ts';
import { readListenerSet } from './listenerset.ts';
import { readReferenceGrant } from './referencegrant.ts';
import { regexProblem } from './regex.ts';
import { readRoute } from './route.ts';
import * as samples from './samples.ts';
import { readTrafficPolicy } from './trafficpolicy.ts';
import { readUsers } from './users.ts';

const data = {
  'tls.crt': 'LS0tLS1CRUdJTiBY',
  'tls.key': 'LS0tLS1FTkQgWC0=',
  'ca.crt': '-----BEGIN CERTIFICATE-----',
};
const { sampleOf } = samples;

const readers: readonly (readonly [KubeObject, (object: KubeObject) => Read<unknown>])[] = [
  [sampleOf('GatewayClass', samples.classSpec), readGatewayClass],
  [sampleOf('Gateway', samples.gatewaySpec), readGateway],
  [sampleOf('ListenerSet', samples.listenerSetSpec), readListenerSet],
  [sampleOf('HTTPRoute', samples.httpSpec), readRoute],
  [sampleOf('GRPCRoute', samples.grpcSpec), readRoute],
  [sampleOf('TLSRoute', samples.tlsSpec), readRoute],
  [sampleOf('TCPRoute', samples.tlsSpec), readRoute],
  [sampleOf('UDPRoute', samples.tlsSpec), readRoute],
  [sampleOf('ReferenceGrant', samples.grantSpec), readReferenceGrant],
  [sampleOf('BackendTLSPolicy', samples.policySpec), readBackendTLSPolicy],
  [
    sampleOf('HostnameGrant', {
      hostnames: ['a.example', '*.b.example'],
      tenants: { namespaces: ['a'], selector: { matchLabels: { team: 'a' } }, projects: ['p'] },
    }),
    readHostnameGrant,
  ],
  [sampleOf('ALB', samples.albSpec), readALB],
  [sampleOf('TrafficPolicy', samples.trafficSpec), readTrafficPolicy],
  [sampleOf('BackendPolicy', samples.backendPolicySpec), readBackendPolicy],
  [sampleOf('Secret', undefined, { data: { auth: btoa(samples.passwordFile) } }), readUsers],
  [sampleOf('Service', samples.serviceSpec), readBackendService],
  [
    sampleOf('Secret', undefined, { type: 'kubernetes.io/tls', data }),
    (object) => readCertificate(object, inspectCertificate),
  ],
  [sampleOf('ConfigMap', undefined, { data }), (object) => readAuthority(object, inspectAuthority)],
];

/** Values in a model that could do harm where they go, with where they are. */
function strays(model: unknown, path: string): readonly string[] {
  if (typeof model === 'number') return Number.isFinite(model) ? [] : [path];
  if (typeof model === 'string') return isHarmless(model, path) ? [] : [`${path}: ${JSON.stringify(model)}`];
  if (Array.isArray(model)) return model.flatMap((each, index) => strays(each, `${path}[${index}]`));
  if (model instanceof Map)
    return [...model].flatMap(([key, each]) => strays(each, `${path}.${String(key)}`));
  if (typeof model !== 'object' || model === null) return [];
  const { type, value } = model as { readonly type?: unknown; readonly value?: unknown };
  const hasBadRegex =
    // Of an address the type is whatever is written.
    !path.includes('addresses[') &&
    type === 'RegularExpression' &&
    typeof value === 'string' &&
    regexProblem(value) !== undefined;
  return [
    ...(hasBadRegex ? [`${path}: ${value}`] : []),
    ...Object.entries(model).flatMap(([key, each]) => strays(each, `${path}.${key}`)),
  ];
}

function isHarmless(text: string, path: string): boolean {
  if (/(headers|add|set)\[\d+\]\.(name|value)$/.test(path)) return /^[\t -~]+$/.test(text);
  if (/\.path(\.value)?$/.test(path)) return /^[!-~]*$/.test(text);
  if (/hostnames?(\[\d+\])?$/.test(path) && path !== 'ALB.hostnames')
    return /^(\*\.)?[a-z0-9.-]*$/.test(text);
  // Names of objects are looked up, messages are shown.
  const isSaid = /\.filters\[\d+\]\./.test(path) && !/\.backend\.|\.(message|field)$/.test(path);
  return !isSaid || /^[\t -~]*$/.test(text);
}

test.each(readers.map(([object, read]) => [object.kind, object, read] as const))(
  '%s: any JSON is read into what the type promises',
  (_, sample, read) => {
    fc.assert(
      fc.property(hostile(sample), (object) => {
        const { value, problems } = read(object);
        for (const { code, message, field } of problems) {
          const isGood = problemCodes.includes(code) && message.length > 5 && !/[\r\n]/.test(message + field);
          expect(isGood, `${field} ${code}: ${message}`).toBe(true);
        }
        if (value === undefined) expect(problems).not.toEqual([]);
        expect(strays(value, object.kind)).toEqual([]);
      }),
      { numRuns: 10_000 },
    );
  },
);
