/** Whether an endpoint is healthy, by its answers in a row; pure. */

export type Verdict = {
  readonly healthy: boolean;
  /** Answers in a row that say otherwise. */
  readonly against: number;
  /** Of the last that wasn't good. */
  readonly reason?: string;
};

/** Until somebody finds out otherwise. */
export const presumed: Verdict = { healthy: true, against: 0 };

/** `reason` undefined: the answer was good. */
export function afterAnswer(
  before: Verdict,
  reason: string | undefined,
  limits: { readonly healthy: number; readonly unhealthy: number },
): Verdict {
  const good = reason === undefined;
  const said = reason ?? before.reason;
  const why = said === undefined ? {} : { reason: said };
  if (good === before.healthy) return { healthy: before.healthy, against: 0, ...why };
  const against = before.against + 1;
  const enough = against >= Math.max(1, before.healthy ? limits.unhealthy : limits.healthy);
  return enough ? { healthy: good, against: 0, ...why } : { healthy: before.healthy, against, ...why };
}

/** Those that are used: the healthy ones, or all where none is. */
export function usable<E>(endpoints: readonly E[], isHealthy: (endpoint: E) => boolean): readonly E[] {
  const healthy = endpoints.filter(isHealthy);
  return healthy.length === 0 ? endpoints : healthy;
}
