/** Of two that contend the older one comes first, then the one whose key sorts first. */
import type { GatewayObject } from '#model/gateway/types.ts';

export function olderFirst(
  a: Pick<GatewayObject, 'created' | 'key'>,
  b: Pick<GatewayObject, 'created' | 'key'>,
): number {
  return byText(a.created, b.created) || byText(a.key, b.key);
}

export function byText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
