/** What the status of a policy says: what is wrong with it, where it is in force, what in it can't work; pure. */

import { isOlder } from '#kube/cache.ts';
import type { NewCondition } from '#kube/conditions.ts';
import type { Problem } from '#model/problem.ts';
import { kindOf } from '#telemetry/catalogue.ts';
import { type PolicyReach, policyKinds } from '../node-lease.ts';
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

/** Nodes that pods may come to: alive, and their agents have spoken. `floor`: by kind, the version that all of them hold. */
export type LiveNodes = { readonly names: readonly string[]; readonly floor: ReadonlyMap<string, string> };

export function liveNodes(reaches: ReachByNode, isAlive: (node: string) => boolean): LiveNodes {
  const live = [...reaches].filter(([node, { versions }]) => versions.size > 0 && isAlive(node));
  const floor = new Map<string, string>();
  for (const [, { versions, refused }] of live) {
    for (const kind of policyKinds) {
      const version = (refused > 0 ? undefined : versions.get(kind)) ?? '0';
      const lowest = floor.get(kind);
      if (lowest === undefined || isOlder(version, lowest)) floor.set(kind, version);
    }
  }
  return { names: live.map(([node]) => node).sort(), floor };
}

/**
 * Conditions `Accepted`, `InForce` and `Ready`. In force is what all live nodes hold, those without a selected pod, too: only then it
 * holds for the next pod wherever that starts. A node that is dead is waited for while it has a selected pod.
 */
export function policyConditions(
  view: PolicyView,
  reaches: ReachByNode,
  live: LiveNodes,
): readonly NewCondition[] {
  const { generation } = view;
  const held = inForce(view, reaches, live);
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

function inForce(view: PolicyView, reaches: ReachByNode, { names, floor }: LiveNodes): NewCondition {
  const { kind, since, used, selected } = view;
  const type = 'InForce';
  if (!used) return { type, status: 'False', reason: 'NotAccepted', message: 'nothing of it can be used' };
  const lacks = (node: string) => !isHeld(reaches.get(node), kind, since);
  const needing = [...selected.nodes].sort();
  const lacking = needing.filter(lacks);
  const isKnown = !isOlder(floor.get(kind) ?? since, since);
  const late = [
    ...lacking,
    ...(isKnown ? [] : names.filter((node) => !selected.nodes.has(node) && lacks(node))),
  ];
  const generation = view.generation === undefined ? '' : `generation ${view.generation}`;
  const whom = whomOf(selected, needing.length - lacking.length, late.length === 0 ? generation : '');
  if (late.length === 0)
    return { type, status: 'True', reason: needing.length === 0 ? 'NoPods' : 'InForce', message: whom };
  const message = `${generation === '' ? '' : `${generation}: `}not yet on ${listing(late)}; ${whom}`;
  const refusing = late.filter((node) => (reaches.get(node)?.refused ?? 0) > 0);
  if (refusing.length === 0) return { type, status: 'False', reason: 'Pending', message };
  const why = `the kernel refuses a part of what policy asks for on ${listing(refusing)} (see the datapath's log there)`;
  return { type, status: 'False', reason: 'Refused', message: `${message}; ${why}` };
}

function whomOf({ count, first, nodes }: SelectedPods, holding: number, generation: string): string {
  if (count === 0) return 'selects no pod, so no node needs it';
  if (nodes.size === 0) return 'none of the pods that it selects runs yet';
  const need = nodes.size === 1 ? 'node that needs' : 'nodes that need';
  const from = generation === '' ? '' : `, since ${generation}`;
  const selected = `selects ${count} pod${count === 1 ? '' : 's'}: ${listing(first, count)}`;
  return `on ${holding} of ${nodes.size} ${need} it${from}; ${selected}`;
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
