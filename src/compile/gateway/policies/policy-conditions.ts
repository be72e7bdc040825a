/** What is said of one policy: whether it is in force, what of it isn't, and whether what it refers to is there. */
import type { AttachedPolicy } from '#model/gateway/policy-types.ts';
import { condition, shortened } from '../listeners/listener-conditions.ts';
import type { GatewayCondition } from '../types.ts';
import { inForce, mostAtTarget, targetKey } from './levels.ts';
import { conflicts, type FieldsOf, saidFields, writtenField } from './merge.ts';

/** Something that a policy refers to and that can't be used. */
export type Finding = { readonly reason: string /** With the field in front. */; readonly message: string };

/** `rivals`: all policies of its kind at a target. `found`: targets that are there. `idle`: what has no effect where it is attached. */
export function policyConditions<P extends AttachedPolicy, F extends object>(
  policy: P,
  found: readonly P['targets'][number][],
  fields: FieldsOf<P, F>,
  context: {
    readonly rivals: (target: string) => readonly P[];
    readonly missing: readonly Finding[];
    readonly idle: readonly string[];
  },
): readonly GatewayCondition[] {
  const { refused = [] } = policy;
  const shown = refused.map(({ field, message, protects }) => ({ text: `${field}: ${message}`, protects }));
  const closing = shown.filter(({ protects }) => protects === true);
  const lost = lossesOf(policy, found, fields, context.rivals);
  const [first] = context.missing;
  const partly = [
    ...shown.filter(({ protects }) => protects !== true).map(({ text }) => `${text}: is left out`),
    ...context.idle,
  ];
  return [
    closing.length > 0
      ? accepted('Invalid', `${joined(closing.map(({ text }) => text))}: requests that it is for get 500`)
      : lost.whole
        ? accepted('Conflicted', joined(lost.texts))
        : condition('Accepted', 'True', 'Accepted', 'Is in force'),
    first === undefined
      ? condition('ResolvedRefs', 'True', 'ResolvedRefs', 'All that it refers to is there')
      : condition(
          'ResolvedRefs',
          'False',
          first.reason,
          joined(context.missing.map(({ message }) => message)),
        ),
    ...(lost.texts.length === 0 || lost.whole
      ? []
      : [condition('Conflicted', 'True', 'Conflicted', joined(lost.texts))]),
    ...(partly.length === 0
      ? []
      : [condition('PartiallyInvalid', 'True', 'UnsupportedValue', joined(partly))]),
  ];
}

/** Said of a target that isn't there. */
export function targetNotFound(message: string): readonly GatewayCondition[] {
  return [accepted('TargetNotFound', message)];
}

function accepted(reason: string, message: string): GatewayCondition {
  return condition('Accepted', 'False', reason, shortened(message));
}

/** `whole`: nothing of it is in force at any target. */
function lossesOf<P extends AttachedPolicy, F extends object>(
  policy: P,
  found: readonly P['targets'][number][],
  fields: FieldsOf<P, F>,
  rivals: (target: string) => readonly P[],
): { readonly texts: readonly string[]; readonly whole: boolean } {
  const said = saidFields(policy, fields).length;
  let whole = found.length > 0 && said > 0;
  const texts = found.flatMap((target) => {
    const key = targetKey(policy, target);
    if (key === undefined) return [];
    const there = inForce(rivals(key), key, target.section);
    const lost = conflicts(policy, there, fields);
    if (lost.length < said) whole = false;
    if (lost.length === 0) return [];
    const where = `${target.kind} ${target.name}${target.section === undefined ? '' : ` ${target.section}`}`;
    if (!there.some((each) => each.key === policy.key))
      return [`${where} has ${mostAtTarget} policies before it, and no more are heard`];
    return lost.map(
      ({ field, winner }) =>
        `${writtenField(field, fields)} of ${where} is said by ${winner.origin.kind} ${winner.origin.name}, which comes first`,
    );
  });
  return { texts, whole };
}

function joined(texts: readonly string[]): string {
  return shortened(texts.join('; '));
}
