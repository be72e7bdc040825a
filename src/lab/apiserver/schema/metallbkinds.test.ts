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
  /^\.status\.(conditions|sessions)/.test(fact) || /^\.spec (type|description): /.test(fact);

/**
 * BGPPeer's versions have one schema, which takes what either of upstream's takes: v1beta1 has fewer fields and asks for more of them, and
 * knows no operator without values; 0 as a port is v1beta1's for the usual one.
 */
const isLoosened = (fact: string, version: string) =>
  fact.startsWith('.spec.peerPort minimum: ') ||
  (version === 'v1beta1' &&
    (/^\.spec (required|rules)/.test(fact) ||
      /^\.spec\.nodeSelectors\[\](\.matchExpressions(\[\](\.values)?)?)? /.test(fact)));

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
      const counts = (fact: string) =>
        !isAdded(fact) && !(definition.kind === 'BGPPeer' && isLoosened(fact, each.version));
      expect(wanted.filter((fact) => !mine.includes(fact) && counts(fact))).toEqual([]);
      const known = (fact: string) =>
        each.version === definition.version ||
        !/^\.spec\.(connectTime|peerPort default|disableMP|dualStackAddressFamily|dynamicASN|enableGracefulRestart|interface|localASN|passwordSecret|vrf)\b/.test(
          fact,
        );
      expect(mine.filter((fact) => !wanted.includes(fact) && counts(fact) && known(fact))).toEqual([]);
      const { columns, schema: _, warning: __, ...names } = each;
      expect(other).toMatchObject(names);
      const named = columns.map(({ name }) => name);
      expect(named).toEqual(expect.arrayContaining(other.columns.map(({ name }) => name)));
    }
  });
});
