/** Annotations `ovn.kubernetes.io/*` of pods, pod templates and namespaces as ours. */
import type { KubeObject } from '#api/object.ts';
import { parseAddr } from '#net/addr.ts';
import type { Report } from './fields.ts';
import type { KubeOvnNames } from './kube-ovn.ts';
import { type AnnotationSite, annotationSites, titleOf, withAnnotations } from './metadata.ts';

const own = 'ovn.kubernetes.io/';
/** `<attachment>.<namespace>.ovn.kubernetes.io/…` and `<attachment>.<namespace>.kubernetes.io/…` with a name that Kube-OVN gives. */
const attached =
  /^[^/]+\.kubernetes\.io\/(?:logical_switch|ip_address|mac_address|ip_pool|routes|default_route|ingress_rate|egress_rate)(?:\.|$)/;

export function isKubeOvnAnnotation(key: string): boolean {
  return (
    key.startsWith(own) ||
    key.includes(`.${own}`) ||
    (attached.test(key) && !key.startsWith('kubernetes.io/'))
  );
}

/** What Kube-OVN itself writes to a pod that it wired: no wish of anybody. */
const written = new Set([
  'allocated',
  'routed',
  'cidr',
  'gateway',
  'logical_router',
  'pod_nic_type',
  'network_type',
  'provider_network',
  'vlan_id',
  'virtualmachine',
  'mac_address',
  'ip_address',
  'logical_switch',
  'ip_pool',
]);

export function translateKubeOvnAnnotations(
  object: KubeObject,
  names: KubeOvnNames,
  report: Report,
): KubeObject {
  let result = object;
  for (const site of annotationSites(object)) {
    const foreign = Object.keys(site.annotations).filter(isKubeOvnAnnotation);
    const keep = site.kind === 'template' ? keptFor(object) : {};
    if (foreign.length === 0 && Object.keys(keep).length === 0) continue;
    const rest = Object.entries(site.annotations).filter(([key]) => !foreign.includes(key));
    const ours = Object.assign(
      {},
      ...foreign.map((key) => translateOne(object, site, key, names, report)),
    ) as Record<string, string>;
    result = withAnnotations(result, site.path, { ...Object.fromEntries(rest), ...keep, ...ours });
  }
  return result;
}

/** Kube-OVN keeps addresses of a StatefulSet's pods and of virtual machines without being asked. */
function keptFor({ kind, metadata }: KubeObject): Readonly<Record<string, string>> {
  if (kind === 'StatefulSet') return { 'netloom.dev/keep-addresses': 'Pod' };
  return kind === 'VirtualMachine' ? { 'netloom.dev/keep-addresses': `VM:${metadata.name}` } : {};
}

function translateOne(
  object: KubeObject,
  site: AnnotationSite,
  key: string,
  names: KubeOvnNames,
  report: Report,
): Readonly<Record<string, string>> {
  const value = site.annotations[key] ?? '';
  const lost = (reason: string): Readonly<Record<string, string>> => {
    report.lost(titleOf(object), `${site.path}[${key}]`, reason);
    return {};
  };
  if (!key.startsWith(own)) return lost('is of a second interface, which pods have not');
  const name = key.slice(own.length);
  if (site.kind === 'other') return lost('has no equal');
  if (site.kind === 'Namespace') return ofNamespace(object, site, name, names) ?? lost(namespaceAdvice(name));
  if (site.annotations[`${own}allocated`] === 'true' && written.has(name)) {
    if (name === 'allocated') {
      report.note(
        titleOf(object),
        `${site.path}[${key}]`,
        'Kube-OVN wired this pod, and what it wrote then is left out; import the manifest for what was asked for',
      );
    }
    return {};
  }
  switch (name) {
    case 'logical_switch': {
      const isForOthers = names.isForOthers(value, object.metadata.namespace ?? 'default');
      const reason = `Subnet ${names.subnet(value)} is kept for other namespaces: list this one in its spec.namespaces`;
      if (isForOthers === true) lost(reason);
      else if (isForOthers === 'maybe')
        report.note(titleOf(object), `${site.path}[${key}]`, `maybe ${reason}`);
      return { 'netloom.dev/subnet': names.subnet(value) };
    }
    case 'mac_address':
      return { 'netloom.dev/mac-address': value };
    case 'ip_address': {
      const entry = addressEntry(value);
      return entry === undefined ? lost('is no address') : { 'netloom.dev/addresses': entry };
    }
    case 'ip_pool':
      return poolOf(value) ?? lost('names several pools; a pod takes from one');
    case 'ingress_rate':
    case 'egress_rate': {
      const direction = name === 'ingress_rate' ? 'ingress' : 'egress';
      return /^[1-9][0-9]*$/.test(value)
        ? { [`kubernetes.io/${direction}-bandwidth`]: `${value}M` }
        : lost('is no whole number of Mbit/s');
    }
    case 'port_security':
      return value === 'true' ? {} : lost('a pod can never send from an address that is not its own');
    default:
      return lost(reasons[name] ?? 'has no equal');
  }
}

const reasons: Readonly<Record<string, string>> = {
  security_groups: 'has no equal: write NetworkPolicies',
  ip_family: 'has no equal: a pod has an address of each family of its Subnet',
  ingress_burst: 'has no equal: the burst follows from the rate',
  egress_burst: 'has no equal: the burst follows from the rate',
  bgp: 'has no equal: blocks of routed Subnets are announced to BGPNeighbors, not single pods',
  eip: 'has no equal: outbound connections have the address of the node or of the pod (Subnet outboundAddress)',
  snat: 'has no equal: outbound connections have the address of the node or of the pod (Subnet outboundAddress)',
};

/** On a Namespace Kube-OVN repeats what its Subnets and IPPools say. */
function ofNamespace(
  object: KubeObject,
  site: AnnotationSite,
  name: string,
  names: KubeOvnNames,
): Readonly<Record<string, string>> | undefined {
  const subnets = listed(site.annotations[`${own}logical_switch`]);
  const isServed = subnets.length > 0 && subnets.every((each) => names.serves(each, object));
  const [pool, ...morePools] = listed(site.annotations[`${own}ip_pool`]);
  switch (name) {
    case 'logical_switch':
      if (isServed) return {};
      return subnets.length === 1 ? { 'netloom.dev/subnet': names.subnet(subnets[0]!) } : undefined;
    case 'cidr':
    case 'exclude_ips':
      return subnets.length > 0 ? {} : undefined;
    case 'ip_pool':
      if (
        [pool, ...morePools].every((each) => each !== undefined && names.hasPool(each, object.metadata.name))
      )
        return {};
      return pool === undefined || morePools.length > 0 ? undefined : { 'netloom.dev/ip-pool': pool };
    default:
      return undefined;
  }
}

function namespaceAdvice(name: string): string {
  if (name === 'ip_pool') return 'names several pools: list the namespace in their spec.namespaces';
  if (name === 'logical_switch') return 'names several Subnets: list the namespace in their spec.namespaces';
  return 'has no equal';
}

/** A pool's name, or addresses: `a,b` of one family, `a4,a6;b4,b6` of two. */
function poolOf(value: string): Readonly<Record<string, string>> | undefined {
  const parts = value.includes(';') ? value.split(';').map((part) => part.trim()) : listed(value);
  const entries = parts.map(addressEntry);
  if (entries.length > 0 && entries.every((entry) => entry !== undefined)) {
    return { 'netloom.dev/addresses': entries.join(',') };
  }
  return parts.length === 1 && parts[0] !== undefined ? { 'netloom.dev/ip-pool': parts[0] } : undefined;
}

/** `a4,a6` is one pod's: `a4+a6`. */
function addressEntry(value: string): string | undefined {
  const addresses = listed(value);
  const families = addresses.map((text) => parseAddr(text)?.family);
  const isOne = addresses.length === 1 || (addresses.length === 2 && new Set(families).size === 2);
  return isOne && families.every((family) => family !== undefined) ? addresses.join('+') : undefined;
}

function listed(text: string | undefined): readonly string[] {
  return (text ?? '')
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}
