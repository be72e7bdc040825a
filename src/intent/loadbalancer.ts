/** How addresses of Services of type LoadBalancer are reached from outside: answered for on a segment, or announced to routers. */
import type { Origin } from './origin.ts';

/** An address that one node at a time answers for by ARP (RFC 826) or NDP (RFC 4861). */
export type VirtualAddressIntent = {
  /** The Service; of several that share the address the first by its key. */
  readonly origin: Origin;
  /**
   * Names of nodes, the same on every node: the first that lives answers. Only as many as are ever needed before the cluster's own view
   * of a dead node catches up. Empty: nobody does.
   */
  readonly candidates: readonly string[];
  /** Of this node, by name; absent: all that are up and can broadcast. */
  readonly interfaces?: readonly string[];
};

/** A prefix that this node announces to its BGP neighbors. */
export type AnnouncementIntent = {
  /** The Service; of several that share the prefix the first by its key. */
  readonly origin: Origin;
  /** Keys of `bgpNeighbors`, sorted; absent: every neighbor that is a router. */
  readonly neighbors?: readonly string[];
  /** Sorted; `65000:100` (RFC 1997), `65000:1:2` (RFC 8092). */
  readonly communities: readonly string[];
  /** For internal neighbors (RFC 4271 §5.1.5). */
  readonly localPreference?: number;
  /** What other neighbors are told of it; no neighbor is in two. Only where `neighbors` is there. */
  readonly others?: readonly Told[];
};

/** What some neighbors are told of a prefix. */
export type Told = {
  readonly neighbors: readonly string[];
  readonly communities: readonly string[];
  readonly localPreference?: number;
};
