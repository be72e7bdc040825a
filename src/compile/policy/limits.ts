/** How many classes and identities a node can tell apart, and what holds beyond: everything is refused. */
import type { PolicyDirection } from '#model/policy.ts';
import type { Problem } from '#model/problem.ts';
import { directions } from './classes.ts';

/** The last ones are for what has no number of its own: in its class, or for its identity, everything is refused. */
export type PolicyLimits = {
  /** Classes are numbered from 1; the last two are of pods beyond the limit, one a direction. */
  readonly lastClass: number;
  readonly firstIdentity: number;
  readonly lastIdentity: number;
};

export const policyLimits: PolicyLimits = { lastClass: 4095, firstIdentity: 16, lastIdentity: 1048575 };

/** Of pods for whose class no number was left. */
export function overflowClass(direction: PolicyDirection, { lastClass }: PolicyLimits): number {
  return lastClass - directions.length + 1 + directions.indexOf(direction);
}

export function limitProblem(node: string, what: 'classes' | 'identities', limits: PolicyLimits): Problem {
  const message =
    what === 'classes'
      ? `policies tell more than ${limits.lastClass - 2} classes of pods apart on this node; pods beyond that are cut off until there are fewer`
      : `policies tell more than ${limits.lastIdentity - limits.firstIdentity} kinds of peers apart on this node; restricted pods don't talk to peers beyond that until there are fewer`;
  return { object: { kind: 'Node', name: node }, field: '', code: 'LimitExceeded', message };
}
