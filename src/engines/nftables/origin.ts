/**
 * Which entry of the intent an element stands for. Elements carry no comment (a comment costs 40 to 100 bytes of kernel memory
 * each, and a rule's worth of text in every listing): set and key say it, since every key is made of what the entry is known by.
 */
import type { NodeIntent } from '#intent/node.ts';
import type { Origin } from '#intent/origin.ts';
import { lowerEndpoint, lowerNeighbor, lowerPeer, lowerSelf, lowerSubnets } from './lower.ts';
import { frontendKey } from './lower-service.ts';
import type { Element } from './objects.ts';

/** An entry, as `domain/key`, and the object behind it. */
export type ElementOrigin = { readonly entry: string; readonly origin: Origin };

/** All entries that an element of our sets stands for (none: it is foreign). Walks the intent: for a person's question. */
export function originsOf(intent: NodeIntent, element: Element): readonly ElementOrigin[] {
  const { set, key } = element;
  const found: ElementOrigin[] = [];
  const visit = <T extends { readonly origin: Origin }>(
    domain: string,
    entries: Readonly<Record<string, T>>,
    holds: (entry: T, name: string) => boolean,
  ) => {
    for (const [name, entry] of Object.entries(entries)) {
      if (holds(entry, name)) found.push({ entry: `${domain}/${name}`, origin: entry.origin });
    }
  };
  const among = (elements: readonly Element[]) =>
    elements.some((each) => each.set === set && each.key === key);
  if (/^(?:services|backends|learners|affinity|published|sourceRanges)/.test(set)) {
    const frontend = key.split(' . ').slice(0, 3).join(' . ');
    visit('services', intent.services, (service) =>
      service.frontends.some(
        ({ address, port }) => frontendKey(address, service.protocol, port) === frontend,
      ),
    );
  } else if (set.startsWith('serviceAddresses')) {
    visit(
      'services',
      intent.services,
      (service) =>
        service.published === undefined && service.frontends.some(({ address }) => address === key),
    );
  } else {
    visit('self', intent.self, (self) => among(lowerSelf(self).elements));
    visit('peers', intent.peers, (peer) => among(lowerPeer(peer, () => true).elements));
    visit('bgpNeighbors', intent.bgpNeighbors, (neighbor) => among(lowerNeighbor(neighbor).elements));
    visit('endpoints', intent.endpoints, (endpoint) => among(lowerEndpoint(endpoint).elements));
    visit('subnets', intent.subnets, (subnet, name) => among(lowerSubnets({ [name]: subnet }).elements));
  }
  return found;
}
