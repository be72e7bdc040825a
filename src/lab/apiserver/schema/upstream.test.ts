/** The upstream CRDs install, and accept and refuse what they do on a real server. */
import { describe, expect, it } from 'vitest';
import { merge } from '../patch/merge.ts';
import { builtinKinds } from './builtins.ts';
import { servedKindsOf } from './crd.ts';
import { at } from './semantics/fields.ts';
import { examples, missing, readObjects, upstreamFiles } from './upstream.ts';
import { type AdmitOptions, admit } from './validate.ts';

const create: AdmitOptions = { operation: 'create', fieldValidation: 'Strict', cel: true };

describe.skipIf(missing !== undefined)(`upstream CRDs${missing === undefined ? '' : ` (${missing})`}`, () => {
  it.each(upstreamFiles().map((file) => [file.path, file] as const))('installs %s', (_, { objects }) => {
    expect(objects.length).toBeGreaterThan(0);
    for (const object of objects) {
      const kind = builtinKinds().find((each) => each.kind === object.kind)!;
      const admitted = admit(kind.schema, object, create);
      expect(admitted.problems).toEqual([]);
      if (object.kind !== 'CustomResourceDefinition') {
        expect(kind.warning).toMatch(/not enforce/);
        continue;
      }
      const { value, problems } = servedKindsOf(object);
      expect(problems).toEqual([]);
      const versions = at(object, 'spec').versions as readonly { name: string; served: boolean }[];
      expect(value.map((each) => each.version)).toEqual(
        versions.filter((each) => each.served).map((each) => each.name),
      );
    }
  });

  for (const [file, { crd, base, cases, defaults = {} }] of missing === undefined ? examples() : []) {
    describe(file, () => {
      const [version] = [base.apiVersion.split('/')[1]];
      const kind = servedKindsOf(readObjects(crd)[0]!).value.find((each) => each.version === version)!;

      it('fills defaults', () => {
        const { value } = admit(kind.schema, base, create);
        for (const [path, expected] of Object.entries(defaults)) {
          const parts = path.split('.');
          expect(at(value, ...parts.slice(0, -1))[parts.at(-1)!]).toEqual(expected);
        }
      });

      it.each(cases.map((each) => [each.name, each] as const))(
        '%s',
        (_, { spec, metadata, problems = {} }) => {
          const object = { ...merge(base, { spec: spec ?? {}, metadata: metadata ?? {} })! } as Record<
            string,
            unknown
          >;
          const found = admit(kind.schema, object, create).problems;
          const byField = Object.fromEntries(
            [...new Set(found.map((each) => each.field))].map((field) => [
              field,
              found
                .filter((each) => each.field === field)
                .map((each) => each.message)
                .join('; '),
            ]),
          );
          expect(byField).toEqual(
            Object.fromEntries(
              Object.entries(problems).map(([field, text]) => [field, expect.stringContaining(text)]),
            ),
          );
        },
      );
    });
  }
});
