/** For tests: built-in objects admitted by kind. */
import { merge } from '../../patch/merge.ts';
import { builtinKinds } from '../builtins.ts';
import { type AdmitOptions, type Admitted, admit } from '../validate.ts';

const create: AdmitOptions = { operation: 'create', fieldValidation: 'Strict', cel: true };

export type Given = { readonly apiVersion: string; readonly kind: string; readonly [field: string]: unknown };

/** Admits as kubectl's default does: unknown fields refused; `old` makes it an update. */
export function admitAs(object: Given, old?: Given): Admitted {
  const group = object.apiVersion.includes('/') ? object.apiVersion.split('/')[0] : '';
  const kind = builtinKinds().find((each) => each.kind === object.kind && each.group === group)!;
  return admit(
    kind.schema,
    object,
    old === undefined ? create : { ...create, operation: 'update', old: admitAs(old).value },
  );
}

/** The fields of its problems. */
export function fields(object: Given, old?: Given): readonly string[] {
  return admitAs(object, old).problems.map((each) => each.field);
}

/** Merge patches of a base object. */
export const make = (base: Given) => (patch: object) => merge(base, patch) as Given;
