/** What Ingresses become, by their hosts, paths, TLS, and beside each other. */
import { describe, expect, it } from 'vitest';
import { type IngressWish, type Surroundings, translated } from './testing.ts';

/** `ROUTE [HOSTS] at PARENTS: TYPE PATH -> WHAT`, a line a rule. */
function shown(wish: IngressWish, around?: Surroundings): readonly string[] {
  const { routes } = translated(wish, around);
  return routes.flatMap((route) => {
    const parents = route.parents.map(({ name, sectionName }) => `${name}#${sectionName}`).join(' ');
    const head = `${route.name} [${route.hostnames.join(' ')}] at ${parents}`;
    if (route.kind !== 'HTTPRoute') return [`${head}: ${route.kind}`];
    return route.rules.map(({ matches, backends, filters, closed }) => {
      const path = matches.map(({ path: { type, value } }) => `${type} ${value}`).join();
      const to = backends.map(({ name, port }) => `${name}:${port}`).join();
      return `${head}: ${path} -> ${closed === true ? 'closed' : to || filters.map(({ type }) => type).join()}`;
    });
  });
}

const both = 'main~alb#http main~alb#https';

describe('hosts and paths', () => {
  it('are a route for each host, and none is lost', () => {
    const paths = {
      'a.example/x': 'web',
      'a.example/y Exact': 'web:admin',
      '*.b.example/': 'cart',
      '/': 'any',
    };
    expect(shown({ paths })).toEqual([
      `shop~ingress~a.example [a.example] at ${both}: PathPrefix /x -> web:80`,
      `shop~ingress~a.example [a.example] at ${both}: Exact /y -> web:81`,
      `shop~ingress~wildcard.b.example [*.b.example] at ${both}: PathPrefix / -> cart:80`,
      `shop~ingress~any [] at ${both}: PathPrefix / -> any:80`,
    ]);
  });

  it('have a default backend behind all that others say of the host', () => {
    const { routes } = translated({ paths: { 'a.example/x': 'web' }, defaultBackend: 'rest' });
    expect(routes).toMatchObject([
      { name: 'shop~ingress' },
      {
        name: 'shop~ingress~default',
        rank: 'z',
        hostnames: ['a.example'],
        rules: [{ field: 'spec.defaultBackend' }],
      },
    ]);
    expect(shown({ paths: {}, defaultBackend: 'rest' })).toEqual([
      `shop~ingress~default [] at ${both}: PathPrefix / -> rest:80`,
    ]);
    expect(shown({ defaultBackend: 'rest' })).toHaveLength(1);
  });

  it('go to the Service of default-backend while their own has no endpoints', () => {
    const wish = { annotations: { 'default-backend': 'sorry' } };
    expect(shown(wish, { empty: ['web'] })).toEqual([
      `shop~ingress [a.example] at ${both}: PathPrefix / -> sorry:80`,
    ]);
  });

  it('leave requests for / to app-root, whatever they are', () => {
    const root = (paths: IngressWish['paths'], more: IngressWish = {}) =>
      shown({ annotations: { 'app-root': '/app' }, ...(paths === undefined ? {} : { paths }), ...more });
    const redirect = `shop~ingress [a.example] at ${both}: Exact / -> RequestRedirect`;
    expect(root({ 'a.example/app': 'web' })).toEqual([
      redirect,
      `shop~ingress [a.example] at ${both}: PathPrefix /app -> web:80`,
    ]);
    const expression = { 'app-root': '/app', 'rewrite-target': '/$1' };
    expect(root({ 'a.example/(.*) ImplementationSpecific': 'web' }, { annotations: expression })).toEqual([
      redirect,
      `shop~ingress [a.example] at ${both}: RegularExpression /(.*) -> web:80`,
    ]);
    expect(root({}, { defaultBackend: 'rest' })).toEqual([
      `shop~ingress~default [] at ${both}: Exact / -> RequestRedirect`,
      `shop~ingress~default [] at ${both}: PathPrefix / -> rest:80`,
    ]);
    const exact = { 'a.example/ Exact': 'web', 'a.example/app': 'web' };
    expect(root(exact)).toEqual([redirect, `shop~ingress [a.example] at ${both}: PathPrefix /app -> web:80`]);
    expect(translated({ annotations: { 'app-root': '/app' }, paths: exact }).findings).toEqual([
      {
        field: 'spec.rules[0].http.paths[0].path',
        code: 'WithoutEffect',
        message: 'app-root answers all requests for /',
      },
    ]);
    expect(root(undefined, { annotations: { 'app-root': '/app', 'auth-type': 'digest' } })).toEqual([
      `shop~ingress [a.example] at ${both}: PathPrefix / -> closed`,
    ]);
  });

  it('stay behind the path that a redirect puts in front of them, unless they are expressions', () => {
    const annotations = { 'permanent-redirect': 'https://b.example/base$request_uri' };
    const paths = { 'a.example/x': 'web', 'a.example/y Exact': 'web', 'a.example/': 'web' };
    const pathsOf = (more: object) =>
      translated({ annotations: { ...annotations, ...more }, paths }).routes.flatMap((route) =>
        route.kind === 'HTTPRoute'
          ? route.rules.map(({ filters, closed }) => closed ?? (filters[0] as { path?: object }).path)
          : [],
      );
    const last = { type: 'ReplacePrefixMatch', value: '/base' };
    expect(pathsOf({})).toEqual([
      { type: 'ReplacePrefixMatch', value: '/base/x' },
      { type: 'ReplaceFullPath', value: '/base/y' },
      last,
    ]);
    expect(pathsOf({ 'use-regex': 'true' })).toEqual([true, true, last]);
  });

  it('are expressions as soon as one Ingress of the namespace says so', () => {
    const rewriting = {
      name: 'api',
      annotations: { 'rewrite-target': '/$2' },
      paths: { 'a.example/api(/|$)(.*) ImplementationSpecific': 'api' },
    };
    const plain = {
      paths: { 'a.example/Cart': 'cart', 'a.example/x Exact': 'x', 'a.example/': 'web', 'b.example/y': 'y' },
    };
    expect(shown(plain, { others: [rewriting] })).toEqual([
      `shop~ingress~a.example [a.example] at ${both}: RegularExpression /Cart -> cart:80`,
      `shop~ingress~a.example [a.example] at ${both}: RegularExpression /x -> x:80`,
      `shop~ingress~a.example [a.example] at ${both}: PathPrefix / -> web:80`,
      `shop~ingress~b.example [b.example] at ${both}: PathPrefix /y -> y:80`,
    ]);
    expect(
      translated({ ...rewriting, paths: { 'a.example/a(?!b) ImplementationSpecific': 'api' } }),
    ).toMatchObject({
      routes: [],
      findings: [{ code: 'InvalidPattern', field: 'spec.rules[0].http.paths[0].path' }],
    });
  });
});

describe('TLS', () => {
  const tls = { 'a.example': 'cert' };

  it('is a listener with the Secret, and HTTP is sent to it, but for challenges', () => {
    const paths = { 'a.example/': 'web', 'a.example/.well-known/acme-challenge/x': 'solver' };
    expect(translated({ tls, paths }).listenerSets).toMatchObject([
      {
        key: 'x/shop~ingress',
        parent: { name: 'main~alb' },
        listeners: [
          {
            name: 'a.example',
            protocol: 'HTTPS',
            port: 443,
            tls: { certificates: [{ name: 'cert', namespace: 'x' }] },
          },
        ],
      },
    ]);
    expect(shown({ tls, paths })).toEqual([
      'shop~ingress [a.example] at shop~ingress#a.example main~alb#https: PathPrefix / -> web:80',
      'shop~ingress~tls [a.example] at main~alb#http: PathPrefix / -> RequestRedirect',
      'shop~ingress~acme [a.example] at main~alb#http shop~ingress#a.example main~alb#https: PathPrefix /.well-known/acme-challenge/x -> solver:80',
    ]);
    expect(shown({ tls, annotations: { 'ssl-redirect': 'false' } })).toEqual([
      'shop~ingress [a.example] at main~alb#http shop~ingress#a.example main~alb#https: PathPrefix / -> web:80',
    ]);
  });

  it('of one host is the oldest Ingress’s, and all others of the namespace attach to it', () => {
    const first = { name: 'first', tls: { 'a.example': 'old' } };
    const around = { others: [first] };
    const young = { age: 5, tls, paths: { 'a.example/x': 'x' } };
    expect(translated(young, around).listenerSets).toEqual([]);
    expect(shown(young, around)[0]).toBe(
      'shop~ingress [a.example] at first~ingress#a.example main~alb#https: PathPrefix /x -> x:80',
    );
    expect(shown({ paths: { 'a.example/x': 'x' } }, around)).toHaveLength(2);
  });

  it('is for aliases and names with www., too', () => {
    const annotations = { 'server-alias': 'b.example', 'from-to-www-redirect': 'true' };
    const { listenerSets } = translated({ tls, annotations });
    expect(listenerSets[0]?.listeners.map(({ name }) => name)).toEqual([
      'a.example',
      'b.example',
      'www.a.example',
    ]);
    const taken = { others: [{ name: 'other', paths: { 'www.a.example/': 'www' } }] };
    expect(translated({ annotations }, taken).routes).toHaveLength(1);
  });

  it.each<[string, IngressWish['tls'], Surroundings, object]>([
    [
      'a wildcard is for names below',
      { '*.example': 'wild' },
      {},
      { listenerSets: [{ listeners: [{ hostname: 'a.example' }] }] },
    ],
    [
      'an entry without hosts is for all',
      { '': 'all' },
      {},
      { listenerSets: [{ listeners: [{ hostname: 'a.example' }] }] },
    ],
    ['other hosts have none of it', { 'b.example': 'cert' }, {}, { listenerSets: [], routes: [{}] }],
    [
      'without a Secret the ALB’s certificate is shown',
      { 'a.example': '' },
      {},
      { listenerSets: [], routes: [{}, {}], findings: [] },
    ],
    [
      'which it may not have',
      { 'a.example': '' },
      { https: { port: 443, hasCertificate: false } },
      { findings: [{ field: 'spec.tls', code: 'Required' }] },
    ],
    [
      'without a port there is none',
      tls,
      { https: 'none' },
      {
        listenerSets: [],
        routes: [{ parents: [{ sectionName: 'http' }] }],
        findings: [{ code: 'WithoutEffect' }],
      },
    ],
    [
      'another port is named',
      tls,
      { https: { port: 8443, hasCertificate: true } },
      { routes: [{}, { rules: [{ filters: [{ port: 8443 }] }] }] },
    ],
  ])('%s', (_, own, around, expected) => {
    expect(translated({ ...(own && { tls: own }) }, around)).toMatchObject(expected);
  });

  it('of a wildcard is for hosts of the namespace without their own, with their own backends', () => {
    const wild = { name: 'wild', tls: { '*.b.example': 'wild' }, paths: { '*.b.example/': 'web' } };
    const api = { paths: { 'a.b.example/x': 'api' } };
    const at = (...others: readonly IngressWish[]) => shown(api, { others: [wild, ...others] });
    const parents = 'main~alb#http wild~ingress#wildcard.b.example main~alb#https';
    expect(at()).toEqual([`shop~ingress [a.b.example] at ${parents}: PathPrefix /x -> api:80`]);
    const narrower = { name: 'deep', tls: { '*.a.b.example': 'deep' }, paths: { '*.a.b.example/': 'web' } };
    expect(shown({ paths: { 'c.a.b.example/': 'api' } }, { others: [wild, narrower] })).toEqual([
      'shop~ingress [c.a.b.example] at main~alb#http deep~ingress#wildcard.a.b.example main~alb#https: PathPrefix / -> api:80',
    ]);
    expect(at({ name: 'own', tls: { 'a.b.example': 'own' }, paths: { 'a.b.example/': 'web' } })).toEqual([
      'shop~ingress [a.b.example] at own~ingress#a.b.example main~alb#https: PathPrefix /x -> api:80',
      'shop~ingress~tls [a.b.example] at main~alb#http: PathPrefix /x -> RequestRedirect',
    ]);
    const www = { ...api, annotations: { 'from-to-www-redirect': 'true' } };
    expect(shown(www, { others: [wild] })[1]).toContain(`[www.a.b.example] at ${parents}`);
    const judged = { ...api, annotations: { 'auth-tls-secret': 'ca' } };
    expect(shown(judged, { others: [wild] })).toEqual([
      'shop~ingress~tls [a.b.example] at main~alb#http: PathPrefix /x -> RequestRedirect',
    ]);
    expect(translated(judged, { others: [wild] }).findings).toMatchObject([
      { field: 'spec.tls', code: 'Required' },
    ]);
  });

  it('with client certificates leaves no other way in, for none of the Ingresses of the host', () => {
    const judge = { name: 'judge', tls, annotations: { 'auth-tls-secret': 'ca' } };
    const other = { age: 3, paths: { 'a.example/x': 'x' }, annotations: { 'ssl-redirect': 'false' } };
    expect(translated(judge).listenerSets[0]?.listeners).toMatchObject([
      { clientValidation: { authorities: [{ name: 'ca' }], mode: 'AllowValidOnly' } },
    ]);
    expect(shown(other, { others: [judge] })).toEqual([
      'shop~ingress [a.example] at judge~ingress#a.example: PathPrefix /x -> x:80',
      'shop~ingress~tls [a.example] at main~alb#http: PathPrefix /x -> RequestRedirect',
    ]);
    const broken = { ...judge, annotations: { 'auth-tls-secret': 'other/ca' } };
    expect(translated(broken).listenerSets[0]?.listeners).toMatchObject([
      { clientValidation: { authorities: [] } },
    ]);
  });
});

it('a host is asked for client certificates under its other names, too, whoever gave it those', () => {
  const judge = { name: 'judge', tls: { 'a.example': 'cert' }, annotations: { 'auth-tls-secret': 'ca' } };
  const named = { age: 1, tls: { 'b.example': 'own' }, annotations: { 'server-alias': 'b.example' } };
  expect(translated(named, { others: [judge] }).listenerSets[0]?.listeners).toMatchObject([
    { hostname: 'b.example', clientValidation: { authorities: [{ name: 'ca' }] } },
  ]);
});

it.each(['tls', 'www'])('protects a host that is called %s among others', (host) => {
  const { routes, policies } = translated({
    paths: { 'a.example/': 'web', [`${host}/`]: 'web' },
    annotations: { 'whitelist-source-range': '10.0.0.0/8' },
  });
  expect(policies[0]?.targets.map(({ name }) => name)).toEqual(routes.map(({ name }) => name));
});

it('no host takes the name of another one', () => {
  const paths = { '*.b.example/': 'web', 'wildcard.b.example/': 'web', '/': 'web', 'any/': 'web' };
  const tls = { '*.b.example': 'cert', 'wildcard.b.example': 'cert' };
  const { routes, listenerSets } = translated({ paths, tls, annotations: { 'ssl-redirect': 'false' } });
  expect(new Set(routes.map(({ name }) => name)).size).toBe(4);
  expect(new Set(listenerSets[0]?.listeners.map(({ name }) => name)).size).toBe(2);
});

it('what goes on as it is can not be kept from anybody, and goes nowhere then', () => {
  const passed = { 'ssl-passthrough': 'true' };
  const kept = { ...passed, 'whitelist-source-range': '10.0.0.0/8' };
  expect(shown({ annotations: passed })).toContain(
    'shop~ingress~passthrough [a.example] at shop~ingress#a.example: TLSRoute',
  );
  expect(shown({ annotations: kept }).filter((line) => line.includes('TLSRoute'))).toEqual([]);
  expect(translated({ annotations: kept }).findings).toMatchObject([{ code: 'ProtectionMissing' }]);
});

it('an alias that is somebody’s host stays that', () => {
  const annotations = { 'server-alias': 'b.example c.example' };
  const others = [{ name: 'other', paths: { 'b.example/': 'b' } }];
  expect(translated({ annotations }, { others }).routes[0]?.hostnames).toEqual(['a.example', 'c.example']);
  const beside = { others: [{ name: 'aliased', tls: { 'a.example': 'cert' }, annotations }] };
  expect(shown({ paths: { 'b.example/': 'b' } }, beside)).toEqual([
    `shop~ingress [b.example] at ${both}: PathPrefix / -> b:80`,
  ]);
});

describe('a canary', () => {
  const canary = (annotations: Readonly<Record<string, string>>, more: Partial<IngressWish> = {}) => ({
    name: 'canary',
    annotations: { canary: 'true', ...annotations },
    paths: { 'a.example/': 'next' },
    age: 1,
    ...more,
  });

  it.each<[Readonly<Record<string, string>>, object]>([
    [{ 'canary-weight': '30' }, { share: 300_000 }],
    [{ 'canary-weight': '30', 'canary-weight-total': '1000' }, { share: 30_000 }],
    [{ 'canary-weight': '30', 'canary-weight-total': '50' }, { share: 300_000 }],
    [{ 'canary-by-header': 'X-Next' }, { header: { name: 'x-next' } }],
    [
      { 'canary-by-header': 'X-Next', 'canary-by-header-value': 'yes' },
      { header: { name: 'x-next', value: 'yes' } },
    ],
    [
      { 'canary-by-header': 'X-Next', 'canary-by-header-pattern': 'de|fr' },
      { header: { value: '.*(?:de|fr).*', regex: true } },
    ],
    [
      { 'canary-by-cookie': 'next', 'canary-weight': '5' },
      { cookie: 'next', share: 50_000 },
    ],
  ])('%j', (annotations, expected) => {
    const { policies } = translated({}, { others: [canary(annotations)] });
    expect(policies).toMatchObject([
      {
        name: 'shop~ingress~canary~path-0',
        targets: [{ kind: 'HTTPRoute', name: 'shop~ingress', section: 'path-0' }],
        settings: { canaries: [{ ...expected, backends: [{ name: 'next', port: 80 }] }] },
      },
    ]);
    expect(translated(canary(annotations), { others: [{}] })).toMatchObject({ routes: [], findings: [] });
  });

  it('has no say by its other annotations, and is told so', () => {
    const own = canary({ 'canary-weight': '1', 'whitelist-source-range': '10.0.0.0/8' });
    expect(translated(own, { others: [{}] }).findings).toMatchObject([
      {
        field: 'metadata.annotations[nginx.ingress.kubernetes.io/whitelist-source-range]',
        code: 'WithoutEffect',
      },
    ]);
  });

  it('is for the same host, path and type alone, and of several the oldest is heard', () => {
    const policiesBeside = (...others: IngressWish[]) => translated({}, { others }).policies;
    const weight = { 'canary-weight': '1' };
    expect(policiesBeside(canary(weight, { paths: { 'a.example/ Exact': 'next' } }))).toEqual([]);
    expect(policiesBeside(canary(weight, { paths: { 'b.example/': 'next' } }))).toEqual([]);
    expect(policiesBeside(canary({ 'canary-weight': '0' }))).toEqual([]);
    const second = canary(weight, { name: 'second', age: 9, paths: { 'a.example/': 'late' } });
    expect(policiesBeside(canary(weight), second)).toMatchObject([
      { settings: { canaries: [{ backends: [{ name: 'next' }] }] } },
    ]);
  });
});
