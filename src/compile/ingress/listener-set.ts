/** The hosts that an Ingress has TLS for as listeners of a ListenerSet: with its Secrets, on the port of the ALB for HTTPS. */
import type { ListenerModel, ListenerSetModel, ParentReference } from '#model/gateway/types.ts';
import type { IngressModel } from '#model/ingress/types.ts';
import { asksForClientCertificates } from './catalogue/tls.ts';
import { derivedObject, gatewayGroup, type Place, parentOf } from './place.ts';
import { nginxAnnotations, readAnnotations } from './read-annotations.ts';
import { hostsOf, mainPeers, type SecureName, type Site, secureName, wwwOf } from './sites.ts';

/** Only names that no other Ingress of the namespace had before; undefined: none. */
export function listenerSetOf(sites: readonly Site[], place: Place): ListenerSetModel | undefined {
  const { ingress, context, effects } = place;
  const { https } = context;
  if (https === undefined) return undefined;
  const names = new Map<string, SecureName>();
  const further = effects.www === true ? sites.flatMap(({ host }) => wwwOf(host) ?? []) : [];
  for (const each of [
    ...sites.flatMap(({ secure }) => secure),
    ...further.flatMap((name) => secureName(name, context) ?? []),
  ])
    if (each.leader.key === ingress.key) names.set(each.name, each);
  const passed = effects.passthrough === true ? sites.flatMap((site) => site.names) : [];
  const listeners = [
    ...[...names.values()]
      .filter(({ name }) => !passed.includes(name))
      .map((each) => terminating(each, https.port, place)),
    ...passed.map(
      (name): ListenerModel => ({
        name: sectionOf(name),
        protocol: 'TLS',
        port: https.port,
        hostname: name,
        tls: { mode: 'Passthrough', certificates: [], options: {} },
        allowedNamespaces: { from: 'Same' },
      }),
    ),
  ];
  if (listeners.length === 0) return undefined;
  return { ...derivedObject(ingress, ''), parent: context.gateway, listeners };
}

/** The listener for a name, in the ListenerSet of who has it. */
export function listenerOf({ name, leader }: Pick<SecureName, 'name' | 'leader'>): ParentReference {
  const { namespace, name: own } = derivedObject(leader, '');
  return parentOf({ group: gatewayGroup, kind: 'ListenerSet', namespace, name: own }, sectionOf(name));
}

/** Of the listener for a hostname. Of no two the same, and none that stands for something else in names of routes. */
export function sectionOf(name: string): string {
  return reserved.test(name) ? `host.${name}` : name.replace(/^\*\./, 'wildcard.');
}

const reserved = /^(?:(?:any|tls|www|default|acme|passthrough)$|(?:host|wildcard)\.)/;

/** A host is of all who have it, under whatever name: what it wants of clients is said by the oldest that says it. */
function terminating({ name, leader, secret }: SecureName, port: number, place: Place): ListenerModel {
  const { context } = place;
  const peers = mainPeers(name, context).flatMap((peer) =>
    hostsOf(peer).flatMap((host) => [peer, ...mainPeers(host, context)]),
  );
  const judge = peers.find((peer) => asksForClientCertificates(nginxAnnotations(peer)));
  const validation = judge && validationOf(judge);
  const options = readAnnotations(leader).effects.tlsOptions ?? {};
  return {
    name: sectionOf(name),
    protocol: 'HTTPS',
    port,
    hostname: name,
    tls: {
      mode: 'Terminate',
      certificates: [{ group: '', kind: 'Secret', namespace: leader.namespace, name: secret }],
      options,
    },
    allowedNamespaces: { from: 'Same' },
    ...(validation === undefined ? {} : { clientValidation: validation }),
  };
}

/** By nothing, where it can't be read: then nobody has a good certificate. */
function validationOf(judge: IngressModel): NonNullable<ListenerModel['clientValidation']> {
  return readAnnotations(judge).effects.validation ?? { authorities: [], mode: 'AllowValidOnly' };
}
