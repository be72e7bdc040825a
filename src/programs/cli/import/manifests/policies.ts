/** TrafficPolicies, BackendPolicies and WAFPolicies as manifests; those for more targets than the API lets through become several. */
import type { KubeObject } from '#api/object.ts';
import type { GatewayHash } from '#intent/gateway-policy.ts';
import type {
  AttachedPolicy,
  BackendPolicyModel,
  CountedBy,
  TrafficPolicyModel,
  TrafficSettings,
  WAFPolicyModel,
} from '#model/gateway/policy-types.ts';
import { authManifest, backendManifest, corsManifest, defined } from './filters.ts';
import { validName } from './names.ts';
import { duration, manifest, type Printing, pieces } from './printing.ts';
import { retryManifest, sessionManifest } from './routes.ts';

const apiVersion = 'netloom.dev/v1alpha1';
const mostTargets = 16;

export function trafficPolicyManifests(
  policy: TrafficPolicyModel,
  printing: Printing,
): readonly KubeObject[] {
  return attached('TrafficPolicy', policy, trafficSpec(policy.settings, policy.namespace), printing);
}

export function wafPolicyManifests(policy: WAFPolicyModel, printing: Printing): readonly KubeObject[] {
  const { mode, paranoia, threshold, exclusions, rules } = policy.settings;
  const spec = defined({
    mode: mode === undefined ? undefined : modes[mode],
    paranoia,
    threshold,
    exclusions,
    configMapRefs: rules?.map((name) => ({ name })),
  });
  return attached('WAFPolicy', policy, spec, printing);
}

const modes = { off: 'Off', detect: 'Detect', block: 'Block' } as const;

export function backendPolicyManifests(
  policy: BackendPolicyModel,
  printing: Printing,
): readonly KubeObject[] {
  const { balance, health, breaker, mostRequests } = policy.settings;
  const spec = defined({
    balance:
      balance === undefined
        ? undefined
        : balance === 'leastRequests'
          ? { type: 'LeastRequests' }
          : { type: 'Hash', hash: hashManifest(balance) },
    healthCheck:
      health &&
      defined({
        type: health.protocol.toUpperCase(),
        path: health.path,
        host: health.host,
        codes: health.codes?.map(([from, to]) => ({ from, to })),
        interval: duration(health.interval),
        timeout: duration(health.timeout),
        healthy: health.healthy,
        unhealthy: health.unhealthy,
      }),
    circuitBreaker: breaker && { failures: breaker.failures, duration: duration(1000 * breaker.seconds) },
    maxRequests: mostRequests,
  });
  return attached('BackendPolicy', policy, spec, printing);
}

/** Routes that became several are all meant; a rule is in one of them. */
function attached(
  kind: string,
  { namespace, name, targets, enforced }: AttachedPolicy,
  spec: object,
  { renamed }: Printing,
): readonly KubeObject[] {
  if (Object.keys(spec).length === 0) return [];
  const found = targets.flatMap(({ group, kind: of, name: target, section }) => {
    const routes = renamed.get(`${of}/${namespace}/${target}`) ?? [{ name: validName(target), sections: [] }];
    const meant =
      section === undefined ? routes : routes.filter(({ sections }) => sections.includes(section));
    const sectionName = section === undefined ? {} : { sectionName: section };
    return meant.map((each) => ({ group, kind: of, name: each.name, ...sectionName }));
  });
  return pieces(found, mostTargets).map((targetRefs, index) =>
    manifest(
      apiVersion,
      kind,
      { namespace, name: index === 0 ? name : `${name}-${index + 1}` },
      { targetRefs, ...(enforced ? { enforced } : {}), ...spec },
    ),
  );
}

function trafficSpec(settings: TrafficSettings, own: string): object {
  const { access, rateLimits, concurrency, maxBody, basicAuth, externalAuth, cors, timeouts } = settings;
  const { affinity, canaries, mirrors, compression, errors, accessLog, buffering } = settings;
  return defined({
    trustedProxies: settings.trustedProxies,
    access,
    rateLimits: rateLimits?.map(({ requests, per, burst, by }) => ({
      requests,
      per: duration(per),
      ...(burst === 0 ? {} : { burst }),
      ...countedBy(by),
    })),
    concurrency: concurrency?.map(({ requests, by }) => ({ requests, ...countedBy(by) })),
    maxBodySize: maxBody,
    basicAuth:
      basicAuth && defined({ realm: basicAuth.realm || undefined, secretRef: { name: basicAuth.secret } }),
    externalAuth: externalAuth && authManifest(externalAuth, own),
    cors: cors && corsManifest(cors),
    timeouts:
      timeouts && Object.fromEntries(Object.entries(timeouts).map(([name, each]) => [name, duration(each)])),
    retry: settings.retry && retryManifest(settings.retry),
    affinity:
      affinity &&
      (affinity.type === 'session'
        ? { session: sessionManifest(affinity.session) }
        : { hash: hashManifest(affinity.hash) }),
    canaries: canaries?.map(({ header, cookie, share, backends }) =>
      defined({
        header:
          header &&
          defined({
            name: header.name,
            value: header.value,
            type: header.regex === true ? 'RegularExpression' : undefined,
          }),
        cookie,
        ...shareOf(share),
        backendRefs: backends.map((each) => backendManifest(each, own)),
      }),
    ),
    mirrors: mirrors?.map(({ backend, share }) => ({
      backendRef: backendManifest(backend, own, false),
      ...(share === 1_000_000 ? {} : shareOf(share)),
    })),
    compression,
    errors: errors?.map(({ codes, backend, body }) =>
      defined({ codes, backendRef: backend && backendManifest(backend, own, false), body }),
    ),
    accessLog: accessLog && {
      fields: accessLog.fields ?? [],
      ...(accessLog.share === 1_000_000 ? {} : { percent: Math.round(accessLog.share / 10_000) }),
    },
    buffering: buffering && defined({ requests: buffering.requests, responses: buffering.answers }),
  });
}

const counters = { client: 'Client', route: 'Route', tenant: 'Tenant' } as const;

function countedBy(by: readonly CountedBy[]): object {
  const names = by.flatMap((each) => (typeof each === 'string' ? [counters[each]] : []));
  const header = by.flatMap((each) => (typeof each === 'string' ? [] : [each.header]))[0];
  return {
    ...(names.length === 0 ? {} : { by: names }),
    ...(header === undefined ? {} : { byHeader: header }),
  };
}

function shareOf(share: number | undefined): object {
  if (share === undefined) return {};
  return share % 10_000 === 0
    ? { percent: share / 10_000 }
    : { fraction: { numerator: share, denominator: 1_000_000 } };
}

const sources = {
  client: 'Client',
  header: 'Header',
  cookie: 'Cookie',
  query: 'Query',
  path: 'Path',
} as const;

function hashManifest({ by, name }: GatewayHash): object {
  return defined({ by: sources[by], name });
}
