/** Reads Communities, and what BGPAdvertisements call communities. */
import type { Community } from '#api/kinds/community.ts';
import type { Origin } from '#intent/origin.ts';
import { collectProblems, originOf, type Read } from './problem.ts';

export type CommunityModel = {
  readonly origin: Origin;
  readonly namespace: string;
  /** RFC 3339; of two that have one name the older stays. */
  readonly created: string;
  /** By name; as in `AnnouncementIntent.communities`. */
  readonly values: ReadonlyMap<string, string>;
};

/** An entry that is none is left out; the others work. */
export function readCommunity(object: Community): Read<CommunityModel> {
  const origin = originOf(object);
  const { problems, refuse } = collectProblems(origin);
  const values = new Map<string, string>();
  for (const [index, { name = '', value = '' }] of (object.spec?.communities ?? []).entries()) {
    const field = `spec.communities[${index}]`;
    const read = parseCommunity(value);
    if (name === '') refuse(`${field}.name`, 'Required', 'is empty');
    else if (parseCommunity(name) !== undefined)
      refuse(`${field}.name`, 'WrongName', `"${name}" is a community itself`);
    else if (values.has(name))
      refuse(`${field}.name`, 'DuplicateName', `"${name}" names an earlier one, too`);
    else if (read === undefined)
      refuse(`${field}.value`, 'InvalidCommunity', `"${value}" is neither 65000:100 nor large:65000:1:2`);
    else values.set(name, read);
  }
  const { namespace = '', creationTimestamp = '' } = object.metadata;
  return { value: { origin, namespace, created: creationTimestamp, values }, problems };
}

/** `65000:100` as it is, `large:65000:1:2` without its first word; in canonical decimals. */
export function parseCommunity(text: string): string | undefined {
  const large = text.startsWith('large:');
  const parts = (large ? text.slice('large:'.length) : text).split(':');
  const highest = large ? 0xffff_ffff : 0xffff;
  const numbers = parts.map((part) => (/^\d{1,10}$/.test(part) ? Number(part) : Number.NaN));
  if (numbers.length !== (large ? 3 : 2) || !numbers.every((number) => number <= highest)) return undefined;
  return numbers.join(':');
}
