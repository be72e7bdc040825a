/** Where rules come from, as people know it. */
import type { RouterAction } from './prepared.ts';

/** `KIND/NAMESPACE/NAME` of the object: what others are made of an Ingress or a Rule on the way has names that nobody wrote. */
export function objectOf(action: RouterAction): string {
  const { kind, namespace, name } = action.intent.origin;
  return namespace === undefined ? `${kind}/${name}` : `${kind}/${namespace}/${name}`;
}
