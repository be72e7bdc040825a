/** Where a pod's addresses come from, and why: the decision and its explanation are one. */

import { type AddressEntry, type AddressWishes, readWishes } from '#model/address-wishes.ts';
import { annotations } from '#model/annotations.ts';
import type { NamespaceModel } from '#model/namespace.ts';
import type { PodModel } from '#model/pod.ts';
import type { SubnetModel } from '#model/subnet.ts';
import { parseAddr } from '#net/addr.ts';
import { parsePrefix, prefixHas } from '#net/prefix.ts';
import { type AddrSet, has, subtract } from '#net/set.ts';
import { chooseSubnet, defaultSubnet } from '../topology/entries.ts';
import type { ServedSubnets } from '../topology/served.ts';
import { assignable } from './blocks.ts';
import { notSelected, poolRefuses, subnetRefuses } from './permission.ts';
import { pooled, poolOf, type ServedPool, type ServedPools } from './pools.ts';

/** One Subnet or pool that was looked at, in the order of looking. */
export type Considered = {
  readonly kind: 'Subnet' | 'IPPool';
  readonly name: string;
  /** What brought it up: an annotation, a selector, the namespace, the default. */
  readonly by: string;
  readonly taken: boolean;
  /** Why it was taken, or why not. */
  readonly reason: string;
};

export type Placement = {
  readonly subnet: string;
  readonly pool?: string;
  readonly entries?: readonly AddressEntry[];
  readonly mac?: string;
  readonly keep?: string;
  readonly release?: string;
  /** Its addresses come from the node's blocks of the Subnet; any other pod's are claimed one by one. */
  readonly fromBlocks: boolean;
  /** The Subnet is the one of its namespace. */
  readonly ordinary: boolean;
};

export type Placed = { readonly considered: readonly Considered[] } & (
  | { readonly placement: Placement }
  | { readonly refused: string }
);

export type PlacementInputs = {
  readonly subnets: ServedSubnets;
  readonly pools: ServedPools;
};

/**
 * In this order: the pod's annotation of a pool, of a Subnet, the addresses that it names, its namespace's annotation of a
 * pool, of a Subnet, a pool that selects the pod, the Subnet that serves the namespace, the default Subnet. What an annotation names
 * is taken or refused; nothing else is tried in its place.
 */
export function place(
  pod: Pick<PodModel, 'origin' | 'namespace' | 'name' | 'labels' | 'annotations' | 'statefulSet'>,
  namespace: NamespaceModel,
  inputs: PlacementInputs,
): Placed {
  const considered: Considered[] = [];
  const { value: wishes, problems } = readWishes(pod);
  if (wishes === undefined) {
    return { considered, refused: `${problems[0]?.field}: ${problems[0]?.message}` };
  }
  const found = candidate(pod, wishes, namespace, inputs);
  const { by } = found;
  for (const each of found.passed) considered.push({ ...each, taken: false });
  if ('refused' in found) {
    if (found.name !== undefined) {
      const { kind, name } = found.name;
      considered.push({ kind, name, by, taken: false, reason: found.refused });
    }
    return { considered, refused: found.refused };
  }
  const { subnet, pool } = found;
  const kind = pool === undefined ? 'Subnet' : 'IPPool';
  const name = pool?.model.name ?? subnet.name;
  const wrong = wrongAddress(wishes.entries ?? [], subnet, pool, inputs.pools);
  considered.push({ kind, name, by, taken: wrong === undefined, reason: wrong ?? found.reason });
  if (wrong !== undefined) return { considered, refused: wrong };
  const fromBlocks = pool === undefined && wishes.entries === undefined && wishes.keep === undefined;
  const usual = chooseSubnet(namespace, inputs.subnets)?.subnet.name;
  const placement: Placement = {
    subnet: subnet.name,
    ...(pool === undefined ? {} : { pool: pool.model.name }),
    ...(wishes.entries === undefined ? {} : { entries: wishes.entries }),
    ...(wishes.mac === undefined ? {} : { mac: wishes.mac }),
    ...(wishes.keep === undefined ? {} : { keep: wishes.keep }),
    ...(wishes.release === undefined ? {} : { release: wishes.release }),
    fromBlocks,
    ordinary: fromBlocks && subnet.name === usual,
  };
  return { considered, placement };
}

/** What a placed pod without addresses of its own choice can get, where it doesn't take from the node's blocks. */
export function usableFor(placement: Placement, { subnets, pools }: PlacementInputs): AddrSet | undefined {
  if (placement.pool !== undefined) return pools.byName.get(placement.pool)?.usable;
  const subnet = subnets.byName.get(placement.subnet);
  return subnet && subtract(assignable(subnet), pooled(pools, subnet.name));
}

type Named = Pick<Considered, 'kind' | 'name'>;
type Candidate = { readonly passed: readonly Omit<Considered, 'taken'>[]; readonly by: string } & (
  | {
      readonly subnet: SubnetModel;
      readonly pool?: ServedPool | undefined;
      readonly reason: string;
    }
  | {
      readonly refused: string;
      /** What was asked for, where it has a name. */
      readonly name?: Named;
    }
);

function candidate(
  pod: Pick<PodModel, 'namespace' | 'labels'>,
  wishes: AddressWishes,
  namespace: NamespaceModel,
  inputs: PlacementInputs,
): Candidate {
  const own = 'annotation of the pod';
  if (wishes.pool !== undefined) return namedPool(wishes.pool, wishes.subnet, namespace, inputs, own);
  if (wishes.subnet !== undefined) return namedSubnet(wishes, wishes.subnet, namespace, inputs, own);
  if (wishes.entries !== undefined) return byAddress(wishes.entries, namespace, inputs);
  const its = `annotation of namespace ${namespace.name}`;
  if (namespace.pool !== undefined) {
    return namedPool(namespace.pool, namespace.subnet, namespace, inputs, its);
  }
  if (namespace.subnet !== undefined) return namedSubnet(wishes, namespace.subnet, namespace, inputs, its);
  return selected(pod, namespace, inputs);
}

function namedPool(
  name: string,
  besides: string | undefined,
  namespace: NamespaceModel,
  { subnets, pools }: PlacementInputs,
  by: string,
): Candidate {
  const pool = pools.byName.get(name);
  const subnet = pool && subnets.byName.get(pool.model.subnet);
  const refuse = (refused: string): Candidate => ({
    refused: `${annotations.pool}: ${refused}`,
    name: { kind: 'IPPool', name },
    passed: [],
    by,
  });
  if (pool === undefined || subnet === undefined) {
    return refuse(`there is no IPPool ${name} with addresses to assign`);
  }
  const reason = poolRefuses(pool, subnet, namespace);
  if (reason !== undefined) return refuse(reason);
  if (besides !== undefined && besides !== subnet.name) {
    return refuse(`IPPool ${name} is of Subnet ${subnet.name}, and ${annotations.subnet} says ${besides}`);
  }
  return { subnet, pool, passed: [], by, reason: `${by} names the pool` };
}

function namedSubnet(
  wishes: AddressWishes,
  name: string,
  namespace: NamespaceModel,
  { subnets, pools }: PlacementInputs,
  by: string,
): Candidate {
  const subnet = subnets.byName.get(name);
  const refused =
    subnet === undefined ? `there is no served Subnet ${name}` : subnetRefuses(subnet, namespace);
  if (subnet === undefined || refused !== undefined) {
    const named: Named = { kind: 'Subnet', name };
    return { refused: `${annotations.subnet}: ${refused}`, name: named, passed: [], by };
  }
  const pool = wishes.entries && poolOfEntries(wishes.entries, subnet, namespace, pools);
  if (typeof pool === 'string') return { refused: pool, passed: [], by };
  return { subnet, pool, passed: [], by, reason: `${by} names the Subnet` };
}

/** The Subnet that has the addresses, if it allows the namespace. */
function byAddress(
  entries: readonly AddressEntry[],
  namespace: NamespaceModel,
  { subnets, pools }: PlacementInputs,
): Candidate {
  const by = `annotation of the pod (${annotations.addresses})`;
  const first = entries[0]?.addresses[0] ?? '';
  const addr = parseAddr(first);
  const subnet = subnets.list.find((each) =>
    each.cidrs.some((cidr) => addr !== undefined && prefixHas(parsePrefix(cidr)!, addr)),
  );
  if (subnet === undefined) {
    return { refused: `${annotations.addresses}: ${first} is in no served Subnet`, passed: [], by };
  }
  const pool = poolOfEntries(entries, subnet, namespace, pools);
  if (typeof pool === 'string') return { refused: pool, passed: [], by };
  // A pool that names the namespace is a permission of its own.
  const refused = pool === undefined ? subnetRefuses(subnet, namespace) : undefined;
  if (refused !== undefined) {
    const name: Named = { kind: 'Subnet', name: subnet.name };
    return { refused: `${annotations.addresses}: ${refused}`, name, passed: [], by };
  }
  return { subnet, pool, passed: [], by, reason: `${first} is part of it` };
}

/** The pool that all addresses are of, undefined when they are of none; a sentence when that can't be. */
function poolOfEntries(
  entries: readonly AddressEntry[],
  subnet: SubnetModel,
  namespace: NamespaceModel,
  pools: ServedPools,
): ServedPool | undefined | string {
  const found = new Set<ServedPool | undefined>();
  for (const address of entries.flatMap(({ addresses }) => addresses)) {
    const addr = parseAddr(address);
    const pool = addr && poolOf(pools, subnet.name, addr);
    const reason = pool && poolRefuses(pool, subnet, namespace);
    if (reason !== undefined) return `${annotations.addresses}: ${address}: ${reason}`;
    found.add(pool);
  }
  if (found.size > 1) return `${annotations.addresses}: its addresses are not all of one IPPool or of none`;
  return [...found][0];
}

function selected(
  pod: Pick<PodModel, 'labels'>,
  namespace: NamespaceModel,
  { subnets, pools }: PlacementInputs,
): Candidate {
  const passed: Omit<Considered, 'taken'>[] = [];
  for (const [name, ofSubnet] of pools.bySubnet) {
    const subnet = subnets.byName.get(name);
    for (const pool of subnet === undefined ? [] : ofSubnet) {
      const by = 'selection by the pool';
      const reason = notSelected(pod, pool, subnet!, namespace);
      if (reason === undefined) {
        const why = `the pool selects pods like this one in namespace ${namespace.name}`;
        return { subnet: subnet!, pool, passed, by, reason: why };
      }
      passed.push({ kind: 'IPPool', name: pool.model.name, by, reason });
    }
  }
  const choice = chooseSubnet(namespace, subnets);
  if (choice === undefined)
    return { refused: withoutSubnet(namespace.name, subnets), passed, by: 'namespace' };
  const { subnet, by } = choice;
  const reasons = {
    name: `it lists namespace ${namespace.name}`,
    selector: `its selector takes the labels of namespace ${namespace.name}`,
    default: 'no other Subnet serves the namespace',
  };
  const step = by === 'default' ? 'default Subnet' : "Subnet of the pod's namespace";
  return { subnet, passed, by: step, reason: reasons[by] };
}

/** Why an address that the pod names can't be assigned. */
function wrongAddress(
  entries: readonly AddressEntry[],
  subnet: SubnetModel,
  pool: ServedPool | undefined,
  pools: ServedPools,
): string | undefined {
  if (entries.length === 0) return undefined;
  // What is reserved is for those who name it.
  const named = assignable({ ...subnet, reserved: [] });
  const usable = pool?.usable ?? subtract(named, pooled(pools, subnet.name));
  for (const address of entries.flatMap(({ addresses }) => addresses)) {
    const addr = parseAddr(address);
    if (addr !== undefined && has(usable, addr)) continue;
    const where =
      pool === undefined
        ? `not an address that pods can have in Subnet ${subnet.name} (${subnet.cidrs.join(', ')})`
        : `not in IPPool ${pool.model.name}`;
    return `${annotations.addresses}: ${address} is ${where}`;
  }
  return undefined;
}

function withoutSubnet(namespace: string, { byName }: ServedSubnets): string {
  if (byName.has(defaultSubnet)) return `the Subnet that serves namespace ${namespace} is being deleted`;
  return (
    `no Subnet serves namespace ${namespace}: create the Subnet "${defaultSubnet}", which serves every namespace that ` +
    `no other names, or one that names ${namespace} (if it is there: kubectl describe subnet ${defaultSubnet} says why it is not served)`
  );
}
