/** What several policies say together: field by field the nearest has its way, unless one further out insists. */
import type { AttachedPolicy } from '#model/gateway/policy-types.ts';
import { type Levels, winnerFirst } from './levels.ts';

/** What kinds of policies say. What one doesn't say isn't there. */
export type FieldsOf<P extends AttachedPolicy, F extends object> = {
  readonly of: (policy: P) => Partial<F>;
  /** Of these all that is said holds, at all levels. */
  readonly together: readonly (keyof F)[];
  /** Of these nobody is heard who is nearer to the request than a policy that insists, whether that says the field or not. */
  readonly yielding?: readonly (keyof F)[];
  /** What a field is called in the object, where that is another name. */
  readonly written?: { readonly [field in keyof F]?: string };
};

export type Choice<P extends AttachedPolicy, V> = { readonly value: V; readonly policy: P };

export type Merged<P extends AttachedPolicy, F extends object> = {
  /** The nearest first, each once. */
  readonly policies: readonly P[];
  /** Who has its way with a field. */
  get<K extends keyof F>(field: K): Choice<P, NonNullable<F[K]>> | undefined;
  /** Of a field that all say together, the nearest first. */
  all<K extends keyof F>(field: K): readonly Choice<P, NonNullable<F[K]>>[];
};

/** Generic over what policies say: TrafficPolicies, WAFPolicies and BackendPolicies are merged by this. */
export function merge<P extends AttachedPolicy, F extends object>(
  levels: Levels<P>,
  fields: FieldsOf<P, F>,
): Merged<P, F> {
  const policies = [...new Set(levels.flat())];
  const said = new Map<string, Partial<F>>(policies.map((policy) => [policy.key, fields.of(policy)]));
  const choice = <K extends keyof F>(policy: P, field: K): Choice<P, NonNullable<F[K]>> | undefined => {
    const value = said.get(policy.key)?.[field];
    return value === undefined || value === null ? undefined : { value, policy };
  };
  const insisting = levels.findLastIndex((level) => level.some(({ enforced }) => enforced));
  const heard = (field: keyof F): Levels<P> =>
    insisting > 0 && fields.yielding?.includes(field) === true ? levels.slice(insisting) : levels;
  return {
    policies,
    get<K extends keyof F>(field: K) {
      // A policy that insists comes first at its own level.
      const firsts = heard(field).flatMap((level) => {
        const [first] = level.flatMap((policy) => choice(policy, field) ?? []);
        return first === undefined ? [] : [first];
      });
      return firsts.findLast(({ policy }) => policy.enforced) ?? firsts[0];
    },
    all: (field) => [...new Set(heard(field).flat())].flatMap((policy) => choice(policy, field) ?? []),
  };
}

/** Fields in which a policy isn't heard at a target, since another one of those in force there says them, too. */
export function conflicts<P extends AttachedPolicy, F extends object>(
  policy: P,
  inForce: readonly P[],
  fields: FieldsOf<P, F>,
): readonly { readonly field: string; readonly winner: P }[] {
  const said = saidFields(policy, fields);
  const [first] = inForce;
  // Too many are there: the last of them aren't heard at all.
  if (!inForce.some(({ key }) => key === policy.key))
    return first === undefined ? [] : said.map((field) => ({ field, winner: first }));
  return said
    .filter((field) => !fields.together.includes(field as keyof F))
    .flatMap((field) => {
      const winner = inForce.find(
        (each) => each.key !== policy.key && saidFields(each, fields).includes(field),
      );
      return winner === undefined || winnerFirst(winner, policy) >= 0 ? [] : [{ field, winner }];
    });
}

/** Fields in which a policy isn't heard, since one that is further out insists. `outside`: levels, the nearest first. */
export function overrides<P extends AttachedPolicy, F extends object>(
  policy: P,
  outside: Levels<P>,
  fields: FieldsOf<P, F>,
): readonly { readonly field: string; readonly winner: P }[] {
  const insisting = outside.flat().filter(({ enforced }) => enforced);
  if (insisting.length === 0) return [];
  return saidFields(policy, fields).flatMap((field) => {
    const yields = fields.yielding?.includes(field as keyof F) === true;
    if (!yields && fields.together.includes(field as keyof F)) return [];
    const winner = insisting.findLast((each) => yields || saidFields(each, fields).includes(field));
    return winner === undefined ? [] : [{ field, winner }];
  });
}

/** As whoever wrote the policy wrote it. */
export function writtenField<P extends AttachedPolicy, F extends object>(
  field: string,
  { written }: FieldsOf<P, F>,
): string {
  return written?.[field as keyof F] ?? field;
}

export function saidFields<P extends AttachedPolicy, F extends object>(
  policy: P,
  fields: FieldsOf<P, F>,
): readonly string[] {
  return Object.entries(fields.of(policy))
    .filter(([, value]) => value !== undefined && value !== null)
    .map(([field]) => field);
}
