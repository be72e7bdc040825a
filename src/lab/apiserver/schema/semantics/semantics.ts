/** What a built-in kind asks of its objects beyond its schema. */
import type { FieldProblem } from '../../types.ts';
import type { PlainObject } from '../plain.ts';

/** How an object's name may look: RFC 1123 subdomain or label, RFC 1035 label, or a path segment (RBAC). */
export type NameRule = 'subdomain' | 'label' | 'label1035' | 'path';

export type Semantics = {
  readonly name?: NameRule;
  /** Fills in defaults that depend on other fields and brings values into their canonical form. */
  readonly normalize?: (object: PlainObject, old: PlainObject | undefined) => PlainObject;
  /** Problems of a well-formed object; `old` on updates. */
  readonly check?: (object: PlainObject, old: PlainObject | undefined) => readonly FieldProblem[];
  readonly warn?: (object: PlainObject) => readonly string[];
};
