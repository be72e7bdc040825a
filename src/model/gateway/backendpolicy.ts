/** Reads BackendPolicies. */
import type { KubeObject } from '#api/object.ts';
import type { GatewayHealthCheck } from '#intent/gateway-policy.ts';
import type { Read, Refuse } from '../problem.ts';
import { type ReadField, readAttached } from './attached.ts';
import { readDuration } from './duration.ts';
import { forms, readChoice, readEntries, readHostname, readInteger, readRaw } from './fields.ts';
import { readPathText } from './matches.ts';
import type { BackendPolicyModel } from './policy-types.ts';
import { readHash } from './trafficparts.ts';

export function readBackendPolicy(object: KubeObject): Read<BackendPolicyModel> {
  return readAttached(object, readSettings);
}

type Settings = BackendPolicyModel['settings'];

/** Nothing of it keeps anybody out. */
const serves = { protects: false };

function readSettings(field: ReadField): Settings {
  const balance = field('balance', serves, readBalance);
  const health = field('healthCheck', serves, readHealthCheck);
  const breaker = field('circuitBreaker', serves, readBreaker);
  const mostRequests = field('maxRequests', serves, (value, at, refuse) =>
    readInteger(value, at, [1, 1_000_000], refuse),
  );
  return {
    ...(balance === undefined ? {} : { balance }),
    ...(health === undefined ? {} : { health }),
    ...(breaker === undefined ? {} : { breaker }),
    ...(mostRequests === undefined ? {} : { mostRequests }),
  };
}

function readBalance(value: unknown, field: string, refuse: Refuse): Settings['balance'] {
  const raw = readRaw(value, field, refuse);
  const type = readChoice(raw['type'], `${field}.type`, ['LeastRequests', 'Hash'], refuse);
  if (type === undefined) return refuse(`${field}.type`, 'Required', 'needs LeastRequests or Hash');
  return type === 'LeastRequests' ? 'leastRequests' : readHash(raw['hash'], `${field}.hash`, refuse);
}

const usualCodes = [[200, 399]] as const;

function readHealthCheck(value: unknown, field: string, refuse: Refuse): GatewayHealthCheck {
  const raw = readRaw(value, field, refuse);
  const type = readChoice(raw['type'], `${field}.type`, ['HTTP', 'TCP'], refuse) ?? 'HTTP';
  const milliseconds = (name: 'interval' | 'timeout', usual: string): number => {
    const at = `${field}.${name}`;
    const time = readDuration(raw[name] ?? usual, at, refuse) ?? 1000;
    if (time < 100 || time > 3_600_000) refuse(at, 'InvalidTimeout', 'is not from 100ms to 1h');
    return time;
  };
  const interval = milliseconds('interval', '10s');
  const timeout = milliseconds('timeout', interval < 2000 ? `${interval}ms` : '2s');
  if (timeout > interval) refuse(`${field}.timeout`, 'InvalidTimeout', 'is longer than interval');
  const times = (name: 'healthy' | 'unhealthy', usual: number) =>
    readInteger(raw[name], `${field}.${name}`, [1, 100], refuse) ?? usual;
  const common = {
    interval,
    timeout,
    healthy: times('healthy', 2),
    unhealthy: times('unhealthy', 3),
  };
  if (type === 'TCP') return { protocol: 'tcp', ...common };
  const path = raw['path'] == null ? '/' : (readPathText(raw['path'], `${field}.path`, refuse) ?? '/');
  const host = readHostname(raw['host'], `${field}.host`, forms.preciseHostname, refuse);
  const codes = readEntries(raw['codes'], `${field}.codes`, refuse)
    .slice(0, 16)
    .flatMap(({ raw: range, field: at }): readonly (readonly [number, number])[] => {
      const from = readInteger(range['from'], `${at}.from`, [100, 599], refuse);
      const to = readInteger(range['to'], `${at}.to`, [100, 599], refuse);
      if (from !== undefined && to !== undefined && from <= to) return [[from, to]];
      return refuse(at, 'InvalidRange', 'needs from and to, from not above to') ?? [];
    });
  return {
    protocol: 'http',
    path,
    ...(host === undefined ? {} : { host }),
    codes: codes.length === 0 ? usualCodes : codes,
    ...common,
  };
}

function readBreaker(value: unknown, field: string, refuse: Refuse): Settings['breaker'] {
  const raw = readRaw(value, field, refuse);
  const at = `${field}.duration`;
  const time = readDuration(raw['duration'] ?? '30s', at, refuse) ?? 30_000;
  if (time < 1000 || time > 3_600_000) refuse(at, 'InvalidTimeout', 'is not from 1s to 1h');
  return {
    failures: readInteger(raw['failures'], `${field}.failures`, [1, 100], refuse) ?? 5,
    seconds: Math.ceil(time / 1000),
  };
}
