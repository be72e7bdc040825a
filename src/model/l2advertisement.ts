/** Reads L2Advertisements. */
import type { KubeObject, LabelSelector } from '#api/object.ts';
import type { AdvertisementScope } from './loadbalancer.ts';
import { collectProblems, originOf, type Read, type Refuse } from './problem.ts';
import { type Raw, rawOf, shown } from './raw.ts';
import { readSelector } from './selector.ts';

export type L2AdvertisementModel = AdvertisementScope & {
  /** Names of nodes' interfaces; empty: all that are up and can broadcast. */
  readonly interfaces: readonly string[];
  readonly preferences: readonly NodePreference[];
};

export type NodePreference = { readonly weight: number; readonly selector: LabelSelector };

/** Linux: 15 bytes, no slash, no blank. */
const interfaceName = /^[^\s/]{1,15}$/;
const heaviest = 100;

/**
 * An advertisement with a selector that is none is not used at all: without the bad part it would take more than its author means. A bad
 * interface or preference is left out, since what is left means no more than before.
 */
export function readL2Advertisement(object: KubeObject): Read<L2AdvertisementModel> {
  const origin = originOf(object);
  const { problems, refuse } = collectProblems(origin);
  const spec = rawOf(object['spec']) ?? {};
  const scope = readScope(object, refuse);
  const interfaces = readNames(spec, 'interfaces', refuse);
  const good = interfaces.filter((name, index) => {
    if (interfaceName.test(name) && name !== '.' && name !== '..') return true;
    refuse(`spec.interfaces[${index}]`, 'WrongName', `"${name}" is no name of an interface`);
    return false;
  });
  const preferences = readPreferences(spec, refuse);
  // Without a single good name it would mean every interface.
  if (scope === undefined || (interfaces.length > 0 && good.length === 0))
    return { value: undefined, problems };
  return { value: { ...scope, interfaces: good, preferences }, problems };
}

/** What any advertisement says of pools, nodes and Services; undefined when part of it can't be used. */
export function readScope(object: KubeObject, refuse: Refuse): AdvertisementScope | undefined {
  const spec = rawOf(object['spec']) ?? {};
  const pools = readNames(spec, 'ipAddressPools', refuse);
  const poolSelectors = readSelectors(spec, 'ipAddressPoolSelectors', refuse);
  const nodeSelectors = readSelectors(spec, 'nodeSelectors', refuse);
  const serviceSelectors = readSelectors(spec, 'serviceSelectors', refuse);
  if (poolSelectors === undefined || nodeSelectors === undefined || serviceSelectors === undefined)
    return undefined;
  const { name, creationTimestamp = '' } = object.metadata;
  return {
    origin: originOf(object),
    name,
    created: creationTimestamp,
    pools,
    poolSelectors,
    nodeSelectors,
    serviceSelectors,
  };
}

function readNames(spec: Raw, field: string, refuse: Refuse): readonly string[] {
  return listOf(spec, field).flatMap((value, index) => {
    if (typeof value === 'string' && value !== '') return [value];
    refuse(`spec.${field}[${index}]`, 'WrongName', `${shown(value)} is no name`);
    return [];
  });
}

function readSelectors(spec: Raw, field: string, refuse: Refuse): readonly LabelSelector[] | undefined {
  const read = listOf(spec, field).map((value, index) =>
    readSelector(value, `spec.${field}[${index}]`, refuse),
  );
  return read.includes(undefined) ? undefined : (read as LabelSelector[]);
}

function readPreferences(spec: Raw, refuse: Refuse): readonly NodePreference[] {
  return listOf(spec, 'preferredNodeSelectors').flatMap((value, index) => {
    const field = `spec.preferredNodeSelectors[${index}]`;
    const { weight, preference } = rawOf(value) ?? {};
    const selector = readSelector(preference, `${field}.preference`, refuse);
    if (selector === undefined) return [];
    if (typeof weight === 'number' && Number.isInteger(weight) && weight >= 1 && weight <= heaviest)
      return [{ weight, selector }];
    refuse(`${field}.weight`, 'InvalidPriority', `${shown(weight)} is not from 1 to ${heaviest}`);
    return [];
  });
}

function listOf(spec: Raw, field: string): readonly unknown[] {
  const value = spec[field];
  return Array.isArray(value) ? value : [];
}
