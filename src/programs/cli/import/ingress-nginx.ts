/** Ingresses, with their annotations, as Gateway API and policies: one Gateway for each class, as ingress-nginx has one set of ports. */
import type { KubeObject } from '#api/object.ts';
import { olderFirst } from '#compile/gateway/age.ts';
import { namesOf } from '#compile/ingress/sites.ts';
import { translateIngress } from '#compile/ingress/translate.ts';
import type { IngressContext, Translation } from '#compile/ingress/types.ts';
import { readBackendService } from '#model/gateway/backendservice.ts';
import type { BackendServiceModel } from '#model/gateway/types.ts';
import { readIngress } from '#model/ingress/ingress.ts';
import type { IngressModel } from '#model/ingress/types.ts';
import { tellBehaviours } from './behaviours.ts';
import type { Report } from './fields.ts';
import { validName } from './manifests/names.ts';
import { printModels } from './manifests/print.ts';
import { isService, placed, titleOf } from './metadata.ts';
import { tellOvertaken, tellTaken } from './overtaken.ts';

/** Where ingress-nginx itself is, mostly; the Gateways that stand in its place are put there. */
const gatewayNamespace = 'ingress-nginx';
/** What ingress-nginx' own class is called. */
const usualClass = 'nginx';
const ports = { http: 80, https: 443 } as const;
const gatewayGroup = 'gateway.networking.k8s.io';

export function translateIngressNginx(objects: readonly KubeObject[], report: Report): readonly KubeObject[] {
  const isIngress = ({ kind, apiVersion }: KubeObject) =>
    kind === 'Ingress' && apiVersion === 'networking.k8s.io/v1';
  const isOld = ({ kind, apiVersion }: KubeObject) =>
    kind === 'Ingress' && /^(?:networking\.k8s\.io|extensions)\/v1beta1$/.test(apiVersion);
  for (const each of objects.filter(isOld))
    report.lost(
      titleOf(placed(each)),
      'apiVersion',
      'no cluster serves it any more: write networking.k8s.io/v1',
    );
  const ingresses = objects.filter(isIngress).flatMap((object) => {
    const { value, problems } = readIngress(placed(object));
    for (const { field, message } of problems) report.lost(titleOf(placed(object)), field, message);
    return value ?? [];
  });
  const services = new Map(
    objects
      .filter(isService)
      .flatMap((object) => readBackendService(placed(object)).value ?? [])
      .map((service) => [service.key, service] as const),
  );
  for (const each of objects.filter(({ kind }) => kind === 'IngressClass'))
    report.note(titleOf(each), '', 'is a Gateway now');
  for (const { namespace, name, className } of ingresses)
    if (className === undefined)
      report.note(
        `Ingress ${namespace}/${name}`,
        'spec.ingressClassName',
        `names no class: taken for one of ${usualClass}`,
      );
  const classes = Map.groupBy(ingresses, ({ className = usualClass }) => className);
  const made = [...classes].flatMap(([name, own]) => classObjects(name, own, services, report));
  const others = objects.filter(
    (object) => !isIngress(object) && !isOld(object) && !isService(object) && object.kind !== 'IngressClass',
  );
  return [...made, ...others];
}

function classObjects(
  name: string,
  ingresses: readonly IngressModel[],
  services: ReadonlyMap<string, BackendServiceModel>,
  report: Report,
): readonly KubeObject[] {
  const sorted = [...ingresses].sort(olderFirst);
  tellBehaviours(sorted, report);
  const translations = sorted.map((ingress) => {
    tellOthers(ingress, report);
    const translation = translateIngress(ingress, contextOf(name, ingress, sorted, services));
    for (const { field, message } of translation.findings)
      report.lost(`Ingress ${ingress.namespace}/${ingress.name}`, field, message);
    return translation;
  });
  const all = <K extends Exclude<keyof Translation, 'findings'>>(part: K) =>
    translations.flatMap((each) => each[part] as readonly Translation[K][number][]);
  tellOvertaken(all('routes'), report);
  tellTaken(all('listenerSets'), report);
  return [
    gatewayOf(name),
    ...printModels(
      {
        listenerSets: all('listenerSets'),
        routes: all('routes'),
        policies: all('policies'),
        backendPolicies: all('backendPolicies'),
        wafPolicies: all('wafPolicies'),
      },
      report,
    ),
  ];
}

/** Ports for HTTPS come with the ListenerSets of Ingresses that have certificates. */
function gatewayOf(name: string): KubeObject {
  const namespaces = { namespaces: { from: 'All' } };
  return {
    apiVersion: `${gatewayGroup}/v1`,
    kind: 'Gateway',
    metadata: { name: validName(name), namespace: gatewayNamespace },
    spec: {
      gatewayClassName: 'netloom',
      listeners: [{ name: 'http', port: ports.http, protocol: 'HTTP', allowedRoutes: namespaces }],
      allowedListeners: namespaces,
    },
  } as KubeObject;
}

function contextOf(
  name: string,
  { namespace }: IngressModel,
  ingresses: readonly IngressModel[],
  services: ReadonlyMap<string, BackendServiceModel>,
): IngressContext {
  const near = ingresses.filter((each) => each.namespace === namespace);
  return {
    gateway: { group: gatewayGroup, kind: 'Gateway', namespace: gatewayNamespace, name: validName(name) },
    http: { section: 'http', port: ports.http },
    https: { section: 'https', port: ports.https, hasCertificate: false },
    neighbours: (host) => near.filter((each) => namesOf(each).includes(host)),
    peers: (host) => near.filter((each) => namesOf(each).includes(host)),
    service: (service) => services.get(`${namespace}/${service}`),
    // What has endpoints changes by the minute, and files say nothing of it.
    isEmpty: () => false,
  };
}

/** Annotations that aren't ingress-nginx' own: others act on them, and will look for them elsewhere. */
function tellOthers({ namespace, name, annotations }: IngressModel, report: Report): void {
  const title = `Ingress ${namespace}/${name}`;
  for (const key of Object.keys(annotations)) {
    if (/^(?:nginx\.ingress\.kubernetes\.io|kubectl\.kubernetes\.io|kubernetes\.io)\//.test(key)) continue;
    const advice = key.startsWith('cert-manager.io/')
      ? 'is for cert-manager: put it on the Gateway or the ListenerSet'
      : 'is somebody else’s, and is not taken over';
    report.note(title, `metadata.annotations[${key}]`, advice);
  }
}
