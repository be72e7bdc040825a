/** Reads TrafficPolicies. */
import type { KubeObject } from '#api/object.ts';
import type { Read } from '../problem.ts';
import { type ReadField, readAttached } from './attached.ts';
import { readEntries, readRaw } from './fields.ts';
import { readMirror } from './filters.ts';
import { readCORS, readExternalAuth } from './guards.ts';
import { readRetry } from './httprules.ts';
import type { TrafficPolicyModel, TrafficSettings } from './policy-types.ts';
import {
  readAccess,
  readBasicAuth,
  readConcurrency,
  readMaxBody,
  readPrefixes,
  readRateLimits,
} from './trafficlimits.ts';
import {
  readAccessLog,
  readAffinity,
  readBuffering,
  readCanaries,
  readCompression,
  readErrors,
  readPolicyTimeouts,
} from './trafficparts.ts';

/** Always has a value: a policy that can't be read must not open what it was to close. */
export function readTrafficPolicy(object: KubeObject): Read<TrafficPolicyModel> {
  return readAttached(object, readSettings);
}

const protects = { protects: true };
const serves = { protects: false };

/** So many mirrors a policy may have. */
const mostMirrors = 8;

function readSettings(field: ReadField, namespace: string): TrafficSettings {
  const read = {
    trustedProxies: field('trustedProxies', protects, readPrefixes),
    access: field('access', protects, readAccess),
    rateLimits: field('rateLimits', protects, readRateLimits),
    concurrency: field('concurrency', protects, readConcurrency),
    maxBody: field('maxBodySize', protects, readMaxBody),
    basicAuth: field('basicAuth', protects, readBasicAuth),
    externalAuth: field('externalAuth', protects, (value, at, refuse) =>
      readExternalAuth({ raw: readRaw(value, at, refuse), field: at }, namespace, refuse),
    ),
    cors: field('cors', serves, (value, at, refuse) =>
      readCORS({ raw: readRaw(value, at, refuse), field: at }, refuse),
    ),
    timeouts: field('timeouts', serves, readPolicyTimeouts),
    retry: field('retry', serves, readRetry),
    affinity: field('affinity', serves, readAffinity),
    canaries: field('canaries', serves, (value, at, refuse) => readCanaries(value, at, namespace, refuse)),
    mirrors: field('mirrors', serves, (value, at, refuse) =>
      readEntries(value, at, refuse)
        .slice(0, mostMirrors)
        .map((entry) => {
          const { backend, share } = readMirror(entry, namespace, refuse);
          return { backend, share };
        }),
    ),
    compression: field('compression', serves, readCompression),
    errors: field('errors', serves, (value, at, refuse) => readErrors(value, at, namespace, refuse)),
    accessLog: field('accessLog', serves, readAccessLog),
    buffering: field('buffering', serves, readBuffering),
  };
  return Object.fromEntries(
    Object.entries(read).filter(([, value]) => value !== undefined),
  ) as TrafficSettings;
}
