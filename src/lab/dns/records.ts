/** The cluster's DNS records (Kubernetes DNS-Based Service Discovery 1.1.0) from Services, EndpointSlices and Pods; pure. */
import { isIPv4, isIPv6 } from 'node:net';
import { addrBytes, parseAddr } from '#net/addr.ts';
import type { Pod } from '../objects/pod.ts';
import type { Endpoint, EndpointSlice, Service } from '../objects/service.ts';

/** Records of one zone as master file lines (RFC 1035 §5), sorted, each once. Owner names end with a dot. */
export type Zone = { readonly name: string; readonly records: readonly string[] };

export type ClusterRecords = {
  readonly zones: readonly Zone[];
  /** ExternalName Services: a name and where it leads. They leave the zone, so they are no zone data. */
  readonly aliases: Readonly<Record<string, string>>;
};

/** Of a pod only what its name is made of. */
export type NamedPod = { readonly namespace: string; readonly addresses: readonly string[] };

export type RecordSources = {
  readonly services: readonly Service[];
  readonly slices: readonly EndpointSlice[];
  readonly pods: readonly NamedPod[];
  /** `cluster.local` */
  readonly domain: string;
};

/** Seconds that a resolver may keep a record: a moved Service is found at its new place soon. */
const ttl = 5;

/** Zones of reverse names: the private ranges that a cluster's addresses come from. */
export const reverseZones = ['10.in-addr.arpa', 'd.f.ip6.arpa'] as const;

export function clusterRecords(sources: RecordSources): ClusterRecords {
  const { services, slices, pods, domain } = sources;
  const forward = new Set<string>([
    `dns-version.${domain}. ${ttl} IN TXT "1.1.0"`,
    `ns.dns.${domain}. ${ttl} IN A 127.0.0.1`,
  ]);
  const reverse = new Set<string>();
  const aliases: Record<string, string> = {};
  const byService = new Map<string, EndpointSlice[]>();
  for (const slice of slices) {
    const key = `${slice.metadata.namespace}/${slice.metadata.labels?.['kubernetes.io/service-name'] ?? ''}`;
    byService.set(key, [...(byService.get(key) ?? []), slice]);
  }
  for (const service of services) {
    const { namespace = '', name } = service.metadata;
    if (!isLabel(namespace) || !isLabel(name)) continue;
    const owner = `${name}.${namespace}.svc.${domain}.`;
    if (service.spec.type === 'ExternalName') {
      const target = externalTarget(service.spec.externalName);
      if (target !== undefined && target !== owner) aliases[owner] = target;
    } else if (service.spec.clusterIP === 'None') {
      addHeadless(forward, reverse, owner, byService.get(`${namespace}/${name}`) ?? []);
    } else {
      addClusterIP(forward, reverse, owner, service);
    }
  }
  for (const { namespace, addresses } of pods) {
    if (!isLabel(namespace)) continue;
    for (const address of addresses) {
      const line = addressRecord(`${dashed(address)}.${namespace}.pod.${domain}.`, address);
      if (line !== undefined) forward.add(line);
    }
  }
  const zone = (name: string, records: Iterable<string>): Zone => ({
    name,
    records: [...startOfZone(name, domain), ...[...records].toSorted(byText)],
  });
  const inZone = (name: string): string[] =>
    [...reverse].filter((line) => (line.split(' ')[0] as string).endsWith(`.${name}.`));
  return { zones: [zone(domain, forward), ...reverseZones.map((name) => zone(name, inZone(name)))], aliases };
}

/** The serial never changes: nobody transfers these zones. Absence is kept for a second only. */
function startOfZone(name: string, domain: string): readonly string[] {
  return [
    `${name}. ${ttl} IN SOA ns.dns.${domain}. hostmaster.${domain}. 1 7200 1800 86400 1`,
    `${name}. ${ttl} IN NS ns.dns.${domain}.`,
  ];
}

function addClusterIP(forward: Set<string>, reverse: Set<string>, owner: string, { spec }: Service): void {
  const addresses = spec.clusterIPs ?? (spec.clusterIP === undefined ? [] : [spec.clusterIP]);
  for (const address of addresses) {
    const line = addressRecord(owner, address);
    if (line === undefined) continue;
    forward.add(line);
    reverse.add(`${reverseName(address)} ${ttl} IN PTR ${owner}`);
  }
  if (addresses.length === 0) return;
  for (const { name = '', protocol = 'TCP', port } of spec.ports ?? []) {
    if (isLabel(name)) forward.add(serviceRecord(name, protocol, owner, port, owner));
  }
}

/** Only what is ready has a name; `publishNotReadyAddresses` makes its endpoints ready. */
function addHeadless(
  forward: Set<string>,
  reverse: Set<string>,
  owner: string,
  slices: readonly EndpointSlice[],
): void {
  for (const { endpoints, ports } of slices) {
    for (const endpoint of endpoints ?? []) {
      if (endpoint.conditions?.ready === false) continue;
      for (const address of endpoint.addresses) {
        const line = addressRecord(owner, address);
        if (line === undefined) continue;
        const host = `${hostLabel(endpoint, address)}.${owner}`;
        forward.add(line);
        forward.add(addressRecord(host, address) as string);
        if (endpoint.hostname !== undefined) reverse.add(`${reverseName(address)} ${ttl} IN PTR ${host}`);
        for (const { name = '', protocol = 'TCP', port } of ports ?? []) {
          if (isLabel(name) && port !== undefined)
            forward.add(serviceRecord(name, protocol, owner, port, host));
        }
      }
    }
  }
}

function hostLabel({ hostname }: Endpoint, address: string): string {
  return hostname !== undefined && isLabel(hostname) ? hostname : dashed(address);
}

function addressRecord(owner: string, address: string): string | undefined {
  if (isIPv4(address)) return `${owner} ${ttl} IN A ${address}`;
  return isIPv6(address) ? `${owner} ${ttl} IN AAAA ${address}` : undefined;
}

function serviceRecord(name: string, protocol: string, owner: string, port: number, target: string): string {
  return `_${name}._${protocol.toLowerCase()}.${owner} ${ttl} IN SRV 0 100 ${port} ${target}`;
}

/** `10-244-1-2`, `fd10-244--5`: an address as a label; a leading or trailing `::` gets the zero that a label needs. */
export function dashed(address: string): string {
  return address.replace(/^::/, '0::').replace(/::$/, '::0').replaceAll(/[.:]/g, '-');
}

/** `2.1.244.10.in-addr.arpa.` */
export function reverseName(address: string): string {
  const addr = parseAddr(address);
  if (addr === undefined) return '';
  const bytes = [...addrBytes(addr)].toReversed();
  if (addr.family === 4) return `${bytes.join('.')}.in-addr.arpa.`;
  return `${bytes.map((byte) => `${(byte & 15).toString(16)}.${(byte >> 4).toString(16)}`).join('.')}.ip6.arpa.`;
}

/** Written by users: only a host name goes into the resolver's configuration. */
function externalTarget(name = ''): string | undefined {
  const plain = name.toLowerCase().replace(/\.$/, '');
  return plain.length <= 253 && plain.split('.').every(isLabel) ? `${plain}.` : undefined;
}

function isLabel(text: string): boolean {
  return /^[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?$/.test(text);
}

export function podNames(pod: Pod): NamedPod {
  const { podIPs, phase } = pod.status ?? {};
  const live = phase !== 'Succeeded' && phase !== 'Failed' && pod.spec.hostNetwork !== true;
  return {
    namespace: pod.metadata.namespace ?? '',
    addresses: live ? (podIPs ?? []).map(({ ip }) => ip) : [],
  };
}

function byText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
