/** With whom a node speaks BGP. */
import type { Origin } from './origin.ts';

export type BGPNeighborIntent = {
  readonly origin: Origin;
  /** '' of one that is found on an interface. */
  readonly address: string;
  /** Device on whose link it is, found by router advertisements (RFC 5549). */
  readonly interface?: string | undefined;
  /** VRF device that it is behind. */
  readonly vrf?: string | undefined;
  readonly port: number;
  /** The same for all neighbors of a node and VRF: FRR is one speaker. */
  readonly localASN: number;
  /** AS number that the neighbor sees instead. */
  readonly shownASN?: number | undefined;
  /** The same for all neighbors of a node that say one. */
  readonly routerID?: string | undefined;
  /** Address of the node that the session comes from. */
  readonly sourceAddress?: string | undefined;
  readonly peerASN: number | 'internal' | 'external';
  /** What the session carries; at least one. */
  readonly families: readonly (4 | 6)[];
  /** TCP MD5 key: never to be logged. Printable ASCII without blanks, at most 80 characters. */
  readonly password?: string | undefined;
  /** Milliseconds, and how many in a row may be lost. */
  readonly bfd?:
    | {
        readonly receiveInterval: number;
        readonly transmitInterval: number;
        readonly detectMultiplier: number;
        /** Milliseconds between echo packets, which are sent if this is there. */
        readonly echoInterval?: number | undefined;
        /** The neighbor begins. */
        readonly passive?: true | undefined;
        /** Least TTL of packets from one that is several hops away. */
        readonly minimumTTL?: number | undefined;
      }
    | undefined;
  /** Seconds. */
  readonly timers?: { readonly keepalive: number; readonly hold: number } | undefined;
  /** Seconds until a lost session is tried again. */
  readonly connectTime?: number | undefined;
  readonly multiHop: boolean;
  /** Whether it keeps routes while FRR restarts (RFC 4724); absent: it does. */
  readonly gracefulRestart?: boolean | undefined;
  /** It is told addresses of Services only, no blocks; and FRR takes its address to be on a network of the node. */
  readonly servicesOnly?: true | undefined;
  /** What is taken from it, and nothing else; `le`, `ge`: lengths of longer prefixes inside. */
  readonly importPrefixes: readonly ImportPrefix[];
  /** Set for another node of the cluster, which may announce blocks of routed Subnets. */
  readonly mesh?:
    | {
        /** This node is a route reflector of that cluster ID. */
        readonly clusterID?: string | undefined;
        /** The neighbor is a client of this reflector. */
        readonly client: boolean;
      }
    | undefined;
};

export type ImportPrefix = {
  readonly prefix: string;
  readonly ge?: number | undefined;
  readonly le?: number | undefined;
};
