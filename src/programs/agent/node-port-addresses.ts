/** At which addresses of the node its node ports answer. */
import type { NetworkInterfaceInfo } from 'node:os';
import { compareAddr, formatAddr, parseAddr } from '#net/addr.ts';
import { type Prefix, parseInterfacePrefix, prefixHas } from '#net/prefix.ts';
import { links } from '#system/registry.ts';

/** `primary`: the Node's InternalIPs. Else the machine's addresses in these prefixes. */
export type NodePortSelection = 'primary' | readonly Prefix[];

/** Reads the values of `--nodeport-addresses` (kube-proxy's flag); throws with the value that is wrong. */
export function readSelection(values: readonly string[]): NodePortSelection {
  const texts = values
    .flatMap((value) => value.split(','))
    .map((text) => text.trim())
    .filter((text) => text !== '');
  if (texts.length === 0 || (texts.length === 1 && texts[0] === 'primary')) return 'primary';
  return texts.map((text) => {
    const prefix = parseInterfacePrefix(text)?.prefix;
    if (prefix === undefined)
      throw new Error(`--nodeport-addresses: "${text}" is no prefix; give prefixes, or "primary" alone`);
    return prefix;
  });
}

/**
 * Canonical, sorted. Loopback and link-local addresses never are among them: a port on 127.0.0.1 would need `route_localnet`, which
 * lets neighbours reach the node's own loopback services. Addresses of our own links are the pod network's.
 */
export function nodePortAddresses(
  selection: NodePortSelection,
  primary: readonly string[],
  interfaces: Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>>,
): readonly string[] {
  if (selection === 'primary') return primary;
  const own = (name: string) => name === links.tunnel.value || name.startsWith(links.podPrefix.value);
  const found = Object.entries(interfaces)
    .filter(([name]) => !own(name))
    .flatMap(([, infos]) => infos ?? [])
    .filter((info) => !info.internal)
    .flatMap((info) => parseAddr(info.address.replace(/%.*/, '')) ?? [])
    .filter((addr) => !/^(?:127\.|169\.254\.|fe[89ab]|::1$)/.test(formatAddr(addr)))
    .filter((addr) => selection.some((prefix) => prefixHas(prefix, addr)));
  return [...new Set(found.sort(compareAddr).map(formatAddr))];
}
