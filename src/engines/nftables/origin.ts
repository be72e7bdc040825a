/**
 * Which entry of the intent an element stands for. Elements carry no comment (a comment costs 40 to 100 bytes of kernel memory
 * each, and a rule's worth of text in every listing): set and key say it, since every key is made of what the entry is known by.
 */
import type { NodeIntent } from '#intent/node.ts';
import type { Origin } from '#intent/origin.ts';
import type { PolicyRowIntent } from '#intent/policy.ts';
import { lowerAggregates, lowerAnnouncement } from './announced.ts';
import { lowerEndpoint, lowerNeighbor, lowerPeer, lowerSelf, lowerSubnets } from './lower.ts';
import { lowerDecision } from './lower-decision.ts';
import { lowerAddresses, lowerPrefix, lowerSubject, podOf } from './lower-policy.ts';
import { frontendKey, protocolNumbers } from './lower-service.ts';
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
    visit('announcements', intent.announcements, (_, prefix) =>
      among([...lowerAnnouncement(prefix).elements, ...lowerAggregates([prefix])]),
    );
    visit('bgpNeighbors', intent.bgpNeighbors, (neighbor) => among(lowerNeighbor(neighbor).elements));
    visit('endpoints', intent.endpoints, (endpoint) => among(lowerEndpoint(endpoint).elements));
    found.push(...policyOrigins(intent, element));
    visit('subnets', intent.subnets, (subnet, name) => among(lowerSubnets({ [name]: subnet }).elements));
  }
  return found;
}

/** A decision is of the policies that its rows name; where none does (nothing decided), of the class. */
function policyOrigins(intent: NodeIntent, element: Element): readonly ElementOrigin[] {
  const among = (elements: readonly Element[]) =>
    elements.some(
      (each) =>
        each.set === element.set &&
        each.key === element.key &&
        (element.data === undefined || (each.data ?? '') === element.data),
    );
  const found: ElementOrigin[] = [];
  if (/^(?:(?:in|e)gressClasses|nameLearners)/.test(element.set)) {
    for (const endpoint of Object.values(intent.endpoints)) {
      const pod = podOf(endpoint);
      const subject = intent.policySubjects[pod];
      const judged = [false, true].flatMap(
        (audits) => lowerSubject(endpoint, subject, () => true, audits).elements,
      );
      if (subject !== undefined && among(judged))
        found.push({ entry: `policySubjects/${pod}`, origin: subject.origin });
    }
  } else if (element.set.startsWith('identities')) {
    for (const [owner, entry] of Object.entries(intent.policyAddresses)) {
      if (among(lowerAddresses(entry).elements))
        found.push({ entry: `policyAddresses/${owner}`, origin: ownerOf(owner) });
    }
  } else if (element.set.startsWith('identityPrefixes')) {
    for (const [prefix, entry] of Object.entries(intent.policyPrefixes)) {
      if (among(lowerPrefix(prefix, entry).elements))
        found.push({ entry: `policyPrefixes/${prefix}`, origin: { kind: 'prefix', name: prefix } });
    }
  } else if (/^(?:policy|audit)/.test(element.set)) {
    for (const [key, decision] of Object.entries(intent.policyDecisions)) {
      if (!among(lowerDecision(key, decision).elements)) continue;
      const origins = new Map(
        decision.rows
          .filter((row) => concerns(row, element.key))
          .map((row) => [JSON.stringify(row.origin), row.origin ?? { kind: 'class', name: key }]),
      );
      for (const origin of origins.values()) found.push({ entry: `policyDecisions/${key}`, origin });
    }
  }
  return found;
}

/** Whether an element, by protocol and ports where its key has them, speaks of a row. */
function concerns(row: PolicyRowIntent, key: string): boolean {
  const [, protocol, ports] = key.split(' . ');
  if (protocol === undefined) return true;
  if (row.protocol === 'other' || String(protocolNumbers[row.protocol]) !== protocol) return false;
  const [first = 0, last = first] = ports === undefined ? [0, 65_535] : ports.split('-').map(Number);
  return row.first <= last && first <= row.last;
}

/** `pod namespace/name`, `node NAME`, `name example.org`. */
function ownerOf(owner: string): Origin {
  const [kind = '', name = ''] = owner.split(' ');
  const [namespace = '', pod] = name.split('/');
  if (kind === 'pod' && pod !== undefined) return { kind: 'Pod', namespace, name: pod };
  return { kind: kind === 'node' ? 'Node' : kind, name };
}
