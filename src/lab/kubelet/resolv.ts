/** A pod's /etc/resolv.conf, /etc/hosts and host name; pure. */
import type { Pod } from '../objects/pod.ts';

export type ResolverConfig = {
  readonly nameservers: readonly string[];
  readonly searches: readonly string[];
  /** As written: `ndots:5`. */
  readonly options: readonly string[];
};

export type ClusterDns = { readonly addresses: readonly string[]; readonly domain: string };

/** resolv.conf(5) takes three servers; more are ignored by the C library. */
const maxNameservers = 3;

/**
 * Text of a pod's resolv.conf: `dnsPolicy` chooses between the cluster's resolver and the node's, `dnsConfig` adds.
 * A hostNetwork pod with ClusterFirst gets the node's, as with a real kubelet.
 */
export function podResolvConf(pod: Pod, dns: ClusterDns, nodeResolvConf: string): string {
  const { dnsPolicy = 'ClusterFirst', hostNetwork, dnsConfig = {} } = pod.spec;
  const cluster =
    dnsPolicy === 'ClusterFirstWithHostNet' || (dnsPolicy === 'ClusterFirst' && hostNetwork !== true);
  const base =
    dnsPolicy === 'None'
      ? { nameservers: [], searches: [], options: [] }
      : cluster && dns.addresses.length > 0
        ? clusterResolver(pod, dns, nodeResolvConf)
        : parseResolvConf(nodeResolvConf);
  const options = new Map(base.options.map((text) => [text.split(':')[0] as string, text]));
  for (const { name, value } of dnsConfig.options ?? []) {
    options.set(name, value === undefined ? name : `${name}:${value}`);
  }
  return formatResolvConf({
    nameservers: unique([...base.nameservers, ...(dnsConfig.nameservers ?? [])]).slice(0, maxNameservers),
    searches: unique([...base.searches, ...(dnsConfig.searches ?? [])]),
    options: [...options.values()],
  });
}

function clusterResolver(
  pod: Pod,
  { addresses, domain }: ClusterDns,
  nodeResolvConf: string,
): ResolverConfig {
  const own = [`${pod.metadata.namespace}.svc.${domain}`, `svc.${domain}`, domain];
  return {
    nameservers: addresses,
    searches: [...own, ...parseResolvConf(nodeResolvConf).searches],
    options: ['ndots:5'],
  };
}

export function parseResolvConf(text: string): ResolverConfig {
  const nameservers: string[] = [];
  let searches: readonly string[] = [];
  let options: readonly string[] = [];
  for (const line of text.split('\n')) {
    const [keyword, ...words] = line
      .replace(/[#;].*/, '')
      .trim()
      .split(/\s+/);
    if (keyword === 'nameserver' && words[0] !== undefined) nameservers.push(words[0]);
    if (keyword === 'search') searches = words;
    if (keyword === 'options') options = words;
  }
  return { nameservers, searches, options };
}

export function formatResolvConf({ nameservers, searches, options }: ResolverConfig): string {
  const lines = [
    ...(searches.length > 0 ? [`search ${searches.join(' ')}`] : []),
    ...nameservers.map((address) => `nameserver ${address}`),
    ...(options.length > 0 ? [`options ${options.join(' ')}`] : []),
  ];
  return lines.map((line) => `${line}\n`).join('');
}

/** Host name inside the pod: `spec.hostname`, else the pod's name, cut to what Linux takes. */
export function podHostname(pod: Pod, domain: string): string {
  const short = (pod.spec.hostname ?? pod.metadata.name).slice(0, 63).replace(/[-.]+$/, '');
  if (pod.spec.setHostnameAsFQDN !== true || pod.spec.subdomain === undefined) return short;
  return `${short}.${pod.spec.subdomain}.${pod.metadata.namespace}.svc.${domain}`.slice(0, 64);
}

/** Text of a pod's /etc/hosts; hostNetwork pods see the node's with their `hostAliases` after it. */
export function podHosts(pod: Pod, podIPs: readonly string[], domain: string, nodeHosts: string): string {
  const aliases = (pod.spec.hostAliases ?? []).map(
    ({ ip, hostnames }) => `${ip}\t${(hostnames ?? []).join('\t')}`,
  );
  if (pod.spec.hostNetwork === true) return text([nodeHosts.trimEnd(), ...aliases]);
  const short = (pod.spec.hostname ?? pod.metadata.name).slice(0, 63);
  const { subdomain } = pod.spec;
  const names =
    subdomain === undefined
      ? short
      : `${short}.${subdomain}.${pod.metadata.namespace}.svc.${domain}\t${short}`;
  return text([
    '127.0.0.1\tlocalhost',
    '::1\tlocalhost ip6-localhost ip6-loopback',
    'fe00::0\tip6-localnet',
    'ff02::1\tip6-allnodes',
    'ff02::2\tip6-allrouters',
    ...podIPs.map((address) => `${address}\t${names}`),
    ...aliases,
  ]);
}

function text(lines: readonly string[]): string {
  return `${lines.join('\n')}\n`;
}

function unique(values: readonly string[]): string[] {
  return [...new Set(values)];
}
