/** What an ALB2 with its Frontends and Rules becomes, and what is said of what can't be. */
import { describe, expect, test } from 'vitest';
import type { KubeObject } from '#api/object.ts';
import type { GatewayIntent } from '#intent/gateway.ts';
import { regexInScript } from '#model/gateway/regex.ts';
import type { HTTPRouteModel } from '#model/gateway/types.ts';
import { service, slice } from '../gateway/samples.ts';
import { certificate, compiled, grant } from '../gateway/testing.ts';
import { ingressOf } from '../ingress/testing.ts';
import { alb2Object, clusterOf, frontendObject, problemsOf, ruleObject } from './samples.ts';
import { type AlaudaTranslation, translateALB2 } from './translate.ts';

const web = frontendObject('web', { port: 8080, protocol: 'http' });
const translated = (...objects: readonly KubeObject[]): AlaudaTranslation => {
  const { alb2 = [], frontend = [], albRule = [] } = clusterOf([alb2Object(), ...objects]);
  return translateALB2(alb2.at(-1)!, frontend, (key) =>
    albRule.filter((each) => `shop/${each.frontend}` === key),
  );
};
const routesOf = (...objects: readonly KubeObject[]) =>
  translated(web, ...objects).routes.filter((each): each is HTTPRouteModel => each.kind === 'HTTPRoute');

/** What the path of a request becomes; undefined: no rule of the route takes it. */
function rewritten([route]: readonly HTTPRouteModel[], path: string): string | undefined {
  for (const { matches, filters } of route?.rules ?? []) {
    const match = matches.find(({ path: { type, value } }) =>
      type === 'RegularExpression'
        ? regexInScript(value).test(path)
        : type === 'Exact'
          ? value === path
          : true,
    );
    if (match === undefined) continue;
    const change = filters.flatMap((each) =>
      each.type === 'URLRewrite' || each.type === 'RequestRedirect' ? (each.path ?? []) : [],
    )[0];
    if (change === undefined) return path;
    if (change.type !== 'ReplaceCaptures') return change.value;
    return path.replace(regexInScript(match.path.value), change.value);
  }
  return undefined;
}

describe('paths that are rewritten', () => {
  test.each([
    [
      'STARTS_WITH /a',
      { rewrite_base: '/a', rewrite_target: '/b' },
      { '/a/x': '/b/x', '/ax': '/bx', '/c': undefined },
    ],
    ['STARTS_WITH /a', { url: '/a', rewrite_target: '/' }, { '/ab': '/b' }],
    ['STARTS_WITH /a/b', { rewrite_base: '/(.*)', rewrite_target: '/v1/$1' }, { '/a/b/c': '/v1/a/b/c' }],
    [
      'STARTS_WITH /a',
      { rewrite_base: '^/a/(\\w+)/(.*)$', rewrite_target: '/$2/$1' },
      { '/a/x/y': '/y/x', '/a/': '/a/' },
    ],
    ['REGEX ^/a/(.*)', { rewrite_base: '/a/(.*)', rewrite_target: '/$'.concat('{1}') }, { '/a/x': '/x' }],
    ['REGEX b/(\\d+)', { rewrite_base: 'b/(\\d+)', rewrite_target: 'c/$1' }, { '/a/b/7/x': '/a/c/7/x' }],
    ['EQ /a', { rewrite_base: 'a', rewrite_target: 'z' }, { '/a': '/z' }],
    ['STARTS_WITH /a', { rewrite_base: '.*', rewrite_target: '/one' }, { '/a/b': '/one' }],
    [
      'STARTS_WITH /',
      { rewrite_base: '/old', rewrite_target: '/new' },
      { '/old/x': '/new/x', '/else': '/else' },
    ],
    [
      'STARTS_WITH /a',
      { config: { redirect: { prefix_match: '/a', replace_prefix: '/b', code: 302 } } },
      { '/a/x': '/b/x' },
    ],
  ] as const)('URL %s %j', (url, spec, wanted: object) => {
    const routes = routesOf(ruleObject('r', [`URL ${url}`], spec));
    for (const [path, becomes] of Object.entries(wanted))
      expect([path, rewritten(routes, path)]).toEqual([path, becomes]);
  });

  test.each([
    ['STARTS_WITH /a', { rewrite_base: 'x(.*)y', rewrite_target: '/$1' }],
    ['STARTS_WITH /a', { rewrite_base: '/a', rewrite_target: '/$0' }],
    ['REGEX ^/a', { rewrite_base: '/b', rewrite_target: '/c' }],
    ['STARTS_WITH /a', { rewrite_base: '/a(?=b)', rewrite_target: '/c' }],
  ])('URL %s %j can not be: 500 rather than another path', (url, spec) => {
    const { routes, problems } = translated(web, ruleObject('r', [`URL ${url}`], spec));
    expect(problems.map(({ field }) => field)).toEqual(['spec.rewrite_base']);
    expect((routes[0] as HTTPRouteModel).rules.every(({ unusable }) => unusable !== undefined)).toBe(true);
  });
});

test('SRC_IP is of the connection: CIDRs of a match, no header', () => {
  const [route] = routesOf(ruleObject('r', ['SRC_IP RANGE 10.0.0.0 10.0.0.5 | EQ fd00::1', 'URL EQ /a']));
  expect(route?.rules[0]?.matches).toEqual([
    {
      path: { type: 'Exact', value: '/a' },
      headers: [],
      query: [],
      clients: ['10.0.0.0/30', '10.0.0.4/31', 'fd00::1/128'],
    },
  ]);
});

test.each([
  ['COOKIE:id EQ 7', { id: '7; a=b' }, true],
  ['COOKIE:id EQ 7', { a: 'b; id=7' }, true],
  ['COOKIE:id EQ 7', { xid: '7' }, false],
  ['COOKIE:id STARTS_WITH a', { id: 'abc' }, true],
  ['COOKIE:id EXIST', { id: '' }, true],
  ['COOKIE:id EQ 7', { id: '77' }, false],
])('%s takes cookies %j: %s', (term, cookies: object, takes) => {
  const [route] = routesOf(ruleObject('r', [term]));
  const [header] = route?.rules[0]?.matches[0]?.headers ?? [];
  const [[name, value] = []] = Object.entries(cookies);
  expect(header?.name).toBe('cookie');
  expect(regexInScript(header?.value ?? '').test(`${name}=${value}`)).toBe(takes);
});

describe('what protects and can not be honoured lets nobody in', () => {
  test.each([
    [{ config: { auth: { basic: { secret: 'other/passwords' } } } }, 'is not of namespace shop'],
    [{ config: { auth: { basic: { secret: 'shop/p', secret_type: 'auth-map' } } } }, 'is not auth-file'],
    [
      { config: { auth: { forward: { url: 'http://sso.example/$uri' } } } },
      'is not http://SERVICE.NAMESPACE',
    ],
    [{ config: { modsecurity: { enable: true, cmRef: 'shop/rules#a' } } }, 'rules are to be in a WAFPolicy'],
    [{ config: { modsecurity: { enable: 'yes' } } }, 'is not true or false'],
    [{ config: { modsecurity: 'on' } }, 'spec.config.modsecurity'],
    [{ config: { auth: 'basic' } }, 'spec.config.auth'],
    [{ config: { auth: { basic: 'shop/p' } } }, 'spec.config.auth.basic'],
    [
      { config: { auth: { forward: { url: 'http://sso.ids/', auth_headers_cm_ref: 'shop/headers' } } } },
      'is told the headers of the request',
    ],
  ])('%j', (spec, message) => {
    const rule = ruleObject('r', ['URL STARTS_WITH /'], spec);
    expect(problemsOf([rule]).join()).toContain(message);
    expect(routesOf(rule)[0]?.rules.map(({ closed }) => closed)).toEqual([true]);
  });

  test('rules of ModSecurity in an annotation, as ALB takes them', () => {
    const rule = ruleObject('r', ['URL STARTS_WITH /'], { config: { modsecurity: { enable: true } } });
    const annotations = { 'nginx.ingress.kubernetes.io/modsecurity-snippet': 'SecRule ARGS "x" "deny"' };
    const own = { ...rule, metadata: { ...rule.metadata, annotations } };
    expect(problemsOf([own]).join()).toContain('rules are to be in a WAFPolicy');
    expect(routesOf(own)[0]?.rules.map(({ closed }) => closed)).toEqual([true]);
  });

  test('a Rule of which something can not be told is closed if it protects, and is not there if it does not', () => {
    const terms = ['URL STARTS_WITH /', 'HEADER:x RANGE a b'];
    const guarded = { config: { auth: { basic: { secret: 'shop/p' } } } };
    expect(routesOf(ruleObject('r', terms, guarded))[0]?.rules[0]?.closed).toBe(true);
    expect(routesOf(ruleObject('r', terms))).toEqual([]);
    expect(routesOf(ruleObject('r', ['URL STARTS_WITH /', 'HOST RANGE a b'], guarded))).toEqual([]);
  });
});

test('settings of the ALB2, the Frontend and the Rule: the nearest has its way', () => {
  const timeout = (read: number) => ({
    timeout: { proxy_read_timeout_ms: read, proxy_connect_timeout_ms: 5 },
  });
  const front = frontendObject('web', { port: 8080, protocol: 'http', config: timeout(2) });
  const objects = [alb2Object({ ...timeout(1), modsecurity: { enable: true } }), front];
  const { routes, policies, wafPolicies } = translated(
    ...objects,
    ruleObject('near', ['URL EQ /a'], { config: { ...timeout(3), modsecurity: { enable: false } } }),
    ruleObject('far', ['URL EQ /b']),
  );
  expect(routes.map((each) => [each.name, (each as HTTPRouteModel).rules[0]?.timeouts])).toEqual([
    ['far~rule', { backendRequest: 2 }],
    ['near~rule', { backendRequest: 3 }],
  ]);
  expect(policies.map(({ name, settings }) => [name, settings])).toContainEqual([
    'near~rule',
    { timeouts: { connect: 5 } },
  ]);
  expect(wafPolicies.map(({ name, settings }) => [name, settings.mode])).toEqual([
    ['far~rule', 'block'],
    ['near~rule', 'off'],
  ]);
});

test('certificates and Services of other namespaces only where they are granted', () => {
  const secure = frontendObject('tls', { port: 8443, protocol: 'https', certificate_name: 'certs/all' });
  const services = [{ name: 'back', namespace: 'other', port: 80, weight: 1 }];
  const rule = ruleObject('r', ['URL STARTS_WITH /'], { serviceGroup: { services } }, 'tls');
  const cluster = {
    ...clusterOf([alb2Object(), secure, rule]),
    certificate: [certificate('certs/all')],
    service: [service('other/back', ['http 80'])],
    slice: [slice('other/back', ['10.0.0.1'])],
  };
  const grants = [grant('certs', 'ListenerSet shop', 'Secret'), grant('other', 'HTTPRoute shop', 'Service')];
  const without = compiled(cluster);
  const sets = (intent: GatewayIntent | undefined) =>
    Object.keys(intent?.listeners ?? {}).filter((key) => key.startsWith('set/'));
  expect(sets(without.intents.get('shop/lb~alb2~alb'))).toEqual([]);
  expect(without.statuses.get('Frontend/shop/tls')).toMatchObject({
    kind: 'Frontend',
    conflict: false,
    problems: [{ field: 'spec.certificate_name' }],
  });
  const half = compiled({ ...cluster, grant: grants.slice(0, 1) }).intents.get('shop/lb~alb2~alb');
  expect(sets(half)).toEqual(['set/shop/tls~frontend/frontend']);
  expect(Object.values(half?.actions ?? {}).map(({ backends }) => backends)).toEqual([[{ weight: 1 }]]);
  const whole = compiled({ ...cluster, grant: grants }).intents.get('shop/lb~alb2~alb');
  expect(Object.values(whole?.backends ?? {}).map(({ endpoints }) => endpoints)).toEqual([['10.0.0.1:8080']]);
});

test('of two Frontends for one port the older has it, and the other says so', () => {
  const other = frontendObject('xenon', { port: 8080, protocol: 'http' });
  const { statuses } = compiled(clusterOf([alb2Object(), web, other]));
  expect(statuses.get('Frontend/shop/web')).toMatchObject({ conflict: false });
  expect(statuses.get('Frontend/shop/xenon')).toMatchObject({ conflict: true });
});

test('a Rule without its Frontend is told so until there is one, if its ALB2 is served', () => {
  const rule = ruleObject('r', ['URL EQ /a']);
  const problems = (...objects: readonly KubeObject[]) =>
    compiled(clusterOf([...objects, rule])).statuses.get('Rule/shop/r');
  expect(problems(alb2Object())).toMatchObject({
    instance: 'shop/lb~alb2~alb',
    problems: [
      {
        field: 'metadata.labels[alb2.cpaas.io/frontend]',
        code: 'ReferenceNotFound',
        message: 'there is no Frontend web: the Rule is not served',
      },
    ],
  });
  expect(problems(alb2Object(), web)).toMatchObject({ problems: [] });
  const { metadata, ...rest } = alb2Object();
  expect(problems({ ...rest, metadata: { ...metadata, annotations: {} } })).toBeUndefined();
  expect(problems()).toBeUndefined();
});

test("an ALB2 without the annotation is ALB's own", () => {
  const { metadata, ...rest } = alb2Object();
  const theirs = { ...rest, metadata: { ...metadata, annotations: {} } } as KubeObject;
  const { intents, statuses } = compiled(clusterOf([theirs, web, ruleObject('r', ['URL EQ /a'])]));
  expect([...intents.keys()]).toEqual([]);
  expect([...statuses.keys()]).toEqual(['GatewayClass/netloom']);
});

test('TCP and UDP go to their Services, and a redirect of a Frontend is before its Rules', () => {
  const services = [{ name: 'db', port: 5432, weight: 1 }];
  const { routes } = translated(
    frontendObject('db', { port: 5432, protocol: 'tcp', serviceGroup: { services } }),
    frontendObject('dns', { port: 53, protocol: 'udp', serviceGroup: { services } }),
    frontendObject('web', {
      port: 80,
      protocol: 'http',
      config: { redirect: { scheme: 'https', code: 308 } },
    }),
    ruleObject('r', ['URL EQ /a']),
  );
  expect(routes.map(({ kind, name, parents: [to] }) => `${kind} ${name} at ${to?.kind} ${to?.name}`)).toEqual(
    [
      'TCPRoute db~frontend at ListenerSet db~frontend',
      'UDPRoute dns~frontend at ListenerSet dns~frontend',
      'HTTPRoute web~frontend at ListenerSet web~frontend',
    ],
  );
});

describe('what an ALB2 or a Frontend says of clients holds for Ingresses at its ports, too', () => {
  const auth = { auth: { basic: { secret: 'shop/passwords' } } };
  const open = frontendObject('front', { port: 80, protocol: 'http', config: { auth: {} } });
  const shut = frontendObject('front', { port: 80, protocol: 'http', config: auth });
  const https = frontendObject('front', {
    port: 80,
    protocol: 'http',
    config: { redirect: { scheme: 'https' } },
  });
  const policyAt = (port: number, ...objects: readonly KubeObject[]) => {
    const ingress = { ...ingressOf({ name: 'i', namespace: 'x' }), className: 'lb' };
    const { intents } = compiled({ ...clusterOf(objects), ingress: [ingress] });
    const intent = intents.get('shop/lb~alb2~alb');
    const action = Object.entries(intent?.actions ?? {}).find(([key]) => key.includes('~ingress'))?.[1];
    return intent?.ports[`tcp/${port}`] === undefined ? 'nothing' : intent.policies[action?.policy ?? ''];
  };

  test.each<[string, readonly KubeObject[], object | undefined]>([
    ['nothing', [alb2Object({ projects: ['ALL_ALL'] })], undefined],
    [
      'the firewall',
      [alb2Object({ projects: ['ALL_ALL'], modsecurity: { enable: true } })],
      { firewall: { mode: 'block' } },
    ],
    ['passwords', [alb2Object({ projects: ['ALL_ALL'], ...auth })], { basicAuth: {} }],
    ['nobody, by the Frontend', [alb2Object({ projects: ['ALL_ALL'], ...auth }), open], undefined],
    ['passwords, by the Frontend', [alb2Object({ projects: ['ALL_ALL'] }), shut], { basicAuth: {} }],
  ])('%s', (_, objects, expected) => {
    const found = policyAt(80, ...objects);
    if (expected === undefined) expect(found).toBeUndefined();
    else expect(found).toMatchObject(expected);
  });

  test('what protects and can not be honoured lets nobody in', () => {
    const ingress = { ...ingressOf({ name: 'i', namespace: 'x' }), className: 'lb' };
    const objects = [alb2Object({ projects: ['ALL_ALL'], auth: { basic: { secret: 'other/p' } } })];
    const intent = compiled({ ...clusterOf(objects), ingress: [ingress] }).intents.get('shop/lb~alb2~alb');
    expect(Object.values(intent?.actions ?? {})).toMatchObject([{ backends: [] }]);
  });

  test('a Frontend that redirects its port redirects them', () => {
    const { alb, routes } = translated(alb2Object({ projects: ['ALL_ALL'] }), https);
    expect(alb.http).toBeUndefined();
    expect(routes.map(({ parents: [to] }) => to?.kind)).toEqual(['ListenerSet']);
  });
});

test('where an ALB2 redirects its port for Ingresses nothing else has it', () => {
  for (const objects of [
    [],
    [frontendObject('web', { port: 80, protocol: 'http' }), ruleObject('r', ['URL EQ /a'])],
  ]) {
    const { alb, routes } = translated(alb2Object({ ingressSSLRedirect: true }), ...objects);
    expect(alb.http).toBeUndefined();
    const filters = routes.map((route) => (route as HTTPRouteModel).rules.map((rule) => rule.filters));
    expect(filters).toEqual([[[{ type: 'RequestRedirect', scheme: 'https', port: 443, statusCode: 308 }]]]);
  }
});

test('headers that an annotation of a Rule changes', () => {
  const rule = ruleObject('r', ['URL EQ /a']);
  const annotations = {
    'alb.rule.cpaas.io/rewrite-request': '{"headers":{"X-A":"b"},"headers_remove":["X-B"]}',
  };
  const [route] = routesOf({ ...rule, metadata: { ...rule.metadata, annotations } });
  expect(route?.rules[0]?.filters).toEqual([
    {
      type: 'RequestHeaderModifier',
      headers: { set: [{ name: 'X-A', value: 'b' }], add: [], remove: ['X-B'] },
    },
  ]);
});

test.each(['sip-hash', 'cookie'])(
  'affinity of a tcp Frontend by %s is told: its connections go by turns',
  (policy) => {
    const front = frontendObject('web', {
      port: 5000,
      protocol: 'tcp',
      serviceGroup: { services: [{ name: 'web', port: 80, weight: 1 }], session_affinity_policy: policy },
    });
    const { statuses } = compiled(clusterOf([alb2Object(), front]));
    expect(statuses.get('Frontend/shop/web')).toMatchObject({
      problems: [{ field: 'spec.serviceGroup.session_affinity_policy', code: 'NotSupported' }],
    });
  },
);

test('what a Rule says of passwords, addresses and the firewall is in force', () => {
  const group = { services: [{ name: 'web', port: 80, weight: 1 }], session_affinity_policy: 'sip-hash' };
  const config = {
    auth: { basic: { realm: 'Shop', secret: 'shop/passwords' } },
    modsecurity: { enable: true },
  };
  const rule = ruleObject('r', ['URL STARTS_WITH /'], { serviceGroup: group, config });
  const passwords = { kind: 'Secret', namespace: 'shop', name: 'passwords' };
  const intent = compiled({
    ...clusterOf([alb2Object(), web, rule]),
    users: [{ origin: passwords, users: { ann: '$apr1$abcdefgh$0123456789012345678901' } }],
    service: [service('shop/web', ['http 80'])],
    slice: [slice('shop/web', ['10.0.0.1'])],
  }).intents.get('shop/lb~alb2~alb');
  const action = Object.values(intent?.actions ?? {})[0];
  expect(action?.hash).toEqual({ by: 'client' });
  expect(intent?.policies[action?.policy ?? '']).toMatchObject({
    basicAuth: { realm: 'Shop', users: 'shop/passwords' },
    firewall: { mode: 'block' },
  });
});
