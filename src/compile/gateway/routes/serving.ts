/** Where a route is served in the end. */
import type { Attachment, Listener } from '../types.ts';

/** By Gateway: what came of a route there. */
type Parts = ReadonlyMap<string, { readonly attachments: readonly Attachment[] }> | undefined;

export function servingGateways(parts: Parts): readonly string[] {
  return [...(parts ?? [])]
    .filter(([, { attachments }]) => attachments.some(({ listeners }) => listeners.length > 0))
    .map(([gateway]) => gateway)
    .sort();
}

export function servingListeners(parts: Parts): readonly Listener[] {
  return [...(parts?.values() ?? [])].flatMap(({ attachments }) =>
    attachments.flatMap(({ listeners }) => listeners.map(({ listener }) => listener)),
  );
}

/** The same while it is served at the same listeners by the same instances. */
export function servingText(parts: Parts): string {
  return servingListeners(parts)
    .map(({ key, gateway, instance }) => `${key} ${gateway} ${instance}`)
    .sort()
    .join(',');
}
