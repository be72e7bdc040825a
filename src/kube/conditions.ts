/** Conditions on objects (metav1.Condition, API conventions): pure changes to a list. */
import type { Condition } from '#api/object.ts';

/** A condition as it is set: the time is the setter's argument. */
export type NewCondition = Omit<Condition, 'lastTransitionTime'>;

/**
 * The list with this condition in it, others untouched and in order; the same list when nothing would change, so that
 * `===` tells whether a write is due. lastTransitionTime moves only when status does.
 */
export function setCondition(
  conditions: readonly Condition[] | undefined,
  condition: NewCondition,
  now: Date,
): readonly Condition[] {
  const list = conditions ?? [];
  const held = findCondition(list, condition.type);
  if (held !== undefined && same(held, condition)) return list;
  const next: Condition = {
    type: condition.type,
    status: condition.status,
    reason: condition.reason,
    message: cut(condition.message, 32_768),
    lastTransitionTime: held?.status === condition.status ? held.lastTransitionTime : timestamp(now),
    ...(condition.observedGeneration === undefined
      ? {}
      : { observedGeneration: condition.observedGeneration }),
  };
  return held === undefined ? [...list, next] : list.map((other) => (other === held ? next : other));
}

/** Several at once. */
export function setConditions(
  conditions: readonly Condition[] | undefined,
  wanted: readonly NewCondition[],
  now: Date,
): readonly Condition[] {
  return wanted.reduce((list, condition) => setCondition(list, condition, now), conditions ?? []);
}

/** The list without this type; the same list when it had none. */
export function removeCondition(
  conditions: readonly Condition[] | undefined,
  type: string,
): readonly Condition[] {
  const list = conditions ?? [];
  return list.some((condition) => condition.type === type)
    ? list.filter((condition) => condition.type !== type)
    : list;
}

export function findCondition(
  conditions: readonly Condition[] | undefined,
  type: string,
): Condition | undefined {
  return conditions?.find((condition) => condition.type === type);
}

/** True only when the condition is there, is True, and (when a generation is given) speaks of that generation or a later one. */
export function isConditionTrue(
  conditions: readonly Condition[] | undefined,
  type: string,
  generation?: number,
): boolean {
  const condition = findCondition(conditions, type);
  if (condition?.status !== 'True') return false;
  return generation === undefined || (condition.observedGeneration ?? generation) >= generation;
}

/** metav1.Time: RFC 3339 in whole seconds, UTC. */
export function timestamp(at: Date): string {
  return `${at.toISOString().slice(0, 19)}Z`;
}

/** metav1.MicroTime. */
export function microTimestamp(at: Date): string {
  return `${at.toISOString().slice(0, 23)}000Z`;
}

/** At most `length` characters, with a mark where text was left out; never half a surrogate pair. */
export function cut(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 1).replace(/[\ud800-\udbff]$/, '')}…`;
}

function same(held: Condition, wanted: NewCondition): boolean {
  return (
    held.status === wanted.status &&
    held.reason === wanted.reason &&
    held.message === cut(wanted.message, 32_768) &&
    (wanted.observedGeneration === undefined || held.observedGeneration === wanted.observedGeneration)
  );
}
