/** What each attached policy costs a request: the same gateway and routes, with it and without. */
import type { GatewayActionIntent, GatewayChange } from '#intent/gateway.ts';
import type { GatewayPolicyIntent, GatewayUsersIntent } from '#intent/gateway-policy.ts';
import { type Bench, type BenchOptions, type Row, row } from '#programs/cli/bench/row.ts';
import { median, pairedRatio } from '#programs/cli/bench/statistics.ts';
import { type Field, openField } from './gateway-field.ts';
import { loadHTTP1 } from './gateway-load.ts';
import { gatewayRoutes, type RoutedRequest, routedRequests } from './gateway-routes.ts';

const routes = 1_000;
const different = 1_000;
const origin = { kind: 'TrafficPolicy', namespace: 'bench', name: 'bench' };
const backend = 'bench/backend:80';

type Attached = {
  readonly name: string;
  readonly policy?: Omit<GatewayPolicyIntent, 'origins'>;
  readonly action?: Partial<GatewayActionIntent>;
  readonly users?: GatewayUsersIntent;
  readonly headers?: Readonly<Record<string, string>>;
};

const never = 1_000_000_000;
/** Of "bench", by SHA-512 and with a salt that is no secret. */
const basicHash =
  '$6$benchbench$L/SWrobNRkV.iUB93gv.PJywy/QX4wzN1m2YZYeF.uBbRUYLgodycFkml5WWSUxFf4eG/3lJwiGVvvDLD8/76.';

/** None of them refuses anything here: what is measured is the looking. */
const attached: readonly Attached[] = [
  {
    name: 'access by 100 CIDRs',
    policy: {
      access: [
        { allow: ['192.168.0.0/16'], deny: Array.from({ length: 100 }, (_, at) => `198.51.100.${at}/32`) },
      ],
    },
  },
  {
    name: 'rate limit by client',
    policy: {
      rateLimits: [{ counter: 'bench/bench/0', by: ['client'], requests: never, per: 1_000, burst: never }],
    },
  },
  {
    name: 'requests at once by route',
    policy: { concurrency: [{ counter: 'bench/bench/0', by: ['route'], requests: never }] },
  },
  { name: 'largest body', policy: { maxBody: 1_000_000 } },
  {
    name: 'basic authentication',
    policy: { basicAuth: { realm: 'bench', users: 'bench/users' } },
    users: { origin, users: { bench: basicHash } },
    headers: { Authorization: `Basic ${Buffer.from('bench:bench').toString('base64')}` },
  },
  {
    name: 'compression',
    policy: { compression: { types: ['text/plain'], minLength: 1 } },
    headers: { 'Accept-Encoding': 'gzip' },
  },
  {
    name: 'error pages',
    policy: { errors: [{ codes: [502, 503, 504], body: { contentType: 'text/plain', text: 'later' } }] },
  },
  {
    name: 'access log',
    policy: { accessLog: { fields: ['time', 'client', 'host', 'path', 'status'], share: 1_000_000 } },
  },
  {
    name: 'CORS',
    action: {
      cors: {
        allowOrigins: ['https://bench.example'],
        allowMethods: ['GET'],
        allowHeaders: [],
        exposeHeaders: [],
        allowCredentials: false,
        maxAge: 60,
      },
    },
    headers: { Origin: 'https://bench.example' },
  },
  { name: 'timeouts', action: { timeouts: { request: 30_000, backend: 10_000 } } },
  { name: 'retries', action: { retry: { codes: [503], attempts: 2 } } },
  { name: 'affinity by client', action: { hash: { by: 'client' } } },
  {
    name: 'canary by header, cookie and share',
    action: {
      canaries: [
        {
          header: { name: 'x-canary' },
          cookie: 'canary',
          share: 100_000,
          backends: [{ backend, weight: 1 }],
        },
      ],
    },
  },
];

export const gatewayPolicies: Bench = {
  name: 'gateway-policies',
  summary: 'what each policy that is attached to a route costs a request',
  run: measurePolicies,
};

async function measurePolicies({ quick, progress }: BenchOptions): Promise<Row[]> {
  const field = await openField(routes);
  try {
    const rows: Row[] = [];
    for (const each of attached) rows.push(await measure(field, each, quick ? 2 : 6, progress));
    return rows;
  } finally {
    await field.close();
  }
}

async function measure(
  field: Field,
  each: Attached,
  rounds: number,
  progress: BenchOptions['progress'],
): Promise<Row> {
  const { headers } = each;
  const requests = routedRequests(routes, different).map(
    (request): RoutedRequest => (headers === undefined ? request : { ...request, headers }),
  );
  const load = async (change: GatewayChange): Promise<number> => {
    await field.engine.apply(change);
    const figures = await loadHTTP1(field.ground, field.client, field.targets.ours.http, requests, 1);
    if (figures.failed > 0) throw new Error(`${each.name}: ${figures.failed} requests failed`);
    return figures.cpu;
  };
  const plain = gatewayRoutes(routes, [field.backends[0]]);
  const before: number[] = [];
  const after: number[] = [];
  for (let round = -1; round < rounds; round++) {
    const [without, with_] = [await load(plain), await load(withPolicy(plain, each))];
    if (round < 0) continue;
    before.push(without);
    after.push(with_);
  }
  progress(`${each.name}: ${median(before).toFixed(1)} → ${median(after).toFixed(1)} µs`);
  return row({
    name: each.name,
    size: routes,
    unit: 'µs',
    value: median(after),
    against: { what: 'without', value: median(before) },
    ratio: pairedRatio(after, before),
  });
}

/** Attached to every route. */
function withPolicy(plain: GatewayChange, { policy, action, users }: Attached): GatewayChange {
  const name = policy === undefined ? undefined : 'bench/bench';
  const actions = Object.fromEntries(
    Object.entries(plain.put.actions ?? {}).map(([key, intent]) => [
      key,
      { ...intent, ...action, ...(name === undefined ? {} : { policy: name }) },
    ]),
  );
  return {
    ...plain,
    put: {
      ...plain.put,
      actions,
      ...(policy === undefined ? {} : { policies: { 'bench/bench': { origins: [origin], ...policy } } }),
      ...(users === undefined ? {} : { users: { 'bench/users': users } }),
    },
  };
}
