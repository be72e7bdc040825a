/** Routes of a gateway and the requests for them, as many as asked for: ten paths a host, prefixes of two segments. */
import type { GatewayChange, GatewayIntent } from '#intent/gateway.ts';

export type RoutedRequest = {
  readonly host: string;
  readonly path: string;
  /** Besides Host; of HTTP/1.1 only. */
  readonly headers?: Readonly<Record<string, string>>;
};

const pathsEach = 10;
const listener = 'gateway/bench/bench/http';
const origin = { kind: 'HTTPRoute', namespace: 'bench', name: 'bench' };

/** One listener on port 80 and, where certificates are given, one on 443, each with all the routes; all lead to `endpoints`. */
export function gatewayRoutes(
  routes: number,
  endpoints: readonly string[],
  certificate?: { readonly certificate: string; readonly privateKey: string },
): GatewayChange {
  const listeners = certificate === undefined ? [listener] : [listener, `${listener}s`];
  const rules: Record<string, GatewayIntent['rules'][string]> = {};
  const actions: Record<string, GatewayIntent['actions'][string]> = {};
  for (let index = 0; index < routes; index++) {
    const { host, path } = place(index);
    const action = `HTTPRoute/bench/route-${index}|0`;
    actions[action] = {
      origin: { ...origin, name: `route-${index}`, rule: 'spec.rules[0]' },
      kind: 'http',
      backends: [{ backend: 'bench/backend:80', weight: 1 }],
    };
    for (const each of listeners) {
      rules[`${each}|${host}|HTTPRoute/bench/route-${index}|0.0`] = {
        listener: each,
        host,
        path: { type: 'prefix', value: path },
        rank: String(index).padStart(6, '0'),
        action,
      };
    }
  }
  const secure = certificate !== undefined;
  return {
    generation: 1,
    after: 0,
    replace: true,
    put: {
      ports: {
        'tcp/80': { port: 80, kind: 'http', slot: 0 },
        ...(secure ? { 'tcp/443': { port: 443, kind: 'https' as const, slot: 0 } } : {}),
      },
      listeners: {
        [listener]: { origin, port: 'tcp/80', kind: 'http', hostname: '' },
        ...(secure
          ? {
              [`${listener}s`]: {
                origin,
                port: 'tcp/443',
                kind: 'https' as const,
                hostname: '',
                certificates: ['bench/certificate'],
              },
            }
          : {}),
      },
      rules,
      actions,
      backends: { 'bench/backend:80': { origin, protocol: 'http', endpoints } },
      ...(secure
        ? { certificates: { 'bench/certificate': { origin, ...certificate, names: ['*.bench.example'] } } }
        : {}),
    },
    remove: {},
  };
}

/** `count` requests, each for another route as far as there are so many, spread over all of them. */
export function routedRequests(routes: number, count: number): RoutedRequest[] {
  return Array.from({ length: count }, (_, index) => {
    const { host, path } = place((index * 7919) % routes);
    return { host, path: `${path}/item` };
  });
}

/** Host and prefix of a route. */
export function place(index: number): RoutedRequest {
  return {
    host: `host-${Math.floor(index / pathsEach)}.bench.example`,
    path: `/api/path-${index % pathsEach}`,
  };
}
