/** Intent ─► objects: an address that is answered for, on the interfaces that are there; pure. */
import type { VirtualAddressIntent } from '#intent/loadbalancer.ts';
import { isMeantByAll, type L2Link, reasonAgainst } from './links.ts';
import type { Held, Responder } from './objects.ts';

export type Lowered = {
  readonly held: readonly Held[];
  /** One an interface. */
  readonly responders: readonly Responder[];
  /** Why it can't be answered for anywhere. */
  readonly reason?: string;
};

/** On every named interface that can be answered on; where an entry names none, on all that can and are meant. */
export function lowerAddress(
  address: string,
  { interfaces }: Pick<VirtualAddressIntent, 'interfaces'>,
  links: readonly L2Link[],
): Lowered {
  const meant =
    interfaces === undefined
      ? links.filter(isMeantByAll)
      : links.filter(({ name }) => interfaces.includes(name));
  const usable = meant.filter((link) => reasonAgainst(link, links) === undefined);
  const responders = usable.map(
    ({ name, ifindex, mac }): Responder => ({ kind: 'responder', device: name, ifindex, mac }),
  );
  const held = usable.map(({ name }): Held => ({ kind: 'held', device: name, address }));
  return usable.length > 0 ? { held, responders } : { held, responders, reason: nowhere(interfaces, links) };
}

function nowhere(interfaces: readonly string[] | undefined, links: readonly L2Link[]): string {
  if (interfaces === undefined) return 'no interface of this node is up and can broadcast';
  const reasons = interfaces.map((name) => {
    const link = links.find((each) => each.name === name);
    return `${name} ${link === undefined ? 'is not on this node' : reasonAgainst(link, links)}`;
  });
  return `none of the interfaces can be answered on: ${reasons.join('; ')}`;
}
