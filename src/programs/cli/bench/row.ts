/** One figure of a bench: what was measured, against what, and whether the goal is met; pure. */

/** Printed as JSON with exactly these keys, all of them always there. */
export type Row = {
  readonly name: string;
  /** What grows from row to row of one name: pods on the node, Services loaded, nodes of a lab. */
  readonly size: number;
  readonly value: number;
  readonly unit: string;
  /** What it is compared with, and its value in the same unit. */
  readonly reference: string;
  /** value / reference. */
  readonly ratio: number;
  /** Empty: for the record. */
  readonly goal: string;
  /** True where there is no goal. */
  readonly met: boolean;
};

/** A limit on the ratio, or on the value itself. */
export type Goal = {
  readonly of: 'ratio' | 'value';
  readonly atMost?: number;
  readonly atLeast?: number;
};

export type Measured = {
  readonly name: string;
  readonly size: number;
  readonly value: number;
  readonly unit: string;
  readonly against: { readonly what: string; readonly value: number };
  /** Default: value / reference. Given where rounds were compared one by one. */
  readonly ratio?: number;
  readonly goal?: Goal;
};

export type BenchOptions = {
  readonly quick: boolean;
  readonly progress: (line: string) => void;
};

/** A bench as the command sees it. */
export type Bench = {
  readonly name: string;
  /** One sentence without a full stop. */
  readonly summary: string;
  readonly run: (options: BenchOptions) => Promise<readonly Row[]>;
};

export function row(measured: Measured): Row {
  const { name, size, value, unit, against, goal } = measured;
  const ratio = measured.ratio ?? value / against.value;
  return {
    name,
    size,
    value: significant(value),
    unit,
    reference: `${against.what}: ${significant(against.value)}`,
    ratio: significant(ratio),
    goal: goal === undefined ? '' : goalText(goal, unit),
    met: goal === undefined || meets(goal, goal.of === 'ratio' ? ratio : value),
  };
}

/** Four digits: no figure here is surer than that. */
export function significant(value: number): number {
  return Number(value.toPrecision(4));
}

/** A figure that is no number meets nothing. */
function meets({ atMost, atLeast }: Goal, value: number): boolean {
  return (
    !Number.isNaN(value) &&
    (atMost === undefined || value <= atMost) &&
    (atLeast === undefined || value >= atLeast)
  );
}

function goalText({ of, atMost, atLeast }: Goal, unit: string): string {
  const limit = (sign: string, bound: number) =>
    of === 'ratio' ? `${sign} ${bound} ×` : `${sign} ${bound} ${unit}`;
  const parts = [
    atLeast === undefined ? [] : [limit('≥', atLeast)],
    atMost === undefined ? [] : [limit('≤', atMost)],
  ];
  return parts.flat().join(', ');
}
