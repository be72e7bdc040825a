/** What a datapath is made of: the machine as the program finds it, and where its files and sockets are. */
import type { Engine } from '#engines/engine.ts';
import type { RuleCount } from '#engines/nftables/rule-counters.ts';
import type { AnsweredAddress, BGPSession } from '#intent/handover.ts';
import type { SubnetMode } from '#intent/node.ts';
import type { Log } from '#telemetry/log.ts';
import type { Registry } from '#telemetry/metrics.ts';
import type { Detector, DetectorOptions } from './detector/detector.ts';
import type { PlaceOf } from './wire/ask.ts';

export type DatapathOptions = {
  readonly node: string;
  readonly engines: readonly Engine[];
  /** MTU of a pod's interface in a Subnet of a mode; throws while the node has no underlay device. */
  readonly mtuOf: (mode: SubnetMode) => number;
  /** Where an address of an underlay Subnet is on the wire. */
  readonly placeOf: PlaceOf;
  /** Finds out which nodes live; absent: all do. */
  readonly detect?: (
    options: Pick<DetectorOptions, 'node' | 'onChange' | 'onMessage' | 'informed'>,
  ) => Detector;
  /** Sessions with BGP neighbors as they are now. */
  readonly bgpSessions?: () => readonly BGPSession[];
  /** Virtual addresses that are answered for now. */
  readonly answering?: () => readonly AnsweredAddress[];
  readonly journal: string;
  /** File of what pods were told of names. */
  readonly learntNames: string;
  /** Asks the kernel to hold DNS answers to pods with rules for names for three seconds more. */
  readonly holdDnsAnswers?: () => Promise<void>;
  /** Of each rule of policy that is in force here, since when its counter is there. */
  readonly ruleCounts?: () => Promise<readonly RuleCount[]>;
  readonly cniSocket: string;
  readonly datapathSocket: string;
  /** Called once, when every engine holds the first intent: from then on ADD works. */
  readonly onReady: () => Promise<void>;
  /** Why Services are not held; undefined: they are. */
  readonly servicesWithheld: () => string | undefined;
  readonly log: Log;
  readonly metrics: Registry;
};
