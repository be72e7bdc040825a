/** Documents of another network ─► objects of ours, and what has no equal; pure. */
import { group, version } from '#api/kind.ts';
import { type BGPNeighbor, bgpNeighborKind } from '#api/kinds/bgpneighbor.ts';
import { type IPPool, ipPoolKind } from '#api/kinds/ippool.ts';
import { type Subnet, subnetKind } from '#api/kinds/subnet.ts';
import type { KubeObject } from '#api/object.ts';
import { readWishes } from '#model/address-wishes.ts';
import { readBGPNeighbor } from '#model/bgpneighbor.ts';
import { readALB } from '#model/gateway/alb.ts';
import { readBackendPolicy } from '#model/gateway/backendpolicy.ts';
import { readBackendTLSPolicy } from '#model/gateway/backendtlspolicy.ts';
import { readGateway } from '#model/gateway/gateway.ts';
import { readListenerSet } from '#model/gateway/listenerset.ts';
import { readRoute } from '#model/gateway/route.ts';
import { readTrafficPolicy } from '#model/gateway/trafficpolicy.ts';
import { readWAFPolicy } from '#model/gateway/wafpolicy.ts';
import { readIPPool } from '#model/ippool.ts';
import { originOf, type Problem } from '#model/problem.ts';
import { readSubnet } from '#model/subnet.ts';
import { translateALB } from './alb.ts';
import { translateCalico } from './calico.ts';
import { createReport, type Finding, isRecord, type Report } from './fields.ts';
import { translateIngressNginx } from './ingress-nginx.ts';
import { translateKubeOvn } from './kube-ovn.ts';
import { annotationSites, titleOf } from './metadata.ts';

export type Source = 'kube-ovn' | 'calico' | 'ingress-nginx' | 'alb';

export type Translation = {
  readonly objects: readonly KubeObject[];
  readonly findings: readonly Finding[];
};

const translators = {
  'kube-ovn': translateKubeOvn,
  calico: translateCalico,
  'ingress-nginx': translateIngressNginx,
  alb: translateALB,
} as const;

/** `documents`: as parsed; lists are taken apart, empty documents passed over. In the order of the input. */
export function translate(source: Source, documents: readonly unknown[]): Translation {
  const report = createReport();
  const objects = documents.flatMap((document, index) =>
    document === null || document === undefined ? [] : objectsOf(document, `document ${index + 1}`, report),
  );
  const translated = translators[source](objects, report);
  for (const object of translated) {
    for (const { field, message } of problemsOf(object)) {
      report.lost(titleOf(object), field, `as translated: ${message}`);
    }
  }
  return { objects: translated, findings: report.findings };
}

/** One line a finding: `Kind name field: reason`. */
export function findingLine({ object, field, reason, isNote }: Finding): string {
  return `${isNote === true ? 'note: ' : ''}${object}${field === '' ? '' : ` ${field}`}: ${reason}`;
}

/** What the controller would say of a translated object. */
function problemsOf(object: KubeObject): readonly Problem[] {
  const reader = readers[object.kind];
  if (reader !== undefined && /^(?:gateway\.networking\.k8s\.io|netloom\.dev)\//.test(object.apiVersion))
    return reader(object).problems;
  if (object.apiVersion === `${group}/${version}`) {
    switch (object.kind) {
      case subnetKind.kind:
        return readSubnet(object as Subnet).problems;
      case ipPoolKind.kind:
        return readIPPool(object as IPPool).problems;
      case bgpNeighborKind.kind:
        return readBGPNeighbor(object as BGPNeighbor).problems;
    }
  }
  const { name } = object.metadata;
  const origin = originOf(object);
  return annotationSites(object)
    .filter(({ kind }) => kind === 'Pod' || kind === 'template')
    .flatMap(
      ({ annotations }) =>
        readWishes({
          origin,
          name,
          annotations,
          ...(object.kind === 'StatefulSet' ? { statefulSet: name } : {}),
        }).problems,
    );
}

/** Of what `ingress-nginx` and `alb` print. */
const readers: Readonly<Record<string, (object: KubeObject) => { readonly problems: readonly Problem[] }>> = {
  Gateway: readGateway,
  ListenerSet: readListenerSet,
  HTTPRoute: readRoute,
  TLSRoute: readRoute,
  TCPRoute: readRoute,
  UDPRoute: readRoute,
  BackendTLSPolicy: readBackendTLSPolicy,
  ALB: readALB,
  TrafficPolicy: readTrafficPolicy,
  BackendPolicy: readBackendPolicy,
  WAFPolicy: readWAFPolicy,
};

/** `title`: of what is no object, which is told. */
function objectsOf(document: unknown, title: string, report: Report): readonly KubeObject[] {
  const bad = () => report.lost(title, '', 'is no Kubernetes object') ?? [];
  if (
    !isRecord(document) ||
    typeof document['kind'] !== 'string' ||
    typeof document['apiVersion'] !== 'string'
  )
    return bad();
  if (document['kind'].endsWith('List') && Array.isArray(document['items'])) {
    // Items of a typed list carry no kind of their own.
    const kind = document['kind'].slice(0, -'List'.length);
    const type = kind === '' ? {} : { apiVersion: document['apiVersion'], kind };
    return document['items'].flatMap((item: unknown, index) =>
      objectsOf(isRecord(item) ? { ...type, ...item } : item, `${title} item ${index + 1}`, report),
    );
  }
  const { metadata } = document;
  return isRecord(metadata) && typeof metadata['name'] === 'string'
    ? [document as unknown as KubeObject]
    : bad();
}
