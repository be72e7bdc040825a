/** What is left of a route's attachments once its namespace gets no hostname that it has no right to. */
import { condition } from '../listeners/listener-conditions.ts';
import type { Refusal } from '../listeners/listener-protocols.ts';
import type { Attachment } from '../types.ts';
import { claimAt, heldBy, placeOf, type Rights } from './hostname-rights.ts';

/** `held`: by `claimAt`, what of an instance others hold. */
export function permittedAttachments(
  wanted: readonly Attachment[],
  { refused, claims, terms }: Rights,
  held: (instance: string) => ReadonlyMap<string, string>,
): readonly Attachment[] {
  if (refused.size === 0 && claims.size === 0) return wanted;
  return wanted.map((each) => {
    const instance = terms.get(each.gateway)?.instance;
    const lost = instance === undefined || !claims.has(instance) ? none : held(instance);
    if (refused.size === 0 && lost.size === 0) return each;
    const refusals = new Map<string, Refusal>();
    const listeners = each.listeners.flatMap(({ listener, hosts }) => {
      const left = hosts.filter((hostname) => {
        const holder = lost.get(claimAt(listener.key, hostname));
        const refusal =
          refused.get(placeOf(listener.key, hostname)) ??
          (holder === undefined ? undefined : heldBy(hostname, holder));
        if (refusal !== undefined) refusals.set(hostname, refusal);
        return refusal === undefined;
      });
      return left.length === 0 ? [] : [{ listener, hosts: left }];
    });
    const [first] = refusals.values();
    if (first === undefined) return each;
    const message = [...refusals.values()].map((refusal) => refusal.message).join('; ');
    return listeners.length === 0
      ? { ...each, listeners, accepted: condition('Accepted', 'False', first.reason, message) }
      : {
          ...each,
          listeners,
          also: [condition('netloom.dev/HostnameRefused', 'True', first.reason, message)],
        };
  });
}

const none: ReadonlyMap<string, string> = new Map();
