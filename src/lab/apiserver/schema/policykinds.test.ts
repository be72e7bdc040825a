/** Our definitions of the Network Policy API's kinds take and refuse what upstream's experimental channel does. */
import { describe, expect, it } from 'vitest';
import { crdOf } from '#api/crd.ts';
import { adminNetworkPolicyKind } from '#api/kinds/adminnetworkpolicy.ts';
import { baselineAdminNetworkPolicyKind } from '#api/kinds/baselineadminnetworkpolicy.ts';
import { clusterNetworkPolicyKind } from '#api/kinds/clusternetworkpolicy.ts';
import type { KubeObject } from '#api/object.ts';
import { merge } from '../patch/merge.ts';
import type { ServedKind } from '../types.ts';
import { servedKindsOf } from './crd.ts';
import { examples, facts, missing, readObjects } from './upstream.ts';
import { type AdmitOptions, admit } from './validate.ts';

const create: AdmitOptions = { operation: 'create', fieldValidation: 'Strict', cel: true };
const served = (crd: KubeObject): ServedKind => {
  const { value, problems } = servedKindsOf(crd);
  expect(problems).toEqual([]);
  return value[0]!;
};

describe.skipIf(missing !== undefined)(
  `kinds of the Network Policy API${missing ? ` (${missing})` : ''}`,
  () => {
    for (const definition of [
      clusterNetworkPolicyKind,
      adminNetworkPolicyKind,
      baselineAdminNetworkPolicyKind,
    ]) {
      const { plural, kind } = definition;
      const upstream =
        missing === undefined ? readObjects(`network-policy-api/${plural}-experimental.yaml`)[0] : undefined;

      it(`${kind}: the same fields with the same constraints, by the same names`, () => {
        const ours = served(crdOf(definition));
        const theirs = served(upstream!);
        expect(facts(ours.schema).toSorted()).toEqual(facts(theirs.schema).toSorted());
        const { columns: _, schema: __, ...names } = ours;
        expect(theirs).toMatchObject(names);
      });

      it(`${kind}: the same objects are refused, by field`, () => {
        const [, { base, cases }] = examples().find(([, each]) => each.base.kind === kind)!;
        const [ours, theirs] = [served(crdOf(definition)), served(upstream!)];
        const more = [
          { spec: { egress: [{ action: 'Pass', to: [{ nodes: {} }] }] } },
          { spec: { egress: [{ action: 'Deny', to: [{ domainNames: ['*.b.example'] }] }] } },
          { spec: { egress: [{ action: 'Deny', to: [{ domainNames: ['a.*.example'] }] }] } },
          ...[
            { networks: ['10.0.0.0/8'] },
            { nodes: {} },
            { domainNames: ['a.example'] },
            { namespaces: {} },
          ].map((to) => ({
            spec: {
              egress: [
                {
                  action: 'Deny',
                  to: [{ namespaces: {} }, to],
                  ports: [{ namedPort: 'a' }],
                  protocols: [{ destinationNamedPort: 'a' }],
                },
              ],
            },
          })),
        ];
        for (const each of [...cases, ...more]) {
          const metadata = 'metadata' in each ? each.metadata : {};
          const object = merge(base, { spec: each.spec ?? {}, metadata: metadata ?? {} }) as Record<
            string,
            unknown
          >;
          const refused = ({ schema }: ServedKind) => [
            ...new Set(
              admit(schema, object, { ...create, fieldValidation: 'Ignore' }).problems.map(
                ({ field }) => field,
              ),
            ),
          ];
          expect([each, refused(ours)]).toEqual([each, refused(theirs)]);
        }
      });
    }
  },
);
