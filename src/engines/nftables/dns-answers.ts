/**
 * DNS answers to pods with rules for names, as the pods get them. Whoever listens to the group sends them on when what they tell is held,
 * so that the pod's next packet passes. `dnsPorts` says that somebody listens: its element is gone soon after him, and answers pass.
 */
import { hookPriorities, nflogGroups } from '#system/registry.ts';
import { base, chain, rule } from './chain.ts';
import type { Chain, Operation } from './objects.ts';

const dnsPort = 53;
/** The listener says again each second that it is there. */
const timeout = '3s';
/** A packet of so many bytes fits each pod's device. A longer datagram passes at once, and what it tells is held a moment later. */
export const heldBytes = 1280;
/** What is more than that passes: a flood must not keep the answers of others. */
const limit = 'limit rate 1000/second burst 500 packets';

export function dnsAnswerChains(): Chain[] {
  const log = `log group ${nflogGroups.dnsAnswers.value}`;
  return [
    chain('dnsAnswers', [
      rule(`meta length > ${heldBytes} ${limit} ${log} accept`),
      rule(`meta length <= ${heldBytes} ${limit} ${log} drop`, 'the listener sends it on'),
    ]),
    chain('dnsStreams', [
      rule(`tcp flags syn,rst ${limit} ${log} accept`, 'where the stream begins'),
      rule(`${limit} ${log} drop`, 'the listener sends it on, in pieces that fit'),
    ]),
    base('dnsAnswersOut', 'filter', 'postrouting', hookPriorities.dnsAnswers.value, [
      rule('udp sport @dnsPorts ct direction reply ip daddr @nameLearners4 goto dnsAnswers'),
      rule('udp sport @dnsPorts ct direction reply ip6 daddr @nameLearners6 goto dnsAnswers'),
      rule('tcp sport @dnsPorts ct direction reply ip daddr @nameLearners4 goto dnsStreams'),
      rule('tcp sport @dnsPorts ct direction reply ip6 daddr @nameLearners6 goto dnsStreams'),
    ]),
  ];
}

/** Adding what is there doesn't renew it, and what isn't there can't be deleted. */
export function renewDnsPorts(): readonly Operation[] {
  const set = 'dnsPorts';
  const add: Operation = {
    op: 'addElements',
    set,
    elements: [{ set, key: `${dnsPort} timeout ${timeout}` }],
  };
  return [add, { op: 'deleteElements', set, keys: [String(dnsPort)] }, add];
}
