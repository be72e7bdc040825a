/** Which namespaces' objects may be attached: allowedRoutes of listeners, allowedListeners of Gateways. */
import type { NamespacesFrom } from '#model/gateway/types.ts';
import { selects } from '#model/selector.ts';
import type { Asking } from '../inputs.ts';

/** Labels are asked for only where they decide. */
export function allowsNamespace(
  allowed: NamespacesFrom,
  own: string,
  namespace: string,
  ask: Pick<Asking, 'labels'>,
): boolean {
  switch (allowed.from) {
    case 'All':
      return true;
    case 'Same':
      return namespace === own;
    case 'None':
      return false;
    case 'Selector':
      return selects(allowed.selector, ask.labels(namespace));
  }
}
