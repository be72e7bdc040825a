/** Our definitions of Gateway API's kinds say what upstream's experimental channel says, in all but descriptions and messages. */
import { describe, expect, it } from 'vitest';
import { crdOf } from '#api/crd.ts';
import { gatewayGroup } from '#api/kinds/gatewayparts.ts';
import { kinds } from '#api/kinds.ts';
import type { KubeObject } from '#api/object.ts';
import * as samples from '#model/gateway/samples.ts';
import { servedKindsOf } from './crd.ts';
import { canonical, isObject } from './plain.ts';
import { missing, readObjects } from './upstream.ts';
import { type AdmitOptions, admit } from './validate.ts';

const directory = 'gateway-api-v1.6.1/experimental';
const gatewayKinds = kinds.filter(({ group }) => group === gatewayGroup);

const create: AdmitOptions = { operation: 'create', fieldValidation: 'Strict', cel: true };
const { sampleOf } = samples;
const said: readonly (readonly [string, unknown])[] = [
  ['GatewayClass', samples.classSpec],
  ['Gateway', samples.gatewaySpec],
  ['ListenerSet', samples.listenerSetSpec],
  ['HTTPRoute', samples.httpSpec],
  ['GRPCRoute', samples.grpcSpec],
  ['TLSRoute', samples.tlsSpec],
  ['ReferenceGrant', samples.grantSpec],
  ['BackendTLSPolicy', samples.policySpec],
];

/** As a schema wants it: readers take more. */
const strict = (spec: unknown): unknown =>
  JSON.parse(
    JSON.stringify(spec)
      .replaceAll(/"(\*\.)?\w+\.example"/g, (host) => host.toLowerCase())
      .replace('500,503,500', '500,503'),
  );

/** What only we have: marks of who installed it. */
const ours = ['app.kubernetes.io/part-of', 'netloom.dev/installed-release'];

/** What a kind without columns of its own has. */
const ages = [{ name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' }];

type Rule = { readonly rule: string };

/** Every keyword of a schema, by path; of rules only what they ask. */
function facts(schema: unknown, path = ''): readonly string[] {
  const {
    description: _,
    properties,
    items,
    additionalProperties,
    ...own
  } = schema as Record<string, unknown>;
  const here = Object.entries(own).map(
    ([keyword, value]) => `${path} ${keyword}: ${keywordSaid(keyword, value)}`,
  );
  return [
    ...here,
    ...Object.entries(properties ?? {}).flatMap(([name, child]) => facts(child, `${path}.${name}`)),
    ...(items === undefined ? [] : facts(items, `${path}[]`)),
    ...(isObject(additionalProperties) ? facts(additionalProperties, `${path}{}`) : []),
  ];
}

function keywordSaid(keyword: string, value: unknown): string {
  if (keyword === 'required') return canonical((value as string[]).toSorted());
  if (keyword !== 'x-kubernetes-validations') return canonical(value);
  const { length } = value as readonly unknown[];
  expect((value as readonly object[]).every((rule) => Object.keys(rule).length === 2)).toBe(true);
  const rules = (value as readonly Rule[]).map(({ rule }) => rule.replaceAll(/\s+/g, ''));
  return `${length} ${rules.toSorted().join('\n')}`;
}

/** A definition without its schemas, in an order of its own. */
function frame(crd: KubeObject): unknown {
  const { versions, ...spec } = crd['spec'] as { readonly versions: readonly { readonly name: string }[] };
  const { name, labels, annotations } = crd.metadata;
  const rest = (entries: object | undefined) =>
    Object.entries(entries ?? {}).filter(([key]) => !ours.includes(key));
  return {
    name,
    labels: rest(labels),
    annotations: rest(annotations),
    spec,
    versions: versions
      .map((version) => ({
        additionalPrinterColumns: ages,
        ...version,
        schema: undefined,
        deprecationWarning: undefined,
      }))
      .toSorted((one, other) => (one.name < other.name ? -1 : 1)),
  };
}

function schemas(crd: KubeObject): ReadonlyMap<string, unknown> {
  const { versions } = crd['spec'] as {
    readonly versions: readonly {
      readonly name: string;
      readonly schema: { readonly openAPIV3Schema: unknown };
    }[];
  };
  return new Map(versions.map(({ name, schema }) => [name, schema.openAPIV3Schema]));
}

describe('kinds of Gateway API', () => {
  it('are ten, and their rules compile', () => {
    expect(gatewayKinds).toHaveLength(10);
    for (const definition of gatewayKinds) {
      const { value, problems } = servedKindsOf(crdOf(definition));
      expect(problems).toEqual([]);
      expect(value).toHaveLength(1 + ('olderVersions' in definition ? definition.olderVersions!.length : 0));
    }
  });

  it.skipIf(missing !== undefined).each(gatewayKinds)(
    `$kind is upstream’s${missing ? ` (${missing})` : ''}`,
    (definition) => {
      const upstream = readObjects(`${directory}/${gatewayGroup}_${definition.plural}.yaml`)[0]!;
      const crd = JSON.parse(JSON.stringify(crdOf(definition))) as KubeObject;
      expect(frame(crd)).toEqual(frame(upstream));
      const [mine, theirs] = [schemas(crd), schemas(upstream)];
      for (const [version, schema] of theirs)
        expect(facts(mine.get(version)).toSorted()).toEqual(facts(schema).toSorted());
    },
  );

  it('take what can be said, as it is read', () => {
    for (const [kind, spec] of said) {
      const definition = gatewayKinds.find((each) => each.kind === kind)!;
      for (const { schema } of servedKindsOf(crdOf(definition)).value) {
        const { problems } = admit(schema, sampleOf(kind, strict(spec)) as Record<string, unknown>, create);
        expect([kind, problems]).toEqual([kind, []]);
      }
    }
  });
});
