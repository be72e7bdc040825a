/** Calico's kinds as ours: IPPool, IPReservation, BGPPeer and BGPConfiguration; others have no equal. */
import { group, version } from '#api/kind.ts';
import type { KubeObject } from '#api/object.ts';
import { parsePrefix, prefixesOverlap } from '#net/prefix.ts';
import { translateCalicoAnnotations } from './calico-annotations.ts';
import { readBgpDefaults, translateBgpPeer } from './calico-bgp.ts';
import { type PoolSubnet, translatePools } from './calico-pools.ts';
import { openFields, type Report } from './fields.ts';
import { specOf } from './kube-ovn.ts';
import { titleOf } from './metadata.ts';

export function translateCalico(objects: readonly KubeObject[], report: Report): readonly KubeObject[] {
  const own = objects.filter(isCalico);
  const of = (kind: string) => own.filter((object) => object.kind === kind);
  const subnets = translatePools(of('IPPool'), report);
  const reserved = new Map<string, string[]>();
  for (const reservation of of('IPReservation')) reserve(reservation, subnets, reserved, report);
  const bgp = readBgpDefaults(of('BGPConfiguration'), report);
  const others = objects
    .filter((object) => !isCalico(object))
    .map((object) => translateCalicoAnnotations(object, subnets, report));
  const neighbors = of('BGPPeer').flatMap((peer) => translateBgpPeer(peer, bgp, report));
  for (const object of own.filter(({ kind }) => !translated.has(kind))) {
    report.lost(titleOf(object), '', otherKinds[object.kind] ?? 'Netloom has nothing like it');
  }
  return [
    ...subnets.map((subnet) => subnetObject(subnet, reserved.get(subnet.name))),
    ...neighbors,
    ...others,
  ];
}

const translated = new Set(['IPPool', 'IPReservation', 'BGPPeer', 'BGPConfiguration']);

const otherKinds: Readonly<Record<string, string>> = {
  NetworkPolicy: 'has no equal: write a networking.k8s.io NetworkPolicy',
  GlobalNetworkPolicy: 'has no equal: write networking.k8s.io NetworkPolicies',
  IPAMBlock: 'is state of Calico',
  BlockAffinity: 'is state of Calico',
  IPAMHandle: 'is state of Calico',
};

function isCalico({ apiVersion }: KubeObject): boolean {
  return apiVersion === 'crd.projectcalico.org/v1' || apiVersion === 'projectcalico.org/v3';
}

function subnetObject(
  { name, spec }: PoolSubnet,
  reservedAddresses: readonly string[] | undefined,
): KubeObject {
  return {
    apiVersion: `${group}/${version}`,
    kind: 'Subnet',
    metadata: { name },
    spec: {
      ...spec,
      ...(reservedAddresses === undefined ? {} : { reservedAddresses }),
    },
  } as KubeObject;
}

/** Calico gives a reserved address only to a pod that asks for it; so do we. */
function reserve(
  object: KubeObject,
  subnets: readonly PoolSubnet[],
  reserved: Map<string, string[]>,
  report: Report,
): void {
  const fields = openFields(specOf(object), titleOf(object), 'spec', report);
  for (const [index, text] of fields.texts('reservedCIDRs').entries()) {
    const cidr = parsePrefix(text.includes('/') ? text : `${text}/${text.includes(':') ? 128 : 32}`);
    const inside = subnets.filter(
      ({ spec }) =>
        cidr !== undefined &&
        spec.cidrs.some((each) => {
          const prefix = parsePrefix(each);
          return prefix !== undefined && prefixesOverlap(prefix, cidr);
        }),
    );
    if (inside.length === 0) fields.lost(`reservedCIDRs[${index}]`, 'is part of no IPPool of this import');
    for (const { name } of inside) reserved.set(name, [...(reserved.get(name) ?? []), text]);
  }
  fields.close('has no equal');
}
