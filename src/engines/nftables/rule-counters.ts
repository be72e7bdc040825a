/** Counters of policy: each connection that is judged is counted once a direction, for the rule that decided. */
import { createHash } from 'node:crypto';
import { formatOrigin, type Origin } from '#intent/origin.ts';
import type { PolicyRowIntent } from '#intent/policy.ts';
import type { PolicyDirection } from './policy-chains.ts';

/** What a counter of the table counts. Without an origin: what no rule speaks of. */
export type RuleCounter = {
  /** Of the counter in the table. */
  readonly name: string;
  readonly verdict: PolicyRowIntent['verdict'];
  readonly direction?: PolicyDirection;
  readonly origin?: Origin;
};

/** `connections`: first packets that the rule decided; one that is sent again is one more. */
export type RuleCount = RuleCounter & { readonly connections: number };

/** A name of the table that is a rule's counter. */
export const isRuleCounter = (name: string) => name.startsWith(prefix);

/** As a map's data is written. */
export const counterData = (name: string) => `"${name}"`;

const prefix = 'rule_';

/** Names are made of what they count, so that a restarted process counts on. */
export function ruleCounter(
  direction: PolicyDirection | undefined,
  { verdict, origin }: Pick<PolicyRowIntent, 'verdict' | 'origin'>,
): RuleCounter {
  const text = `${verdict} ${direction ?? ''} ${origin === undefined ? '' : formatOrigin(origin)}`;
  let name = names.get(text);
  if (name === undefined) {
    name = prefix + createHash('sha256').update(text).digest('hex').slice(0, 16);
    if (names.size >= remembered) names.clear();
    names.set(text, name);
  }
  return {
    name,
    verdict,
    ...(direction === undefined ? {} : { direction }),
    ...(origin === undefined ? {} : { origin }),
  };
}

/** A node's rules are few, its decisions many. */
const remembered = 20_000;
const names = new Map<string, string>();
