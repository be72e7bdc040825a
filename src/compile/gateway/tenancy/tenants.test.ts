/** A namespace that is no tenant any more: what it had ends with the next change, its objects say so, and it comes back as it went. */
import { expect, test } from 'vitest';
import type { ALBModel } from '#model/gateway/policy-types.ts';
import { createGatewayBook } from '../book.ts';
import { backend, httpRoute, httpRule, service } from '../samples.ts';
import {
  alb,
  gateway,
  gatewayClass,
  hostnameGrant,
  listener,
  listenerSet,
  objectOf,
  parent,
  routeId,
  running,
  saidOf,
  saidOfRoute,
  sharing,
  slots,
} from '../testing.ts';
import type { GatewayStatus } from '../types.ts';

const labelled = { namespaces: [], projects: ['shop'], selector: { matchLabels: { edge: 'yes' } } };
const lb = (tenants: ALBModel['tenants']) => alb('infra/lb', tenants === undefined ? {} : { tenants });

/** Namespace `a` has a route at the ALB, a Gateway that shares it, and a ListenerSet at a Gateway of the ALB's namespace. */
function world() {
  const book = createGatewayBook(slots);
  book.set('class', 'netloom', gatewayClass());
  book.set('alb', 'infra/lb', lb(labelled));
  book.set('gateway', 'infra/edge', {
    ...gateway('infra/edge', [listener('web HTTP/8080')], sharing('infra/lb')),
    allowedListeners: { from: 'All' },
  });
  book.setFacts('infra/lb~alb', running);
  const shares = gatewayClass({
    ...objectOf('GatewayClass', '/shared'),
    key: 'shared',
    parameters: { group: 'netloom.dev', kind: 'ALB', namespace: 'infra', name: 'lb' },
  });
  book.set('class', 'shared', shares);
  book.set('gateway', 'a/own', gateway('a/own', [listener('web HTTP/81')], { className: 'shared' }));
  book.set('listenerSet', 'a/set', listenerSet('a/set', 'infra/edge', [listener('set HTTP/82')]));
  book.set('service', 'a/web', service('a/web', ['http 80']));
  const route = httpRoute([httpRule({ backends: [backend('a/web')] })], {
    ...objectOf('HTTPRoute', 'a/web'),
    parents: [parent('ALB infra/lb'), parent('Gateway a/own'), parent('ListenerSet a/set')],
    hostnames: ['a.example'],
  });
  book.set('route', routeId(route), route);
  const said = new Map<string, GatewayStatus | undefined>();
  return {
    book,
    seen: () => {
      for (const [id, status] of book.settle().statuses) said.set(id, status);
      const whole = book.whole('infra/lb~alb');
      return {
        rules: Object.keys(whole?.rules ?? {}).length,
        backends: Object.keys(whole?.backends ?? {}).length,
        listeners: Object.keys(whole?.listeners ?? {}).filter((key) => key.includes('/a/')).length,
        route: saidOfRoute(said.get('HTTPRoute/a/web')).map((each) => each?.[0]),
        gateway: saidOf(said.get('Gateway/a/own'))?.[0],
        set: saidOf(said.get('ListenerSet/a/set'))?.[0],
      };
    },
  };
}

const served = {
  rules: 3,
  backends: 1,
  listeners: 2,
  route: Array(3).fill('Accepted True Accepted'),
  gateway: 'Accepted True Accepted',
  set: 'Accepted True Accepted',
};
const shutOut = {
  rules: 0,
  backends: 0,
  listeners: 0,
  gateway: 'Accepted False InvalidParameters',
  set: 'Accepted False NotAllowed',
};

test.each<[string, Readonly<Record<string, string>>]>([
  ['its label', { edge: 'yes' }],
  ['its project', { 'cpaas.io/project': 'shop' }],
])('a namespace that loses %s, goes, or comes again as somebody else’s has nothing there', (_, labels) => {
  const { book, seen } = world();
  book.set('namespace', 'a', labels);
  expect(seen()).toEqual(served);
  for (const other of [{}, undefined, { edge: 'no', 'cpaas.io/project': 'bank' }]) {
    book.set('namespace', 'a', other);
    expect(seen()).toMatchObject(shutOut);
    expect(seen().route).not.toContain('Accepted True Accepted');
    book.set('namespace', 'a', labels);
    expect(seen()).toEqual(served);
  }
});

test('so has one that the ALB names no more, and one whose ALB is gone', () => {
  const { book, seen } = world();
  book.set('namespace', 'a', { edge: 'yes' });
  expect(seen()).toEqual(served);
  for (const tenants of [undefined, { namespaces: ['b'], projects: [] }, { ...labelled, selector: {} }]) {
    book.set('alb', 'infra/lb', lb(tenants));
    if (tenants?.projects.length === 1) expect(seen()).toEqual(served);
    else expect(seen()).toMatchObject(shutOut);
  }
  book.set('alb', 'infra/lb', undefined);
  expect(seen()).toMatchObject({ rules: 0, listeners: 0, gateway: shutOut.gateway });
  expect(book.whole('infra/lb~alb')).toBeUndefined();
  expect(book.isUnshared('a/own')).toBe(true);
  book.set('alb', 'infra/lb', lb(labelled));
  expect(seen()).toEqual(served);
});

test('a hostname that is granted to somebody else ends there, whoever had it', () => {
  const { book, seen } = world();
  book.set('namespace', 'a', { edge: 'yes' });
  expect(seen()).toEqual(served);
  for (const hostname of ['a.example', '*.example']) {
    book.set('hostnameGrant', 'g', hostnameGrant('g', [hostname], 'b'));
    expect(seen()).toMatchObject({ rules: 0, route: Array(3).fill('Accepted False HostnameNotPermitted') });
    book.set('hostnameGrant', 'g', hostnameGrant('g', [hostname], 'edge=yes'));
    expect(seen()).toEqual(served);
    book.set('namespace', 'a', { 'cpaas.io/project': 'shop' });
    expect(seen()).toMatchObject({ rules: 0, route: Array(3).fill('Accepted False HostnameNotPermitted') });
    book.set('namespace', 'a', { edge: 'yes' });
    book.set('hostnameGrant', 'g', undefined);
    expect(seen()).toEqual(served);
  }
});
