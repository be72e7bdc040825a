/** Reads BGPAdvertisements. */
import type { BGPAdvertisement } from '#api/kinds/bgpadvertisement.ts';
import type { AdvertisementScope } from './loadbalancer.ts';
import { collectProblems, originOf, type Read, type Refuse } from './problem.ts';
import { readSelector } from './selector.ts';

export type BGPAdvertisementModel = AdvertisementScope & {
  readonly namespace: string;
  /** Length of the prefix that is announced, by family. */
  readonly lengths: { readonly 4: number; readonly 6: number };
  readonly localPreference?: number;
  /** As they were written: communities, or names for them. */
  readonly communities: readonly string[];
  /** Names; empty: every router. */
  readonly peers: readonly string[];
};

const highestPreference = 4_294_967_295;

/** One with anything wrong is not used at all: half of it announces what nobody asked for. */
export function readBGPAdvertisement(object: BGPAdvertisement): Read<BGPAdvertisementModel> {
  const origin = originOf(object);
  const { problems, refuse } = collectProblems(origin);
  const spec = object.spec ?? {};
  const selectors = (list: readonly unknown[] | undefined, field: string) =>
    (list ?? []).flatMap((each, index) => readSelector(each, `${field}[${index}]`, refuse) ?? []);
  const lengths = {
    4: readLength(spec.aggregationLength, 32, 'spec.aggregationLength', refuse),
    6: readLength(spec.aggregationLengthV6, 128, 'spec.aggregationLengthV6', refuse),
  };
  const serviceSelectors = selectors(spec.serviceSelectors, 'spec.serviceSelectors');
  if ((spec.serviceSelectors ?? []).length > 0 && (lengths[4] !== 32 || lengths[6] !== 128))
    refuse(
      'spec.serviceSelectors',
      'NotSupported',
      'is not for aggregated prefixes, which are announced with all that is in them',
    );
  const { localPref } = spec;
  if (localPref !== undefined && !(localPref >= 0 && localPref <= highestPreference))
    refuse('spec.localPref', 'InvalidRange', `${localPref} is not from 0 to ${highestPreference}`);
  const { name, namespace = '', creationTimestamp = '' } = object.metadata;
  const value: BGPAdvertisementModel = {
    origin,
    name,
    namespace,
    created: creationTimestamp,
    pools: spec.ipAddressPools ?? [],
    poolSelectors: selectors(spec.ipAddressPoolSelectors, 'spec.ipAddressPoolSelectors'),
    nodeSelectors: selectors(spec.nodeSelectors, 'spec.nodeSelectors'),
    serviceSelectors,
    lengths,
    // 0 is upstream's word for none.
    ...(localPref === undefined || localPref === 0 ? {} : { localPreference: localPref }),
    communities: spec.communities ?? [],
    peers: spec.peers ?? [],
  };
  return problems.length > 0 ? { value: undefined, problems } : { value, problems };
}

function readLength(value: number | undefined, bits: number, field: string, refuse: Refuse): number {
  const length = value ?? bits;
  if (length < 1 || length > bits) refuse(field, 'InvalidRange', `${length} is not from 1 to ${bits}`);
  return length;
}
