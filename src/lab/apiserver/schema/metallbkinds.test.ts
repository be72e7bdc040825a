/** Our definitions of MetalLB's kinds have upstream's fields with upstream's constraints, and in their status a few more. */
import { describe, expect, it } from 'vitest';
import { crdOf } from '#api/crd.ts';
import { metallbGroup } from '#api/kinds/metallbparts.ts';
import { kinds } from '#api/kinds.ts';
import type { KubeObject } from '#api/object.ts';
import type { ServedKind } from '../types.ts';
import { servedKindsOf } from './crd.ts';
import { facts, missing, readObjects } from './upstream.ts';

const served = (crd: KubeObject): readonly ServedKind[] => {
  const { value, problems } = servedKindsOf(crd);
  expect(problems).toEqual([]);
  return value;
};

/** What upstream doesn't have: nothing that an object written for upstream could run into. */
const isAdded = (fact: string) =>
  fact.startsWith('.status.conditions') || /^\.spec (type|description): /.test(fact);

describe.skipIf(missing !== undefined)(`kinds of MetalLB${missing ? ` (${missing})` : ''}`, () => {
  it.each(kinds.filter(({ group }) => group === metallbGroup))('$kind', (definition) => {
    const upstream = readObjects(`metallb/metallb.io_${definition.plural}.yaml`)[0];
    const [ours, theirs] = [served(crdOf(definition)), served(upstream!)];
    expect(ours.map(({ version }) => version).toSorted()).toEqual(
      theirs.map(({ version }) => version).toSorted(),
    );
    for (const each of ours) {
      const other = theirs.find(({ version }) => version === each.version)!;
      const [mine, wanted] = [facts(each.schema), facts(other.schema)];
      expect(wanted.filter((fact) => !mine.includes(fact) && !isAdded(fact))).toEqual([]);
      expect(mine.filter((fact) => !wanted.includes(fact) && !isAdded(fact))).toEqual([]);
      const { columns, schema: _, ...names } = each;
      expect(other).toMatchObject(names);
      const named = columns.map(({ name }) => name);
      expect(named).toEqual(expect.arrayContaining(other.columns.map(({ name }) => name)));
    }
  });
});
