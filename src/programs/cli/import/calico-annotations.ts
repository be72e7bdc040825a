/** Annotations `cni.projectcalico.org/*` of pods, pod templates and namespaces as ours. */
import type { KubeObject } from '#api/object.ts';
import { parseAddr } from '#net/addr.ts';
import type { PoolSubnet } from './calico-pools.ts';
import type { Report } from './fields.ts';
import { type AnnotationSite, annotationSites, titleOf, withAnnotations } from './metadata.ts';

const own = 'cni.projectcalico.org/';
const isForeign = (key: string) => key.includes('projectcalico.org/');

/** What Calico itself writes to a pod that it wired. */
const written = new Set(['podIP', 'podIPs', 'containerID']);

export function translateCalicoAnnotations(
  object: KubeObject,
  subnets: readonly PoolSubnet[],
  report: Report,
): KubeObject {
  let result = object;
  for (const site of annotationSites(object)) {
    const foreign = Object.keys(site.annotations).filter(isForeign);
    if (foreign.length === 0) continue;
    const rest = Object.entries(site.annotations).filter(([key]) => !foreign.includes(key));
    const ours: Record<string, string> = {};
    const lost = (key: string, reason: string) =>
      report.lost(titleOf(object), `${site.path}[${key}]`, reason);
    const subnet = site.kind === 'other' ? undefined : chosenSubnet(site, subnets, lost);
    if (subnet !== undefined) ours['netloom.dev/subnet'] = subnet;
    for (const key of foreign) Object.assign(ours, translateOne(site, key, lost));
    result = withAnnotations(result, site.path, { ...Object.fromEntries(rest), ...ours });
  }
  return result;
}

function translateOne(
  site: AnnotationSite,
  key: string,
  lost: (key: string, reason: string) => undefined,
): Readonly<Record<string, string>> | undefined {
  const name = key.startsWith(own) ? key.slice(own.length) : '';
  const value = site.annotations[key] ?? '';
  if (site.kind === 'other' || name === '') return lost(key, 'has no equal');
  if (name === 'ipv4pools' || name === 'ipv6pools') return undefined;
  if (site.kind === 'Namespace') return lost(key, 'has no equal on a Namespace');
  if (written.has(name)) return undefined;
  switch (name) {
    case 'ipAddrs': {
      const addresses = texts(value);
      const families = addresses?.map((text) => parseAddr(text)?.family) ?? [];
      const isOne = new Set(families).size === families.length && !families.includes(undefined);
      return addresses === undefined || addresses.length === 0 || !isOne
        ? lost(key, 'is no list of one address a family')
        : { 'netloom.dev/addresses': addresses.join('+') };
    }
    case 'hwAddr':
      return { 'netloom.dev/mac-address': value };
    default:
      return lost(key, reasons[name] ?? 'has no equal');
  }
}

const reasons: Readonly<Record<string, string>> = {
  ipAddrsNoIpam: 'has no equal: every address of a pod is of a Subnet',
  floatingIPs: 'has no equal',
  allowedSourcePrefixes: 'a pod can never send from an address that is not its own',
};

/** The Subnet that is made of just the pools that are named. */
function chosenSubnet(
  { annotations }: AnnotationSite,
  subnets: readonly PoolSubnet[],
  lost: (key: string, reason: string) => undefined,
): string | undefined {
  const keys = (['ipv4', 'ipv6'] as const).filter(
    (family) => annotations[`${own}${family}pools`] !== undefined,
  );
  if (keys.length === 0) return undefined;
  const named = keys.map((family) => ({ family, key: `${own}${family}pools` }));
  const isMadeOf = (subnet: PoolSubnet): boolean =>
    named.every(({ family, key }) => {
      const pools = texts(annotations[key] ?? '') ?? [];
      return pools.length > 0 && pools.toSorted().join() === subnet.pools[family].toSorted().join();
    });
  const found = subnets.find(isMadeOf);
  if (found !== undefined) return found.name;
  for (const { key } of named) {
    const pools = texts(annotations[key] ?? '');
    const part = subnets.find(({ pools: of }) =>
      pools?.every((pool) => [...of.ipv4, ...of.ipv6].includes(pool)),
    );
    lost(
      key,
      pools === undefined || pools.length === 0
        ? 'is no list of pools'
        : part === undefined
          ? 'names pools that no one Subnet of this import is made of'
          : `names a part of Subnet ${part.name}; a pod can't choose among the prefixes of a Subnet`,
    );
  }
  return undefined;
}

/** A JSON list of texts. */
function texts(value: string): readonly string[] | undefined {
  try {
    const parsed: unknown = JSON.parse(value);
    return Array.isArray(parsed) && parsed.every((each) => typeof each === 'string') ? parsed : undefined;
  } catch {
    return undefined;
  }
}
