/** What DNS messages on their way to a pod of this node tell of names that rules of the pod have. Pure. */
import type { EndpointIntent, NodeIntent } from '#intent/node.ts';
import { parseAddr } from '#net/addr.ts';
import { readDnsAnswer } from '#net/dns.ts';
import { nameMatches } from '#net/domain.ts';
import { parsePrefix, prefixHas } from '#net/prefix.ts';
import type { ToldAddress } from './learnt.ts';

export type Told = {
  /** Whose messages they are; undefined: nobody's that is wired here. */
  readonly endpoint?: EndpointIntent;
  /** Of each message that tells something that a rule of the pod has. */
  readonly names: readonly {
    readonly pod: string;
    readonly name: string;
    readonly addresses: readonly ToldAddress[];
  }[];
};

/** Addresses that are never anybody's elsewhere: the pod's own loopback, its link, groups. */
const nobodys = [
  '0.0.0.0/8',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '224.0.0.0/3',
  '::/96',
  '::ffff:0:0/96',
  'fe80::/10',
  'ff00::/8',
].map((text) => parsePrefix(text)!);

export function toldBy(
  { destination, messages }: { readonly destination: string; readonly messages: readonly Uint8Array[] },
  { endpoints, policySubjects }: Pick<NodeIntent, 'endpoints' | 'policySubjects'>,
): Told {
  const endpoint = Object.values(endpoints).find(({ addresses }) => addresses.includes(destination));
  if (endpoint === undefined) return { names: [] };
  const pod = `${endpoint.origin.namespace ?? ''}/${endpoint.origin.name}`;
  const patterns = policySubjects[pod]?.names ?? [];
  const names = messages.flatMap((message) => {
    const answer = readDnsAnswer(message);
    if (answer === undefined || !patterns.some((pattern) => nameMatches(pattern, answer.name))) return [];
    const addresses = answer.addresses.filter(({ address }) => isSomebodys(address));
    return addresses.length === 0 ? [] : [{ pod, name: answer.name, addresses }];
  });
  return { endpoint, names };
}

function isSomebodys(address: string): boolean {
  const addr = parseAddr(address);
  return addr !== undefined && !nobodys.some((prefix) => prefixHas(prefix, addr));
}
