/** What to record so that the journal says what the kernel shows. */
import type { Assignment, IpamRecord, IpamState } from './state.ts';

/**
 * Compares a replayed journal with the pod interfaces that are there; changes nothing. A pod that runs keeps its addresses whatever
 * the journal says; an assignment to a pod interface that is gone is released and rests from now on. The node's own assignments
 * (without pod) stay, unless found otherwise. `lost`: records may be missing, so an address may have been freed a moment ago.
 * A problem: two interfaces that show the same address (only the first can own it).
 */
export function recover(
  state: IpamState,
  found: readonly Assignment[],
  now: number,
  lost: boolean,
): { readonly value: readonly IpamRecord[]; readonly problems: readonly string[] } {
  const value: IpamRecord[] = lost ? [{ op: 'lost', at: now }] : [];
  const problems: string[] = [];
  const live = new Map(found.map((assignment) => [assignment.key, assignment]));
  const owners = new Map<string, string>();
  for (const assignment of state.assignments.values()) {
    if (assignment.pod !== undefined && !live.has(assignment.key)) {
      value.push({ op: 'release', key: assignment.key, at: now });
    } else if (!live.has(assignment.key)) {
      for (const address of assignment.addresses) owners.set(address, assignment.key);
    }
  }
  for (const assignment of live.values()) {
    const taken = assignment.addresses.find((address) => owners.has(address));
    if (taken !== undefined) {
      problems.push(`${assignment.key} has ${taken}, which belongs to ${owners.get(taken)}`);
      continue;
    }
    for (const address of assignment.addresses) owners.set(address, assignment.key);
    const known = state.assignments.get(assignment.key);
    if (known?.addresses.join() === assignment.addresses.join()) continue;
    // An address may move between two live interfaces that the journal has the wrong way round: release all first.
    if (known !== undefined) value.push({ op: 'release', key: assignment.key, at: now });
  }
  for (const assignment of live.values()) {
    const known = state.assignments.get(assignment.key);
    const isOwner = assignment.addresses.every((address) => owners.get(address) === assignment.key);
    if (!isOwner || known?.addresses.join() === assignment.addresses.join()) continue;
    value.push({ op: 'assign', assignment });
  }
  return { value, problems };
}
