/** What TrafficPolicies say together of requests at one place: the entry in `policies`, and users that it lets in. */
import type { GatewayIntent } from '#intent/gateway.ts';
import type { GatewayErrorPage, GatewayPolicyIntent } from '#intent/gateway-policy.ts';
import type { TrafficPolicyModel, TrafficSettings } from '#model/gateway/policy-types.ts';
import type { BackendReference } from '#model/gateway/types.ts';
import type { EntryContext } from '../types.ts';
import type { PlacePolicies } from './levels.ts';
import { type FieldsOf, type Merged, merge } from './merge.ts';

/** As TrafficSettings, where each part of timeouts and buffering is somebody's own. */
export type TrafficFields = Omit<TrafficSettings, 'timeouts' | 'buffering'> & {
  readonly 'timeouts.request'?: number;
  readonly 'timeouts.backendRequest'?: number;
  readonly 'timeouts.connect'?: number;
  readonly 'buffering.requests'?: boolean;
  readonly 'buffering.answers'?: boolean;
};

export type MergedTraffic = Merged<TrafficPolicyModel, TrafficFields>;

export const trafficFields: FieldsOf<TrafficPolicyModel, TrafficFields> = {
  of({ settings: { timeouts, buffering, ...others } }) {
    const parts = {
      'timeouts.request': timeouts?.request,
      'timeouts.backendRequest': timeouts?.backendRequest,
      'timeouts.connect': timeouts?.connect,
      'buffering.requests': buffering?.requests,
      'buffering.answers': buffering?.answers,
    };
    const said = Object.entries(parts).filter(([, value]) => value !== undefined);
    return { ...others, ...Object.fromEntries(said) };
  },
  together: ['access', 'rateLimits', 'concurrency'],
  written: { maxBody: 'maxBodySize' },
};

/** Sends to a Service that a policy names; undefined: it can't be resolved. */
export type Resolve = (policy: TrafficPolicyModel, backend: BackendReference) => string | undefined;

export type TrafficUse = {
  /** Without `origins`. Undefined: nothing of what is said is a policy's own matter. */
  readonly entry?: Omit<GatewayPolicyIntent, 'origins' | 'firewall'>;
  readonly users: GatewayIntent['users'];
};

export function trafficOf(
  merged: MergedTraffic,
  { edge }: PlacePolicies,
  context: EntryContext,
  resolve: Resolve,
): TrafficUse {
  const basicAuth = merged.get('basicAuth');
  const secret = basicAuth && `${basicAuth.policy.namespace}/${basicAuth.value.secret}`;
  const users = secret === undefined ? undefined : context.users(secret);
  // Who could name a proxy of its own choice could pass for any client: so the outermost says it, insisted or not, and no route.
  const [proxies] = merge(edge.toReversed(), trafficFields).all('trustedProxies');
  const access = merged.all('access').map(({ value }) => value);
  const compression = merged.get('compression')?.value;
  const errors = merged.get('errors');
  const accessLog = merged.get('accessLog')?.value;
  const maxBody = merged.get('maxBody')?.value;
  const entry: TrafficUse['entry'] = {
    ...(proxies === undefined ? {} : { trustedProxies: proxies.value }),
    ...(access.length === 0 ? {} : { access }),
    ...limitsOf(merged),
    ...(maxBody === undefined ? {} : { maxBody }),
    ...(basicAuth === undefined
      ? {}
      : {
          basicAuth: {
            realm: basicAuth.value.realm,
            ...(users === undefined || secret === undefined ? {} : { users: secret }),
          },
        }),
    ...(compression === undefined ? {} : { compression }),
    ...(errors === undefined
      ? {}
      : { errors: errors.value.flatMap((page) => pageOf(page, errors.policy, resolve)) }),
    ...(accessLog?.fields === undefined
      ? {}
      : { accessLog: { fields: accessLog.fields, share: accessLog.share } }),
    ...bufferingOf(merged),
  };
  return {
    ...(Object.keys(entry).length === 0 ? {} : { entry }),
    users: users === undefined || secret === undefined ? {} : { [secret]: users },
  };
}

/** The counters of a policy are its own: all that it holds for counts together, unless it is counted by route. */
export function counterName({ key }: TrafficPolicyModel, field: 'rateLimits' | 'concurrency', index: number) {
  return `${key}/${field}/${index}`;
}

function limitsOf(merged: MergedTraffic): Pick<GatewayPolicyIntent, 'rateLimits' | 'concurrency'> {
  const rateLimits = merged.all('rateLimits').flatMap(({ value, policy }) =>
    value.map(({ by, requests, per, burst }, index) => ({
      counter: counterName(policy, 'rateLimits', index),
      by,
      requests,
      per,
      burst,
    })),
  );
  const concurrency = merged.all('concurrency').flatMap(({ value, policy }) =>
    value.map(({ by, requests }, index) => ({
      counter: counterName(policy, 'concurrency', index),
      by,
      requests,
    })),
  );
  return {
    ...(rateLimits.length === 0 ? {} : { rateLimits }),
    ...(concurrency.length === 0 ? {} : { concurrency }),
  };
}

/** A page that can't be asked for isn't one: clients see the answer itself. */
function pageOf(
  { codes, backend, body }: NonNullable<TrafficSettings['errors']>[number],
  policy: TrafficPolicyModel,
  resolve: Resolve,
): readonly GatewayErrorPage[] {
  if (body !== undefined) return [{ codes, body }];
  const use = backend === undefined ? undefined : resolve(policy, backend);
  return use === undefined ? [] : [{ codes, backend: use }];
}

function bufferingOf(merged: MergedTraffic): Pick<GatewayPolicyIntent, 'buffering'> {
  const requests = merged.get('buffering.requests')?.value === true;
  const answers = merged.get('buffering.answers')?.value === true;
  if (!requests && !answers) return {};
  return { buffering: { ...(requests ? { requests } : {}), ...(answers ? { answers } : {}) } };
}
