/** What a listener's owner belongs to in turn: its ListenerSet's Gateway, and the ALB that serves that. */
import type { GatewayModel, ListenerSetModel, ObjectReference } from '#model/gateway/types.ts';

const albGroup = 'netloom.dev';

/** Of a Gateway or ListenerSet: what stands around it, one further out; `KIND/namespace/name`. */
export function aroundOf(
  owner: string,
  peek: {
    readonly gateway: (key: string) => GatewayModel | undefined;
    readonly listenerSet: (key: string) => ListenerSetModel | undefined;
  },
): string | undefined {
  const slash = owner.indexOf('/');
  const [kind, key] = [owner.slice(0, slash), owner.slice(slash + 1)];
  if (kind === 'ListenerSet') {
    const parent = peek.listenerSet(key)?.parent;
    return parent === undefined ? undefined : gatewayOf(parent);
  }
  if (kind !== 'Gateway') return undefined;
  if (key.endsWith('~alb')) return `ALB/${key.slice(0, -'~alb'.length)}`;
  const parameters = peek.gateway(key)?.infrastructure.parameters;
  if (parameters?.group !== albGroup || parameters.kind !== 'ALB') return undefined;
  // Another namespace's ALB can't be shared by naming it: the instance's key is of the Gateway's own.
  return parameters.namespace === key.slice(0, key.indexOf('/'))
    ? `ALB/${parameters.namespace}/${parameters.name}`
    : undefined;
}

/** A ListenerSet's parent: a Gateway, or an ALB, which has one that is made of it. */
function gatewayOf({ group, kind, namespace, name }: ObjectReference): string | undefined {
  if (kind === 'Gateway') return `Gateway/${namespace}/${name}`;
  return group === albGroup && kind === 'ALB' ? `Gateway/${namespace}/${name}~alb` : undefined;
}
