/** The lease that lets a node assign addresses; what agent and controller must agree on. */
import type { WireReport } from '#intent/handover.ts';

/** Namespace of everything that Netloom runs. */
export const systemNamespace = 'netloom-system';

/** A node that could not renew for this long stops assigning; running pods stay untouched. */
export const nodeLeaseSeconds = 40;

export const nodeLeaseRenewSeconds = 10;

/** How long after its lease a gone node's blocks are free: clocks run unevenly, and a renewal may have been on its way. */
export const nodeLeaseMarginSeconds = 10;

/** Name of a node's lease in `systemNamespace`. */
export function nodeLeaseName(node: string): string {
  return `node-${node}`;
}

/** The node that a lease is of; undefined for the other leases of `systemNamespace`. */
export function nodeOfLease(name: string): string | undefined {
  return name.startsWith('node-') ? name.slice('node-'.length) : undefined;
}

/** Annotation of a node's lease: what the node's pods have of each Subnet. Renewals carry it, so that telling costs no write of its own. */
export const usageAnnotation = 'netloom.dev/address-usage';

/** Of one Subnet on one node. */
export type SubnetUsage = {
  /** Addresses that pods and the node itself have, by family. */
  readonly ipv4: number;
  readonly ipv6: number;
  /** Pods that wait for an address. */
  readonly waiting: number;
};

/** By Subnet name. */
export function formatUsage(usage: ReadonlyMap<string, SubnetUsage>): string {
  return JSON.stringify(
    Object.fromEntries([...usage].map(([name, { ipv4, ipv6, waiting }]) => [name, [ipv4, ipv6, waiting]])),
  );
}

/** Whatever isn't usage counts as none: a node's word is taken for a number, never for more. */
export function parseUsage(text: string | undefined): ReadonlyMap<string, SubnetUsage> {
  return new Map(
    entriesOf(text).flatMap(([name, counts]) => {
      if (!Array.isArray(counts)) return [];
      const [ipv4, ipv6, waiting] = [0, 1, 2].map((i) => count(counts[i])) as [number, number, number];
      return [[name, { ipv4, ipv6, waiting }] as const];
    }),
  );
}

/** Annotation of a node's lease: which underlay Subnets' addresses the physical network carries, as the node's probes found. */
export const wireAnnotation = 'netloom.dev/underlay-carries';

/** Of one Subnet on one node: what did not come through, a sentence a family; none: all that was tried did. */
export type WireFindings = ReadonlyMap<string, readonly string[]>;

export function formatWire(reports: readonly WireReport[]): string {
  const bySubnet = Map.groupBy(reports, ({ subnet }) => subnet);
  return JSON.stringify(
    Object.fromEntries(
      [...bySubnet].map(([subnet, list]) => [
        subnet,
        list.filter(({ carried }) => !carried).map(({ family, detail }) => `IPv${family}: ${detail}`),
      ]),
    ),
  );
}

/** Whatever isn't a finding counts as none. */
export function parseWire(text: string | undefined): WireFindings {
  return new Map(
    entriesOf(text).flatMap(([name, lost]) =>
      Array.isArray(lost)
        ? [[name, lost.filter((each): each is string => typeof each === 'string')] as const]
        : [],
    ),
  );
}

/**
 * Annotation of a node's lease: by kind of policy, the version up to which the node's kernel holds everything that it needs of the kind.
 * So a policy (or its deletion) is in force on the node once its version is reached here, whatever was written after it. The reach
 * never goes back while the server's versions go on, and does not move while the kernel refuses something of policy.
 */
export const policyAnnotation = 'netloom.dev/policies-in-force';

export type PolicyReach = {
  /** Resource version by kind; a kind that the cluster doesn't serve is missing. */
  readonly versions: ReadonlyMap<string, string>;
  /** How much of policy the node can't hold: entries that its engines refuse, and limits that it met. Then it is stricter than asked for. */
  readonly refused: number;
};

export const policyKinds: ReadonlySet<string> = new Set([
  'NetworkPolicy',
  'AdminNetworkPolicy',
  'BaselineAdminNetworkPolicy',
  'ClusterNetworkPolicy',
]);

/** A hundred bytes or so, however many policies there are. */
export function formatReach({ versions, refused }: PolicyReach): string {
  return JSON.stringify({ ...Object.fromEntries(versions), ...(refused === 0 ? {} : { refused }) });
}

/** Whatever isn't a version counts as none. */
export function parseReach(text: string | undefined): PolicyReach {
  const entries = entriesOf(text);
  const versions = new Map(
    entries.flatMap(([kind, version]) =>
      policyKinds.has(kind) && typeof version === 'string' && /^[0-9]{1,20}$/.test(version)
        ? [[kind, version] as const]
        : [],
    ),
  );
  return { versions, refused: count(entries.find(([name]) => name === 'refused')?.[1]) };
}

/** The fields of a JSON object; none of any other text. */
function entriesOf(text: string | undefined): readonly (readonly [string, unknown])[] {
  try {
    const parsed: unknown = JSON.parse(text ?? '{}');
    return typeof parsed === 'object' && parsed !== null ? Object.entries(parsed) : [];
  } catch {
    return [];
  }
}

function count(value: unknown): number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0 ? value : 0;
}
