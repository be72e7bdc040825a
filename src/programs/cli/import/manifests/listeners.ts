/** ListenerSets and ALBs as manifests. */
import type { KubeObject } from '#api/object.ts';
import type { ALBModel, TenantsModel } from '#model/gateway/policy-types.ts';
import type { ListenerModel, ListenerSetModel } from '#model/gateway/types.ts';
import { defined } from './filters.ts';
import { manifest, type Printing, referenceTo, sourceOf } from './printing.ts';

const group = 'gateway.networking.k8s.io';

/** Undefined: none of its listeners can be printed. */
export function listenerSetManifest(set: ListenerSetModel, printing: Printing): KubeObject | undefined {
  const { namespace, parent } = set;
  const listeners = set.listeners.flatMap((each) => listenerManifest(each, set, printing) ?? []);
  if (listeners.length === 0) return undefined;
  return manifest(`${group}/v1`, 'ListenerSet', set, {
    parentRef: referenceTo(parent, namespace, { group, kind: 'Gateway' }),
    listeners,
  });
}

function listenerManifest(
  listener: ListenerModel,
  set: ListenerSetModel,
  { report }: Printing,
): object | undefined {
  const { name, protocol, port, hostname, tls, allowedNamespaces, clientValidation } = listener;
  // Without it everybody would be let in.
  if (clientValidation !== undefined)
    return report.lost(
      sourceOf(set),
      '',
      `clients of ${hostname ?? 'any host'} need certificates: give them a Gateway of their own with spec.tls.frontend; no listener is printed`,
    );
  if (tls?.mode === 'Terminate' && tls.certificates.length === 0)
    return report.lost(
      sourceOf(set),
      '',
      `no certificate for ${hostname ?? 'any host'}: no listener is printed`,
    );
  const secrets = tls?.certificates.map((each) =>
    referenceTo(each, set.namespace, { group: '', kind: 'Secret' }),
  );
  return defined({
    name,
    hostname,
    port,
    protocol,
    tls:
      tls === undefined
        ? undefined
        : {
            mode: tls.mode,
            ...(tls.mode === 'Terminate' ? { certificateRefs: secrets } : {}),
            ...(Object.keys(tls.options).length === 0 ? {} : { options: tls.options }),
          },
    allowedRoutes: allowedNamespaces.from === 'All' ? { namespaces: { from: 'All' } } : undefined,
  });
}

export function albManifest(alb: ALBModel): KubeObject {
  const { instance, http, https, ingressClass, tenants, hostnames, quotas } = alb;
  const { replicas, network, addresses, externalTrafficPolicy, loadBalancerClass, annotations } = instance;
  const { resources, nodeSelector, tolerations } = instance;
  const some = <T extends object>(object: T) => (Object.keys(object).length === 0 ? undefined : object);
  return manifest('netloom.dev/v1alpha1', 'ALB', alb, {
    ...defined({
      replicas: replicas === 0 ? undefined : replicas,
      network: defined({
        mode: network,
        addresses: some(addresses),
        loadBalancerClass,
        externalTrafficPolicy: externalTrafficPolicy === 'Local' ? undefined : externalTrafficPolicy,
        annotations: some(annotations),
      }),
      http: { port: http?.port ?? 0 },
      https: https ?? { port: 0 },
      ingressClass: ingressClass && {
        name: ingressClass.name,
        ...(ingressClass.isDefault ? { default: true } : {}),
      },
      tenants: tenants && tenantsManifest(tenants),
      hostnames,
      quotas: some(quotas),
      resources,
      nodeSelector: some(nodeSelector),
      tolerations: some(tolerations),
    }),
  });
}

function tenantsManifest({ namespaces, selector, projects }: TenantsModel): object | undefined {
  if (selector === undefined && namespaces.length + projects.length === 0) return undefined;
  return defined({
    namespaces: namespaces.length === 0 ? undefined : namespaces,
    selector,
    projects: projects.length === 0 ? undefined : projects,
  });
}
