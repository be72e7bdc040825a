/** Durations of Gateway API (GEP-2257): a narrow kind of Go's, `1h30m`, without signs, fractions and units below milliseconds. */
import type { Refuse } from '../problem.ts';
import { shown } from '../raw.ts';

const units = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 } as const;

/** Milliseconds; 0 is `0s` and the like. */
export function readDuration(value: unknown, field: string, refuse: Refuse): number | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'string' && /^([0-9]{1,5}(h|m|s|ms)){1,4}$/.test(value)) {
    return [...value.matchAll(/([0-9]+)(ms|h|m|s)/g)].reduce(
      (sum, [, number, unit]) => sum + Number(number) * units[unit as keyof typeof units],
      0,
    );
  }
  return refuse(field, 'InvalidTimeout', `${shown(value)} is no duration, such as 500ms or 1m30s`);
}
