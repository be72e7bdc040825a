/** The OpenAPI documents: closed under their references, and with what kubectl looks for. */
import { describe, expect, it } from 'vitest';
import { builtinKinds } from './builtins.ts';
import { servedKindsOf } from './crd.ts';
import { componentName, openApiV2Document, openApiV3Document } from './openapi.ts';
import { at } from './semantics/fields.ts';
import { missing, readObjects } from './upstream.ts';

const apps = builtinKinds().filter((each) => each.group === 'apps');

function references(value: unknown): readonly string[] {
  if (Array.isArray(value)) return value.flatMap(references);
  if (typeof value !== 'object' || value === null) return [];
  const here = '$ref' in value && typeof value.$ref === 'string' ? [value.$ref] : [];
  return [...here, ...Object.values(value).flatMap(references)];
}

describe('v3', () => {
  const document = openApiV3Document('apps/v1', apps);
  const schemas = at(document, 'components', 'schemas');

  it('has every definition that it refers to', () => {
    const names = references(document).map((each) => each.replace('#/components/schemas/', ''));
    expect(names.length).toBeGreaterThan(100);
    expect(names.filter((each) => !Object.hasOwn(schemas, each))).toEqual([]);
  });

  it('names kinds, merge keys and field validation', () => {
    const name = componentName(apps.find((each) => each.kind === 'Deployment')!);
    expect(name).toBe('io.k8s.api.apps.v1.Deployment');
    expect(schemas[name]).toMatchObject({
      'x-kubernetes-group-version-kind': [{ group: 'apps', version: 'v1', kind: 'Deployment' }],
    });
    expect(at(schemas, 'io.k8s.api.core.v1.PodSpec', 'properties').containers).toMatchObject({
      'x-kubernetes-patch-merge-key': 'name',
      'x-kubernetes-patch-strategy': 'merge',
    });
    const patch = at(document, 'paths', '/apis/apps/v1/namespaces/{namespace}/deployments/{name}', 'patch');
    expect(patch.parameters).toContainEqual(
      expect.objectContaining({ name: 'fieldValidation', in: 'query' }),
    );
  });

  it('has schemas that contain themselves', () => {
    const kinds = builtinKinds().filter((each) => each.group === 'apiextensions.k8s.io');
    expect(() => JSON.stringify(openApiV3Document('apiextensions.k8s.io/v1', kinds))).not.toThrow();
  });

  it.skipIf(missing !== undefined)('has custom kinds with full metadata', () => {
    const { value } = servedKindsOf(readObjects('metallb/metallb.io_ipaddresspools.yaml')[0]!);
    const custom = at(openApiV3Document('metallb.io/v1beta1', value), 'components', 'schemas');
    const pool = at(custom, 'io.metallb.v1beta1.IPAddressPool', 'properties');
    expect(pool.metadata).toEqual({
      $ref: '#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta',
    });
    expect(at(pool, 'spec', 'properties').addresses).toMatchObject({ type: 'array' });
  });
});

describe('v2', () => {
  it('has every definition that it refers to, and no oneOf', () => {
    const document = openApiV2Document(builtinKinds());
    const names = references(at(document, 'definitions')).map((each) => each.replace('#/definitions/', ''));
    expect(names.filter((each) => !Object.hasOwn(at(document, 'definitions'), each))).toEqual([]);
    expect(JSON.stringify(document).includes('"oneOf":[')).toBe(false);
  });
});
