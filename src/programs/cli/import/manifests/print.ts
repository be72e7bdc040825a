/** Models as manifests that `kubectl apply` takes: Gateway API and policies of ours. What they can't say is reported. Pure. */
import type { KubeObject } from '#api/object.ts';
import type {
  ALBModel,
  BackendPolicyModel,
  TrafficPolicyModel,
  WAFPolicyModel,
} from '#model/gateway/policy-types.ts';
import type {
  BackendReference,
  ListenerSetModel,
  ObjectReference,
  RouteModel,
} from '#model/gateway/types.ts';
import type { Report } from '../fields.ts';
import { albManifest, listenerSetManifest } from './listeners.ts';
import { backendPolicyManifests, trafficPolicyManifests, wafPolicyManifests } from './policies.ts';
import { manifest, type Printing, referenceTo, sourceOf } from './printing.ts';
import { routeManifests, spokenTo } from './routes.ts';

export type Models = {
  readonly albs?: readonly ALBModel[];
  readonly listenerSets: readonly ListenerSetModel[];
  readonly routes: readonly RouteModel[];
  readonly policies: readonly TrafficPolicyModel[];
  readonly backendPolicies?: readonly BackendPolicyModel[];
  readonly wafPolicies: readonly WAFPolicyModel[];
};

/** `nameOf`: what a route is to be called, in the place of its model's name. */
export function printModels(
  models: Models,
  report: Report,
  nameOf: (route: RouteModel) => string = ({ name }) => name,
): readonly KubeObject[] {
  const printing: Printing = { report, renamed: new Map() };
  const { albs = [], listenerSets, routes, policies, backendPolicies = [], wafPolicies } = models;
  const sets = listenerSets.flatMap((each) => listenerSetManifest(each, printing) ?? []);
  const printed = routes.flatMap((each) => routeManifests(each, printing, nameOf(each)));
  const access = routes.flatMap((each) => clientPolicies(each, printing));
  for (const each of listenerSets) tellGrants(each, certificatesOf(each), 'ListenerSet', report);
  for (const each of routes) tellGrants(each, backendsOf(each), each.kind, report);
  return distinct(
    [
      ...albs.map(albManifest),
      ...sets,
      ...printed,
      ...[...policies, ...access].flatMap((each) => trafficPolicyManifests(each, printing)),
      ...backendPolicies.flatMap((each) => backendPolicyManifests(each, printing)),
      ...wafPolicies.flatMap((each) => wafPolicyManifests(each, printing)),
      ...routes.flatMap((each) => tlsPolicies(each, printing)),
    ],
    report,
  );
}

function certificatesOf({ listeners }: ListenerSetModel): readonly ObjectReference[] {
  return listeners.flatMap(({ tls }) => tls?.certificates ?? []);
}

function backendsOf(route: RouteModel): readonly ObjectReference[] {
  if (route.kind !== 'HTTPRoute') return route.rules.flatMap(({ backends }) => backends);
  return route.rules.flatMap(({ backends, filters }) => [
    ...backends,
    ...filters.flatMap((filter) =>
      filter.type === 'ExternalAuth' || filter.type === 'RequestMirror' ? [filter.backend] : [],
    ),
  ]);
}

/** Whose it is has to agree: nobody can do that in their place. */
function tellGrants(
  from: ListenerSetModel | RouteModel,
  references: readonly ObjectReference[],
  kind: string,
  report: Report,
): void {
  for (const { kind: to, namespace, name } of references)
    if (namespace !== from.namespace)
      report.note(
        sourceOf(from),
        '',
        `${to} ${namespace}/${name} needs a ReferenceGrant there, from ${kind}s of ${from.namespace}`,
      );
}

/** A match on clients isn't Gateway API's: who is no such client is kept out instead. */
function clientPolicies(route: RouteModel, { report }: Printing): readonly TrafficPolicyModel[] {
  if (route.kind !== 'HTTPRoute') return [];
  const cidrs = new Set(route.rules.flatMap(({ matches }) => matches.flatMap(({ clients = [] }) => clients)));
  if (cidrs.size === 0) return [];
  report.lost(sourceOf(route), '', 'is for some clients: others get 403 rather than what comes behind it');
  const { kind, name, key } = route;
  const target = { group: 'gateway.networking.k8s.io', kind, name };
  const head = { ...route, name: `${name}-clients`, key: `${key}-clients` };
  return [{ ...head, targets: [target], enforced: false, settings: { access: { allow: [...cidrs] } } }];
}

/** What is spoken by TLS takes a policy that says whom to trust: without one of theirs, what the system trusts. */
function tlsPolicies(route: RouteModel, { report }: Printing): readonly KubeObject[] {
  const { namespace } = route;
  return spokenTo(route).flatMap((backend) => {
    const { speech, name, port } = backend;
    if (speech?.protocol === 'h2c')
      report.note(
        sourceOf(route),
        '',
        `port ${port ?? '?'} of Service ${backend.namespace}/${name} needs appProtocol kubernetes.io/h2c`,
      );
    if (speech?.tls === undefined) return [];
    const { authority, certificate, hostname } = speech.tls;
    if (certificate !== undefined)
      report.lost(
        sourceOf(route),
        '',
        `what is shown to ${name} stands at the Gateway: spec.tls.backend.clientCertificateRef`,
      );
    if (authority === undefined)
      report.lost(
        sourceOf(route),
        '',
        `whoever answers for ${backend.namespace}/${name} was taken: BackendTLSPolicy ${name} asks for a certificate that the system trusts`,
      );
    return backend.namespace === namespace ? [tlsPolicy(backend, authority, hostname)] : [];
  });
}

function tlsPolicy(
  { namespace, name }: BackendReference,
  authority: NonNullable<NonNullable<BackendReference['speech']>['tls']>['authority'],
  hostname: string,
): KubeObject {
  return manifest(
    'gateway.networking.k8s.io/v1',
    'BackendTLSPolicy',
    { namespace, name },
    {
      targetRefs: [{ group: '', kind: 'Service', name }],
      validation: {
        ...(authority === undefined
          ? { wellKnownCACertificates: 'System' }
          : { caCertificateRefs: [{ ...referenceTo(authority, namespace, { group: 'none', kind: '' }) }] }),
        hostname: hostname === '' ? `${name}.${namespace}.svc` : hostname,
      },
    },
  );
}

/** What says the same twice stands there once; of two that differ the first. */
function distinct(objects: readonly KubeObject[], report: Report): readonly KubeObject[] {
  const found = new Map<string, KubeObject>();
  for (const object of objects) {
    const { namespace, name } = object.metadata;
    const key = `${object.kind} ${namespace}/${name}`;
    const before = found.get(key);
    if (before === undefined) found.set(key, object);
    else if (JSON.stringify(before) !== JSON.stringify(object))
      report.lost(key, '', 'two objects would be called so: the second is left out');
  }
  return [...found.values()];
}
