/** The tables that kube-proxy writes in its nftables mode for the same Services, to compare with; pure. */
import type { ServiceIntent } from '#intent/node.ts';

/** What stands however many Services there are: hooks, sets, and the chains that mark and masquerade. */
const base = [
  'add table ip kube-proxy',
  'add set ip kube-proxy cluster-ips { type ipv4_addr; }',
  'add set ip kube-proxy nodeport-ips { type ipv4_addr; }',
  'add map ip kube-proxy service-ips { type ipv4_addr . inet_proto . inet_service : verdict; }',
  'add map ip kube-proxy service-nodeports { type inet_proto . inet_service : verdict; }',
  'add map ip kube-proxy no-endpoint-services { type ipv4_addr . inet_proto . inet_service : verdict; }',
  'add map ip kube-proxy firewall-ips { type ipv4_addr . inet_proto . inet_service : verdict; }',
  ...['mark-for-masquerade', 'masquerading', 'services', 'firewall-check', 'service-endpoints-check'].map(
    (name) => `add chain ip kube-proxy ${name}`,
  ),
  'add chain ip kube-proxy filter-prerouting { type filter hook prerouting priority -110; }',
  'add chain ip kube-proxy filter-input { type filter hook input priority -110; }',
  'add chain ip kube-proxy filter-forward { type filter hook forward priority -110; }',
  'add chain ip kube-proxy nat-prerouting { type nat hook prerouting priority dstnat; }',
  'add chain ip kube-proxy nat-output { type nat hook output priority -100; }',
  'add chain ip kube-proxy nat-postrouting { type nat hook postrouting priority srcnat; }',
  'add rule ip kube-proxy mark-for-masquerade mark set mark or 0x4000',
  'add rule ip kube-proxy masquerading mark and 0x4000 == 0 return',
  'add rule ip kube-proxy masquerading mark set mark xor 0x4000',
  'add rule ip kube-proxy masquerading masquerade fully-random',
  'add rule ip kube-proxy services ip daddr . meta l4proto . th dport vmap @service-ips',
  'add rule ip kube-proxy services ip daddr @nodeport-ips meta l4proto . th dport vmap @service-nodeports',
  'add rule ip kube-proxy firewall-check ip daddr . meta l4proto . th dport vmap @firewall-ips',
  'add rule ip kube-proxy service-endpoints-check ip daddr . meta l4proto . th dport vmap @no-endpoint-services',
  'add rule ip kube-proxy filter-prerouting ct state new jump firewall-check',
  'add rule ip kube-proxy filter-input ct state new jump service-endpoints-check',
  'add rule ip kube-proxy filter-forward ct state new jump service-endpoints-check',
  'add rule ip kube-proxy nat-prerouting jump services',
  'add rule ip kube-proxy nat-output jump services',
  'add rule ip kube-proxy nat-postrouting jump masquerading',
];

/** A file for `nft -f`. `whole`: with what stands for all of them; false: these Services come to a table that is there. */
export function kubeProxyLayout(services: readonly ServiceIntent[], first: number, whole: boolean): string {
  const lines = whole ? [...base] : [];
  for (const [index, { frontends, backends }] of services.entries()) {
    const { address, port } = frontends[0]!;
    const id = `${first + index}-default/service-${first + index}/tcp/http`;
    const service = `service-${id}`;
    const endpoints = backends.map((backend, slot) => ({
      ...backend,
      slot,
      chain: `endpoint-${id}__${backend.address}/${backend.port}`,
    }));
    lines.push(`add element ip kube-proxy cluster-ips { ${address} }`, `add chain ip kube-proxy ${service}`);
    for (const { chain } of endpoints) lines.push(`add chain ip kube-proxy ${chain}`);
    lines.push(
      `add element ip kube-proxy service-ips { ${address} . tcp . ${port} : goto ${service} }`,
      `add rule ip kube-proxy ${service} ip daddr ${address} tcp dport ${port} ip saddr != 10.244.0.0/16 jump mark-for-masquerade`,
      `add rule ip kube-proxy ${service} numgen random mod ${endpoints.length} vmap { ${endpoints
        .map(({ slot, chain }) => `${slot} : goto ${chain}`)
        .join(', ')} }`,
    );
    for (const { chain, address: target, port: targetPort } of endpoints) {
      lines.push(
        `add rule ip kube-proxy ${chain} ip saddr ${target} jump mark-for-masquerade`,
        `add rule ip kube-proxy ${chain} meta l4proto tcp dnat to ${target}:${targetPort}`,
      );
    }
  }
  return `${lines.join('\n')}\n`;
}
