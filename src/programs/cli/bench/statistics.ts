/** Medians and percentiles of samples; pure. */

/** Throws RangeError without samples: a figure that was never taken must not become a number. */
export function median(samples: readonly number[]): number {
  const sorted = samples.toSorted((a, b) => a - b);
  const half = sorted.length / 2;
  const upper = at(sorted, Math.floor(half));
  return Number.isInteger(half) ? (upper + at(sorted, half - 1)) / 2 : upper;
}

/** The smallest sample that at least `percent` % of the samples don't exceed (nearest rank). */
export function percentile(samples: readonly number[], percent: number): number {
  const sorted = samples.toSorted((a, b) => a - b);
  return at(sorted, Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1));
}

/**
 * The median of the ratios round by round. Each round's two samples are taken within a second of each other, so that what the
 * machine does meanwhile touches both.
 */
export function pairedRatio(samples: readonly number[], references: readonly number[]): number {
  if (samples.length !== references.length) throw new RangeError('a round lacks one of its two samples');
  return median(samples.map((sample, round) => sample / at(references, round)));
}

function at(sorted: readonly number[], index: number): number {
  const value = sorted[index];
  if (value === undefined) throw new RangeError('no samples');
  return value;
}
