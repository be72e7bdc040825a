/** What stands on the wire for underlay Subnets: their networks, the answers for pods, and the pods' own way out; pure. */
import { createHash } from 'node:crypto';
import type { SubnetIntent } from '#intent/node.ts';
import { type Addr, parseAddr } from '#net/addr.ts';
import {
  hostPrefix,
  type Prefix,
  parseInterfacePrefix,
  parsePrefix,
  prefixContains,
  prefixHas,
} from '#net/prefix.ts';
import { routes } from '#system/registry.ts';
import { type Context, familyOf, hostPart, type Problem } from './context.ts';
import type { NetlinkObject } from './objects.ts';

type Objects = { readonly objects: readonly NetlinkObject[]; readonly problems: readonly Problem[] };

/**
 * A prefix that is no network of the node is on the wire all the same: a route says so, and the other nodes' pods are found there
 * like any other host. One that is a network of the node needs nothing: the kernel's own route covers it.
 */
export function lowerWire(entry: string, subnet: SubnetIntent, context: Context): Objects {
  const objects: NetlinkObject[] = [];
  const problems: Problem[] = [];
  const gateways = (subnet.gateways ?? []).flatMap((text) => parseAddr(text) ?? []);
  for (const destination of subnet.cidrs) {
    const prefix = parsePrefix(destination);
    if (prefix === undefined) continue;
    const wire = wireOf(prefix, context);
    if (wire === undefined) {
      problems.push({ entry, reason: noWire(destination) });
      continue;
    }
    const { device, isConnected } = wire;
    const source = familyOf(destination) === 6 ? context.address6 : context.address4;
    objects.push(...wireSysctls(device, prefix.family));
    if (!isConnected)
      objects.push({
        kind: 'route',
        destination,
        device,
        ...(source === undefined ? {} : { source }),
      });
    const gateway = gateways.find((addr) => prefixHas(prefix, addr));
    if (gateway !== undefined) objects.push(...wayOut(destination, device, gateway, subnet));
  }
  return { objects, problems };
}

/** The node answers ARP and neighbour solicitations for a pod of its own. */
export function lowerAnswers(entry: string, addresses: readonly string[], context: Context): Objects {
  const objects: NetlinkObject[] = [];
  const problems: Problem[] = [];
  for (const address of addresses) {
    const addr = parseAddr(address);
    const wire = addr === undefined ? undefined : wireOf(hostPrefix(addr), context);
    if (wire === undefined) problems.push({ entry, reason: noWire(address) });
    else objects.push({ kind: 'proxy', device: wire.device, address });
  }
  return { objects, problems };
}

/** The device that an underlay address is on: the one whose network has it, else the one of the node's own address. */
export function wireOf(
  prefix: Prefix,
  context: Context,
): { readonly device: string; readonly isConnected: boolean; readonly own: string | undefined } | undefined {
  let best: { readonly device: string; readonly length: number; readonly own: string } | undefined;
  for (const device of context.devices) {
    for (const text of device.addresses) {
      const own = parseInterfacePrefix(text)?.prefix;
      if (own === undefined || !prefixContains(own, prefix)) continue;
      if (own.length > (best?.length ?? -1))
        best = { device: device.name, length: own.length, own: hostPart(text) };
    }
  }
  if (best !== undefined) return { device: best.device, isConnected: true, own: best.own };
  const [device, own] =
    prefix.family === 4 ? [context.device4, context.address4] : [context.device6, context.address6];
  return device === undefined ? undefined : { device, isConnected: false, own };
}

function noWire(text: string): string {
  const family = familyOf(text);
  const question = family === 4 ? 'ARP' : 'neighbour solicitations';
  return `the node has no IPv${family} underlay address on a device, which answering ${question} for ${text} needs`;
}

/** The kernel waits up to 0.8 s before it answers for others, so that a host of that address may be first: here there is none. */
function wireSysctls(device: string, family: 4 | 6): NetlinkObject[] {
  const delay = { kind: 'sysctl', key: `net/ipv${family}/neigh/${device}/proxy_delay`, value: '0' } as const;
  if (family === 4) return [delay];
  return [delay, { kind: 'sysctl', key: `net/ipv6/conf/${device}/proxy_ndp`, value: '1' }];
}

/** What the main table knows by more than its default route goes there as ever; the rest goes to the gateway. */
function wayOut(source: string, device: string, gateway: Addr, subnet: SubnetIntent): NetlinkObject[] {
  const via = subnet.gateways!.find((text) => parseAddr(text)?.value === gateway.value)!;
  const table = gatewayTable(via);
  const rest = gateway.family === 4 ? '0.0.0.0/0' : '::/0';
  return [
    { kind: 'route', destination: rest, device, via, onlink: true, table },
    {
      kind: 'rule',
      priority: routes.knownRulePriority.value,
      source,
      table: routes.table.value,
      suppressDefault: true,
    },
    { kind: 'rule', priority: routes.gatewayRulePriority.value, source, table },
  ];
}

/** One table a gateway; of the gateway's text, so that every start comes to the same. */
function gatewayTable(gateway: string): number {
  const digest = createHash('sha256').update(gateway).digest();
  return routes.gatewayTables.value + digest.readUIntBE(0, 3);
}
