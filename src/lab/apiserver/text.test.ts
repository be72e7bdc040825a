/** The small languages: JSONPath of columns, ages, URL paths, version order, media types. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareVersions } from './discovery.ts';
import { humanDuration } from './duration.ts';
import { jsonPath } from './jsonpath.ts';
import { parseResourcePath } from './request.ts';

describe('jsonPath', () => {
  const object = {
    spec: {
      ports: [
        { port: 80, name: 'a' },
        { port: 443, name: 'b' },
      ],
      'odd.key': 'x',
    },
    status: {
      conditions: [
        { type: 'Ready', status: 'True', n: 3 },
        { type: 'Old', status: 'False', n: 1 },
      ],
    },
  };

  it.each([
    ['.spec.ports[0].port', [80]],
    ['.spec.ports[*].name', ['a', 'b']],
    ['.spec.ports[-1].name', ['b']],
    ['{.spec.ports[1].port}', [443]],
    ['$.spec.ports[5].port', []],
    [".spec['odd.key']", ['x']],
    ['.spec.odd\\.key', ['x']],
    ['.status.conditions[?(@.type=="Ready")].status', ['True']],
    [".status.conditions[?(@.type!='Ready')].status", ['False']],
    ['.status.conditions[?(@.n>=2)].type', ['Ready']],
    ['.status.conditions[?(@.none)].type', []],
    ['.spec.nothing.deeper', []],
    ['.__proto__', []],
    ['.spec[', []],
  ])('%s', (path, expected) => expect(jsonPath(path, object)).toEqual(expected));

  it('never throws', () => {
    fc.assert(fc.property(fc.string(), (path) => Array.isArray(jsonPath(path, object))));
  });
});

describe('humanDuration', () => {
  it.each([
    [0, '0s'],
    [119, '119s'],
    [120, '2m'],
    [330, '5m30s'],
    [3600, '60m'],
    [3 * 3600 + 300, '3h5m'],
    [30 * 3600, '30h'],
    [86_400 * 3, '3d'],
    [86_400 * 5 + 7200, '5d2h'],
    [86_400 * 40, '40d'],
    [86_400 * 800, '2y70d'],
    [86_400 * 365 * 9, '9y'],
    [-10, '<invalid>'],
  ])('%i seconds: %s', (seconds, text) => expect(humanDuration(seconds * 1000)).toBe(text));
});

describe('parseResourcePath', () => {
  it.each([
    ['/api/v1/pods', { group: '', version: 'v1', plural: 'pods', namespace: '' }],
    ['/api/v1/namespaces', { group: '', version: 'v1', plural: 'namespaces', namespace: '' }],
    ['/api/v1/namespaces/a', { group: '', version: 'v1', plural: 'namespaces', namespace: '', name: 'a' }],
    [
      '/api/v1/namespaces/a/status',
      { group: '', version: 'v1', plural: 'namespaces', namespace: '', name: 'a', subresource: 'status' },
    ],
    ['/api/v1/namespaces/a/pods', { group: '', version: 'v1', plural: 'pods', namespace: 'a' }],
    [
      '/apis/apps/v1/namespaces/a/deployments/d/scale',
      {
        group: 'apps',
        version: 'v1',
        plural: 'deployments',
        namespace: 'a',
        name: 'd',
        subresource: 'scale',
      },
    ],
    [
      '/api/v1/namespaces/a/services/s/proxy/x/y',
      {
        group: '',
        version: 'v1',
        plural: 'services',
        namespace: 'a',
        name: 's',
        subresource: 'proxy',
        rest: 'x/y',
      },
    ],
    ['/api/v1', undefined],
    ['/apis/apps', undefined],
    ['/healthz', undefined],
  ])('%s', (path, expected) => expect(parseResourcePath(path)).toEqual(expected));
});

describe('compareVersions', () => {
  it('puts the best first', () => {
    const versions = ['v1alpha1', 'foo', 'v2', 'v1beta2', 'v10', 'v1', 'v1beta10', 'bar'];
    expect(versions.toSorted(compareVersions)).toEqual([
      'v10',
      'v2',
      'v1',
      'v1beta10',
      'v1beta2',
      'v1alpha1',
      'bar',
      'foo',
    ]);
  });
});
