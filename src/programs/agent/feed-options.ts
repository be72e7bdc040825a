/** What the feed is told when it starts, and what it tells of each change. */
import type { ServicePlace } from '#compile/services/compile.ts';
import type { EndpointStatus } from '#intent/handover.ts';
import type { ServedLoadBalancers } from '../flags.ts';

export type FeedChange = {
  readonly pods: boolean;
  /** When the oldest change of policy in it was heard of (performance.now()); undefined: there is none. */
  readonly policySince?: number | undefined;
};

/** How this node serves Services, as its operator chose, and what of it is not in the API. */
export type FeedOptions = Pick<ServicePlace, 'externalIPs'> & {
  /** Looked at again with each change of the Node and every few seconds. */
  readonly nodePortAddresses: (primary: readonly string[]) => readonly string[];
  /** The machine's own. Looked at as often. */
  readonly localAddresses: () => readonly string[];
  /** What the datapath has wired. */
  readonly endpoints: () => Promise<readonly EndpointStatus[]>;
  /** Whose addresses are announced; undefined: nobody's. */
  readonly loadBalancers: ServedLoadBalancers | undefined;
};
