/** What a pod may find its own node by besides the addresses of its Node: those of the machine's other devices. */
import type { NetworkInterfaceInfo } from 'node:os';
import { compareAddr, formatAddr, parseAddr } from '#net/addr.ts';
import { links } from '#system/registry.ts';

/**
 * Canonical, sorted. Addresses of loopback and IPv6's of a link are no pod's to reach. Those of our own links are the pod network's, and
 * those on kube-proxy's device in IPVS mode lead to the endpoints of Services.
 */
export function localAddresses(
  interfaces: Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>>,
): readonly string[] {
  const isPassed = (name: string) =>
    name === links.tunnel.value || name.startsWith(links.podPrefix.value) || name.startsWith('kube-ipvs');
  const found = Object.entries(interfaces)
    .filter(([name]) => !isPassed(name))
    .flatMap(([, infos]) => infos ?? [])
    .flatMap((info) => parseAddr(info.address.replace(/%.*/, '')) ?? [])
    .filter((addr) => !/^(?:127\.|fe[89ab]|::1$)/.test(formatAddr(addr)));
  return [...new Set(found.sort(compareAddr).map(formatAddr))];
}
