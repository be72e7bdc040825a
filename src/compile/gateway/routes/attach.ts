/** Where the parentRefs of a route lead: which listeners take it, and with which hostnames. Other routes have no part in it. */
import type { ParentReference, RouteModel } from '#model/gateway/types.ts';
import { commonHostnames } from '../hostnames.ts';
import type { Asking } from '../inputs.ts';
import { isTenant } from '../instances/tenants.ts';
import { condition } from '../listeners/listener-conditions.ts';
import { gatewayGroup, hostnameOf } from '../listeners/listener-protocols.ts';
import type { Attachment, Listener } from '../types.ts';
import { allowsNamespace } from './namespaces.ts';

/** A Gateway, ListenerSet or ALB that is ours. Its listeners are none while its Gateway doesn't take it. */
export type Parent = {
  readonly gateway: string;
  readonly listeners: readonly Listener[];
  /** Key of the ALB whose instance serves it: only tenants of it get in. */
  readonly alb?: string;
};

/** The status of a route has room for this many (the CRD's limit); whoever makes Gateways that are a default makes no route larger than that. */
const mostParents = 32;

/**
 * One for each parentRef that leads to a parent of ours, in the route's order; then those of Gateways that are the default of routes that
 * ask for it, the oldest first.
 */
export function attach(
  route: RouteModel,
  parentOf: (reference: ParentReference) => Parent | undefined,
  ask: Pick<Asking, 'get' | 'labels' | 'defaultGateways'>,
): readonly Attachment[] {
  const written = route.parents;
  const standard = route.defaultGateways === 'All' ? ask.defaultGateways() : [];
  const added = standard.map(referenceTo).filter(({ namespace, name }) => {
    const same = (each: ParentReference) =>
      each.group === gatewayGroup &&
      each.kind === 'Gateway' &&
      each.namespace === namespace &&
      each.name === name;
    return !written.some(same);
  });
  return [...written, ...added].slice(0, mostParents).flatMap((reference) => {
    const parent = parentOf(reference);
    return parent === undefined ? [] : [attachTo(route, reference, parent, ask)];
  });
}

function attachTo(
  route: RouteModel,
  parent: ParentReference,
  { gateway, listeners, alb: albKey }: Parent,
  ask: Pick<Asking, 'get' | 'labels'>,
): Attachment {
  const refuse = (reason: string, message: string): Attachment => ({
    parent,
    gateway,
    listeners: [],
    accepted: condition('Accepted', 'False', reason, message),
  });
  const alb = albKey === undefined ? undefined : ask.get('alb', albKey);
  if (alb !== undefined && !isTenant(alb, route.namespace, ask))
    return refuse('NotAllowedByListeners', `ALB ${albKey} takes nothing of namespace ${route.namespace}`);
  const { sectionName, port } = parent;
  const meant = listeners.filter(
    ({ model }) =>
      (sectionName === undefined || model.name === sectionName) &&
      (port === undefined || model.port === port),
  );
  if (meant.length === 0) {
    const named = [
      ...(sectionName === undefined ? [] : [`named ${sectionName}`]),
      ...(port === undefined ? [] : [`with port ${port}`]),
    ];
    return refuse('NoMatchingParent', `${parent.kind} has no listener ${named.join(' ')}`.trimEnd());
  }
  const fitting = meant.filter(({ supportedKinds }) =>
    supportedKinds.some(({ group, kind }) => group === gatewayGroup && kind === route.kind),
  );
  if (fitting.length === 0)
    return refuse('NotAllowedByListeners', `No listener that is meant takes routes of kind ${route.kind}`);
  const open = fitting.filter(({ model, owner }) =>
    allowsNamespace(model.allowedNamespaces, owner.namespace, route.namespace, ask),
  );
  if (open.length === 0)
    return refuse('NotAllowedByListeners', `No listener that is meant takes routes of ${route.namespace}`);
  const common = open.flatMap((listener) => {
    const hosts = commonHostnames(hostnameOf(listener.model), namesOf(route));
    return hosts.length === 0 ? [] : [{ listener, hosts }];
  });
  if (common.length === 0)
    return refuse(
      'NoMatchingListenerHostname',
      `No listener that is meant has a hostname in common with ${namesOf(route).join(', ')}`,
    );
  const accepted = condition('Accepted', 'True', 'Accepted', 'It is attached');
  return { parent, gateway, listeners: common, accepted };
}

/** Routes of connections know no names. */
function namesOf({ kind, hostnames }: RouteModel): readonly string[] {
  return kind === 'TCPRoute' || kind === 'UDPRoute' ? [] : hostnames;
}

function referenceTo(gateway: string): ParentReference {
  const [namespace = '', name = ''] = gateway.split('/');
  const reference = { group: gatewayGroup, kind: 'Gateway', namespace, name };
  return { ...reference, written: reference };
}
