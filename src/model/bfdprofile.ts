/** Reads BFDProfiles. */
import type { BFDProfile } from '#api/kinds/bfdprofile.ts';
import type { BGPNeighborIntent } from '#intent/node.ts';
import type { Origin } from '#intent/origin.ts';
import { originOf, type Read } from './problem.ts';

export type BFDProfileModel = {
  readonly origin: Origin;
  /** `namespace/name`. */
  readonly key: string;
  readonly bfd: NonNullable<BGPNeighborIntent['bfd']>;
};

/** FRR's own. */
const standard = { interval: 300, multiplier: 3, echoInterval: 50 } as const;

/** The schema allows nothing that can't be used. */
export function readBFDProfile(object: BFDProfile): Read<BFDProfileModel> {
  const { receiveInterval, transmitInterval, detectMultiplier, echoInterval, ...spec } = object.spec ?? {};
  const value: BFDProfileModel = {
    origin: originOf(object),
    key: `${object.metadata.namespace ?? ''}/${object.metadata.name}`,
    bfd: {
      receiveInterval: receiveInterval ?? standard.interval,
      transmitInterval: transmitInterval ?? standard.interval,
      detectMultiplier: detectMultiplier ?? standard.multiplier,
      ...(spec.echoMode === true ? { echoInterval: echoInterval ?? standard.echoInterval } : {}),
      ...(spec.passiveMode === true ? { passive: true } : {}),
      ...(spec.minimumTtl === undefined ? {} : { minimumTTL: spec.minimumTtl }),
    },
  };
  return { value, problems: [] };
}
