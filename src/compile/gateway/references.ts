/** What the entries of a route depend on besides itself and where it is attached. */
import type { BackendReference, RouteModel } from '#model/gateway/types.ts';

export type RouteReferences = {
  /** Services, as `namespace/name`: the route is looked at again when one changes, or a BackendTLSPolicy with it as a target. */
  readonly services: readonly string[];
  /** Other namespaces whose ReferenceGrants decide. */
  readonly namespaces: readonly string[];
};

/** Each once, in the route's order. Whether it may refer to them is judged elsewhere. */
export function routeReferences(route: RouteModel): RouteReferences {
  const references = backendsOf(route).filter(({ group, kind }) => group === '' && kind === 'Service');
  const namespaces = references.map(({ namespace }) => namespace);
  return {
    services: [...new Set(references.map(({ namespace, name }) => `${namespace}/${name}`))],
    namespaces: [...new Set(namespaces.filter((namespace) => namespace !== route.namespace))],
  };
}

/** Where requests go, where copies go, and who is asked for leave. */
function backendsOf(route: RouteModel): readonly BackendReference[] {
  if (route.kind !== 'HTTPRoute' && route.kind !== 'GRPCRoute') {
    return route.rules.flatMap(({ backends }) => backends);
  }
  return route.rules.flatMap(({ backends, filters }) => [
    ...backends,
    ...filters.flatMap((filter) => ('backend' in filter ? [filter.backend] : [])),
  ]);
}
