/** What the status of a policy says: what is wrong with it, where it is in force, what in it can't work; pure. */

import { isOlder } from '#kube/cache.ts';
import type { NewCondition } from '#kube/conditions.ts';
import type { Problem } from '#model/problem.ts';
import { kindOf } from '#telemetry/catalogue.ts';
import type { PolicyReach } from '../node-lease.ts';
import { listing } from './listing.ts';
import type { SelectedPods } from './policy-selection.ts';

export type PolicyView = {
  readonly kind: string;
  readonly generation: number | undefined;
  /** The version since which the policy says what it says: a write of its status is none. */
  readonly since: string;
  /** It is used, as a whole or in parts. */
  readonly used: boolean;
  readonly selected: SelectedPods;
  /** Of the policy, from its reader and from looking at it beside the cluster. */
  readonly problems: readonly Problem[];
};

/** By node, how far its kernel is. */
export type ReachByNode = ReadonlyMap<string, PolicyReach>;

/** Conditions `Accepted`, `InForce` and `Ready`. */
export function policyConditions(view: PolicyView, reaches: ReachByNode): readonly NewCondition[] {
  const { generation } = view;
  const held = inForce(view, reaches);
  return [accepted(view), held, ready(view, held)].map((condition) =>
    generation === undefined ? condition : { ...condition, observedGeneration: generation },
  );
}

/** The node's kernel holds the policy as it is now, or as it is later. */
export function isHeld(reach: PolicyReach | undefined, kind: string, since: string): boolean {
  const version = reach?.versions.get(kind);
  // A version that the server does not count up is compared with nothing: then nobody knows.
  const known = version !== undefined && /^\d+$/.test(since);
  return known && reach?.refused === 0 && !isOlder(version, since);
}

function accepted({ problems, used }: PolicyView): NewCondition {
  const refusals = problems.filter(({ code }) => isRefusal(code));
  if (refusals.length === 0)
    return { type: 'Accepted', status: 'True', reason: 'Accepted', message: 'all of it is used' };
  const rest = used ? 'what else it says is used' : 'nothing of it is used';
  const message = `${sentences(refusals)}; ${rest}`;
  return { type: 'Accepted', status: 'False', reason: refusals[0]!.code, message };
}

function inForce(view: PolicyView, reaches: ReachByNode): NewCondition {
  const { kind, since, used, selected } = view;
  const { count: pods } = selected;
  const nodes = [...selected.nodes].sort();
  const type = 'InForce';
  if (!used) return { type, status: 'False', reason: 'NotAccepted', message: 'nothing of it can be used' };
  if (pods === 0)
    return { type, status: 'True', reason: 'NoPods', message: 'selects no pod, so no node needs it' };
  if (nodes.length === 0)
    return { type, status: 'True', reason: 'NoPods', message: 'none of the pods that it selects runs yet' };
  const generation = view.generation === undefined ? '' : `generation ${view.generation}`;
  const whom = `selects ${pods} pod${pods === 1 ? '' : 's'}: ${listing(selected.first, pods)}`;
  const lacking = nodes.filter((node) => !isHeld(reaches.get(node), kind, since));
  const count = `on ${nodes.length - lacking.length} of ${nodes.length} node${nodes.length === 1 ? '' : 's'} that need${nodes.length === 1 ? 's' : ''} it`;
  if (lacking.length === 0) {
    const from = generation === '' ? '' : `, since ${generation}`;
    return { type, status: 'True', reason: 'InForce', message: `${count}${from}; ${whom}` };
  }
  const refusing = lacking.filter((node) => (reaches.get(node)?.refused ?? 0) > 0);
  const of = generation === '' ? '' : `${generation}: `;
  const message = `${of}${count}; not yet on ${listing(lacking)}; ${whom}`;
  if (refusing.length === 0) return { type, status: 'False', reason: 'Pending', message };
  const why = `the kernel refuses a part of what policy asks for on ${listing(refusing)} (see the datapath's log there)`;
  return { type, status: 'False', reason: 'Refused', message: `${message}; ${why}` };
}

/** As of all kinds: False when an error stands or it isn't in force; a doubt leaves it True and speaks through reason and message. */
function ready({ problems }: PolicyView, { status, reason, message }: NewCondition): NewCondition {
  const type = 'Ready';
  const errors = problems.filter(({ code }) => kindOf(code).severity === 'error');
  const [first] = errors.length > 0 ? errors : problems;
  if (errors.length > 0) return { type, status: 'False', reason: first!.code, message: sentences(errors) };
  if (status !== 'True') return { type, status: 'False', reason, message };
  if (first !== undefined) return { type, status: 'True', reason: first.code, message: sentences(problems) };
  return { type, status: 'True', reason: 'Ready', message: 'all of it is used and in force' };
}

function isRefusal(code: string): boolean {
  const { severity, condition } = kindOf(code);
  return severity === 'error' && condition === 'Accepted';
}

/** A policy of a hundred rules may have a hundred problems. */
const told = 10;

function sentences(problems: readonly Problem[]): string {
  const list = problems.map(({ field, message }) => (field === '' ? message : `${field}: ${message}`));
  const more = list.length - told;
  return more > 0 ? `${list.slice(0, told).join('; ')}; and ${more} more` : list.join('; ');
}
