/** Whether a route is attached as before: what is said of the listeners is no part of it, so that a certificate's trouble costs no route anything. */
import type { Attachment, Listener } from '../types.ts';

const texts = new WeakMap<Listener, string>();

/** All of a listener but what is said of it. */
export function listenerText(listener: Listener): string {
  const known = texts.get(listener);
  if (known !== undefined) return known;
  const text = JSON.stringify({ ...listener, conditions: undefined });
  texts.set(listener, text);
  return text;
}

/** Of one route. */
export function sameAttachments(before: readonly Attachment[], after: readonly Attachment[]): boolean {
  return (
    before.length === after.length &&
    before.every((one, index) => {
      const other = after[index];
      return (
        other !== undefined &&
        one.gateway === other.gateway &&
        one.accepted.message === other.accepted.message &&
        one.accepted.reason === other.accepted.reason &&
        (one.parent === other.parent || JSON.stringify(one.parent) === JSON.stringify(other.parent)) &&
        one.listeners.length === other.listeners.length &&
        one.listeners.every(({ listener, hosts }, at) => {
          const there = other.listeners[at];
          return (
            there !== undefined &&
            listenerText(listener) === listenerText(there.listener) &&
            hosts.join(' ') === there.hosts.join(' ') &&
            hosts.length === there.hosts.length
          );
        })
      );
    })
  );
}
