/** The node's addresses: who has which, kept in the journal, given only while the node may give. */
import { assign, blockUsage, familiesOf } from '#compile/ipam/assign.ts';
import { type Assignment, applyRecord, type IpamState, type PodIdentity } from '#compile/ipam/state.ts';
import { defaultSubnet } from '#compile/topology/entries.ts';
import type { BlockUsage } from '#intent/handover.ts';
import type { BlockIntent, NodeIntent, SelfIntent } from '#intent/node.ts';
import { parseAddr } from '#net/addr.ts';
import { parsePrefix, prefixHas } from '#net/prefix.ts';
import type { Journal } from './journal.ts';
import { tunnelKey } from './start.ts';

export type Addresses = {
  readonly state: IpamState;
  /**
   * Addresses for a pod interface, or why there are none now. `durable` resolves when the journal holds them; the
   * choice counts at once, so nobody else gets them meanwhile.
   */
  assign(request: {
    readonly key: string;
    readonly pod: PodIdentity;
    readonly network: string;
  }):
    | { readonly assignment: Assignment; readonly durable: Promise<void> }
    | { readonly refused: string; readonly subnet?: string };
  /** Frees what a key has; it rests from now on. Nothing to free is no error. */
  release(key: string): Promise<void>;
  /** Takes a new `self` in: its blocks, and its lease from the moment of arrival. Undefined: this node is no longer known. */
  setSelf(self: SelfIntent | undefined): void;
  /** The node's own source addresses in overlay subnets, assigned when need be; at most one a family. */
  tunnelAddresses(): readonly string[];
  /** The node's blocks, and those it gave up that still have addresses in use or resting. */
  usage(): readonly BlockUsage[];
  /** Addresses in use or resting outside of all blocks of `usage`. */
  strays(): readonly string[];
  /** Those of `strays` that are in use, and all that pods have by claims of their own. */
  held(): readonly string[];
  /** The Subnet that addresses belong to, for interfaces found without a journal. */
  subnetOf(addresses: readonly string[]): Pick<Assignment, 'subnet' | 'mode'> | undefined;
};

export function createAddresses(options: {
  readonly node: string;
  readonly state: IpamState;
  readonly journal: Journal;
  readonly intent: NodeIntent;
  readonly restMs: number;
}): Addresses {
  const { node, state, journal, intent, restMs } = options;
  let self: SelfIntent | undefined;
  /** On the monotonic clock, counted from the moment when the lease arrived. */
  let lease = Number.NEGATIVE_INFINITY;
  /** The first word of the agent names the blocks of before the start. */
  let isFirst = true;
  /** Blocks that were given up while addresses of theirs were in use. */
  let retired = new Map<string, BlockIntent>();

  const record = (assignment: Assignment): Promise<void> => {
    const refused = applyRecord(state, { op: 'assign', assignment });
    if (refused !== undefined) throw new Error(refused);
    return journal.append([{ op: 'assign', assignment }]);
  };
  const release = (key: string): Promise<void> => {
    if (!state.assignments.has(key)) return Promise.resolve();
    const released = { op: 'release', key, at: Date.now() } as const;
    applyRecord(state, released);
    return journal.append([released]);
  };
  /** Both clocks: one doesn't count while the machine sleeps, the other may be set back. */
  const mayAssign = () => performance.now() < lease && self !== undefined && Date.now() < self.assignUntil;
  const subnetOf = (addresses: readonly string[]) => {
    const addr = parseAddr(addresses[0] ?? '');
    if (addr === undefined) return undefined;
    const found = Object.entries(intent.subnets).find(([, subnet]) =>
      subnet.cidrs.some((cidr) => prefixHas(parsePrefix(cidr)!, addr)),
    );
    return found === undefined ? undefined : { subnet: found[0], mode: found[1].mode };
  };
  const inBlocks = (address: string) => {
    const addr = parseAddr(address);
    return (
      addr !== undefined && (self?.blocks ?? []).some((block) => prefixHas(parsePrefix(block.cidr)!, addr))
    );
  };
  /** What rested in blocks that are no longer here is nobody's: blocks come and go for as long as a node lives. */
  const forgetRested = (): void => {
    const now = Date.now();
    for (const [address, at] of state.resting) {
      if (now - at >= restMs && !inBlocks(address)) state.resting.delete(address);
    }
  };

  /** Those of some addresses that are in none of this node's blocks. */
  const outside = (addresses: readonly string[]): string[] => {
    const blocks = [...(self?.blocks ?? []), ...retired.values()].map((block) => parsePrefix(block.cidr)!);
    return addresses.filter((address) => {
      const addr = parseAddr(address)!;
      return !blocks.some((block) => prefixHas(block, addr));
    });
  };

  return {
    state,
    assign({ key, pod, network }) {
      const known = state.assignments.get(key);
      if (known !== undefined) return { assignment: known, durable: Promise.resolve() };
      if (self?.assignRefused !== undefined) return { refused: self.assignRefused };
      if (self === undefined) {
        return {
          refused: `node ${node} is not known to the cluster (no Node object, or no word of it from the agent yet)`,
        };
      }
      if (!mayAssign()) {
        return {
          refused: `node ${node} may not assign addresses: its agent has not renewed its lease in time`,
        };
      }
      const wish = intent.pods[`${pod.namespace}/${pod.name}`];
      if (wish === undefined || (pod.uid !== '' && pod.uid !== wish.uid)) {
        return {
          refused: `the agent of node ${node} has not told of pod ${pod.namespace}/${pod.name} yet, and its annotations may decide its addresses`,
        };
      }
      if (wish.refused !== undefined) return { refused: wish.refused };
      const name = wish.claimed?.subnet ?? wish.subnet ?? intent.namespaces[pod.namespace]?.subnet;
      if (name === undefined) return { refused: withoutSubnet(pod.namespace, intent) };
      const subnet = intent.subnets[name];
      if (subnet === undefined)
        return { refused: `Subnet ${name} of namespace ${pod.namespace} is not known yet` };
      const now = Date.now();
      const busy = wish.claimed?.addresses.find((address) => state.owners.has(address));
      if (busy !== undefined) {
        return { refused: `${busy} is still on another interface of this node (${state.owners.get(busy)})` };
      }
      const decided =
        wish.claimed === undefined
          ? assign(state, { key, subnet: name, intent: subnet, blocks: self.blocks, now, restMs })
          : { value: wish.claimed.addresses, problems: [] };
      if (decided.value === undefined) return { refused: decided.problems.join('; '), subnet: name };
      const assignment = {
        key,
        pod,
        network,
        subnet: name,
        mode: subnet.mode,
        addresses: decided.value,
        ...(wish.claimed === undefined ? {} : { claimed: true as const }),
        ...(wish.mac === undefined ? {} : { mac: wish.mac }),
        since: now,
      };
      return { assignment, durable: record(assignment) };
    },
    release,
    setSelf(next) {
      // The same lease counts from when it first came: a clock that was set back since must not make it longer.
      if (next === undefined) lease = Number.NEGATIVE_INFINITY;
      else if (next.assignUntil !== self?.assignUntil)
        lease = performance.now() + (next.assignUntil - Date.now());
      const now = Date.now();
      const since = (block: BlockIntent): BlockIntent => {
        const known =
          (self?.blocks ?? []).find(({ claim }) => claim === block.claim) ?? retired.get(block.claim);
        if (known !== undefined) return { ...block, since: known.since };
        return isFirst ? block : { ...block, since: now };
      };
      const taken = next && { ...next, blocks: next.blocks.map(since) };
      if (next !== undefined) isFirst = false;
      const kept = new Set(next?.blocks.map((block) => block.claim));
      const gone = [...(self?.blocks ?? []), ...retired.values()].filter((block) => !kept.has(block.claim));
      retired = new Map(gone.map((block) => [block.claim, block]));
      self = taken;
      if (gone.length > 0) forgetRested();
    },
    tunnelAddresses() {
      const found: string[] = [];
      for (const family of [4, 6] as const) {
        const key = tunnelKey(family);
        const known = state.assignments.get(key);
        if (known?.addresses.every(inBlocks) === true) {
          found.push(...known.addresses);
          continue;
        }
        if (known !== undefined) void release(key).catch(() => {});
        if (!mayAssign()) continue;
        for (const name of new Set(self?.blocks.map((block) => block.subnet))) {
          const subnet = intent.subnets[name];
          if (subnet?.mode !== 'overlay' || !familiesOf(subnet).includes(family)) continue;
          const now = Date.now();
          const request = {
            key,
            subnet: name,
            intent: subnet,
            blocks: self!.blocks,
            families: [family],
            now,
            restMs,
          };
          const { value } = assign(state, request);
          if (value === undefined) continue;
          // Not waited for: were it lost, another one would be taken after the restart, and this one has no other user.
          record({ key, subnet: name, mode: 'overlay', addresses: value, since: now }).catch(() => {});
          found.push(...value);
          break;
        }
      }
      return found;
    },
    usage() {
      const now = Date.now();
      const own = blockUsage(state, self?.blocks ?? [], intent.subnets, now, restMs);
      const given = blockUsage(state, [...retired.values()], intent.subnets, now, restMs);
      const busy = given.filter((block) => block.assigned > 0 || block.resting > 0);
      retired = new Map(busy.map((block) => [block.claim, retired.get(block.claim)!]));
      return [...own, ...busy.map((block) => ({ ...block, free: 0 }))];
    },
    strays() {
      const now = Date.now();
      const resting = [...state.resting].filter(([, at]) => now - at < restMs).map(([address]) => address);
      return outside([...state.owners.keys(), ...resting]);
    },
    held: () => {
      const claimed = [...state.assignments.values()].filter((each) => each.claimed === true);
      const own = claimed.flatMap(({ addresses }) => addresses);
      return [...new Set([...own, ...outside([...state.owners.keys()])])];
    },
    subnetOf,
  };
}

/** Says which object is missing, as far as a node can know. */
function withoutSubnet(namespace: string, intent: NodeIntent): string {
  if (intent.subnets[defaultSubnet] !== undefined) {
    return `namespace ${namespace} is not known on this node yet, or the Subnet that serves it is being deleted`;
  }
  return (
    `no Subnet serves namespace ${namespace}: create the Subnet "${defaultSubnet}", which serves every namespace that ` +
    `no other names, or one that names ${namespace} (if it is there: kubectl describe subnet ${defaultSubnet} says why it is not served)`
  );
}
