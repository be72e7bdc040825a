/** Kube-OVN's kinds as ours: Subnet, IPPool and Vlan; others have no equal. */
import { group, version } from '#api/kind.ts';
import type { KubeObject } from '#api/object.ts';
import { selects } from '#model/selector.ts';
import { isOff, isRecord, openFields, type Report } from './fields.ts';
import { isKubeOvnAnnotation, translateKubeOvnAnnotations } from './kube-ovn-annotations.ts';
import { kubeOvnRanges, translateKubeOvnSubnet } from './kube-ovn-subnet.ts';
import { keptMetadata, titleOf } from './metadata.ts';

/** What Subnets and IPPools of one import know of each other. */
export type KubeOvnNames = {
  /** Our name of one of their Subnets: the default one is called `default` here. */
  subnet(name: string): string;
  /** Whether a namespace takes addresses from one of their Subnets, as far as this import tells. */
  serves(subnet: string, namespace: KubeObject): boolean;
  /**
   * Whether a Subnet is kept for other namespaces, so that pods of this one may not name it. `maybe`: it has selectors, and the
   * namespace's labels are not in this import.
   */
  isForOthers(subnet: string, namespace: string): boolean | 'maybe';
  /** Whether an IPPool of this import names the namespace. */
  hasPool(pool: string, namespace: string): boolean;
  /** Names of Vlans of this import that put no tag on frames. */
  readonly untagged: ReadonlySet<string>;
};

const kubeOvn = 'kubeovn.io/';

export function translateKubeOvn(objects: readonly KubeObject[], report: Report): readonly KubeObject[] {
  const names = namesOf(objects);
  const translated = objects.flatMap((object): KubeObject[] => {
    if (!object.apiVersion.startsWith(kubeOvn)) return [translateKubeOvnAnnotations(object, names, report)];
    switch (object.kind) {
      case 'Subnet':
        return translateKubeOvnSubnet(object, names, report);
      case 'IPPool':
        return translatePool(object, names, report);
      case 'Vlan':
        translateVlan(object, report);
        return [];
      default:
        report.lost(titleOf(object), '', otherKinds[object.kind] ?? 'Netloom has nothing like it');
        return [];
    }
  });
  return translated;
}

const otherKinds: Readonly<Record<string, string>> = {
  ProviderNetwork: "has no equal: an underlay Subnet is on the network of the nodes' own addresses",
  Vpc: 'has no equal: there is one network, without VPCs',
  IP: 'is state of Kube-OVN; ask for fixed addresses by annotation of the pod',
};

function namesOf(objects: readonly KubeObject[]): KubeOvnNames {
  const of = (kind: string) =>
    objects
      .filter((object) => object.kind === kind && object.apiVersion.startsWith(kubeOvn))
      .map((object) => ({ name: object.metadata.name, spec: specOf(object) }));
  const subnets = of('Subnet');
  const pools = of('IPPool');
  const renamed = subnets.find(({ spec }) => spec['default'] === true)?.name;
  const serves = (name: string, { metadata }: KubeObject): boolean => {
    const spec = subnets.find((subnet) => subnet.name === name)?.spec;
    if (spec === undefined) return false;
    const { namespaces, namespaceSelectors } = spec;
    const selectors: readonly unknown[] = Array.isArray(namespaceSelectors) ? namespaceSelectors : [];
    return (
      name === renamed ||
      (Array.isArray(namespaces) && namespaces.includes(metadata.name)) ||
      selectors.some((selector) => isRecord(selector) && selects(selector, metadata.labels ?? {}))
    );
  };
  return {
    subnet: (name) => (name === renamed ? 'default' : name),
    serves,
    isForOthers: (name, namespace) => {
      const spec = subnets.find((subnet) => subnet.name === name)?.spec ?? {};
      const { namespaces, namespaceSelectors } = spec;
      if (name === renamed || (isOff(namespaces) && isOff(namespaceSelectors))) return false;
      const known = objects.find(({ kind, metadata }) => kind === 'Namespace' && metadata.name === namespace);
      if (known !== undefined) return !serves(name, known);
      if (Array.isArray(namespaces) && namespaces.includes(namespace)) return false;
      return isOff(namespaceSelectors) ? true : 'maybe';
    },
    hasPool: (pool, namespace) =>
      pools.some(({ name, spec }) => {
        const { namespaces } = spec;
        return name === pool && Array.isArray(namespaces) && namespaces.includes(namespace);
      }),
    untagged: new Set(
      of('Vlan')
        .filter(({ spec }) => (spec['id'] ?? 0) === 0)
        .map(({ name }) => name),
    ),
  };
}

function translatePool(object: KubeObject, names: KubeOvnNames, report: Report): KubeObject[] {
  const title = titleOf(object);
  const fields = openFields(specOf(object), title, 'spec', report);
  const subnet = fields.text('subnet');
  const addresses = kubeOvnRanges(fields, 'ips');
  const namespaces = fields.texts('namespaces');
  fields.refuse('enableAddressSet', 'has no equal: there are no address sets');
  fields.close('has no equal');
  if (subnet === undefined || addresses.length === 0) {
    report.lost(title, '', 'is left out: it names no Subnet or no addresses');
    return [];
  }
  return [
    {
      apiVersion: `${group}/${version}`,
      kind: 'IPPool',
      metadata: keptMetadata(object, isKubeOvnAnnotation, report),
      spec: {
        subnet: names.subnet(subnet),
        addresses,
        ...(namespaces.length === 0 ? {} : { namespaces }),
      },
    } as KubeObject,
  ];
}

/** One without a tag is the nodes' own segment, which is what an underlay Subnet is on. */
function translateVlan(object: KubeObject, report: Report): void {
  const fields = openFields(specOf(object), titleOf(object), 'spec', report);
  fields.only('id', [0], "has no equal: an underlay Subnet is on the nodes' own segment, untagged");
  fields.take('provider');
  fields.take('vlanId');
  fields.take('providerInterfaceName');
  fields.close('has no equal');
}

export function specOf(object: KubeObject): Readonly<Record<string, unknown>> {
  const spec = (object as { readonly spec?: unknown }).spec;
  return isRecord(spec) ? spec : {};
}
