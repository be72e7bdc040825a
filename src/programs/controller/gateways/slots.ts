/** Ports of an instance's Service and the listening sockets of its pods that they lead to; pure. */
import type { GatewayPortIntent, GatewayPortKind } from '#intent/gateway.ts';
import { gatewaySlots, numbers } from '#system/registry.ts';

export type ServicePort = {
  readonly name: string;
  readonly port: number;
  readonly protocol: 'TCP' | 'UDP';
  readonly targetPort: number;
};

export type Slot = Pick<GatewayPortIntent, 'kind' | 'slot' | 'proxyProtocol'>;

const kinds = Object.keys(gatewaySlots) as readonly GatewayPortKind[];

/** In the order of ports. */
export function servicePorts(ports: Readonly<Record<string, GatewayPortIntent>>): readonly ServicePort[] {
  return Object.values(ports)
    .map(({ port, ...slot }) => {
      const protocol = slot.kind === 'udp' ? ('UDP' as const) : ('TCP' as const);
      return { name: `${protocol.toLowerCase()}-${port}`, port, protocol, targetPort: socketOf(slot) };
    })
    .sort((a, b) => a.port - b.port || (a.protocol < b.protocol ? -1 : 1));
}

/** By key in GatewayIntent.ports; ports that lead anywhere else are not in it. */
export function slotsOf(ports: readonly unknown[]): ReadonlyMap<string, Slot> {
  const found = new Map<string, Slot>();
  for (const each of ports) {
    const { port, protocol = 'TCP', targetPort } = each as Partial<ServicePort>;
    const slot = typeof targetPort === 'number' ? slotAt(targetPort) : undefined;
    if (port === undefined || slot === undefined) continue;
    if ((slot.kind === 'udp') === (protocol === 'UDP')) found.set(`${protocol.toLowerCase()}/${port}`, slot);
  }
  return found;
}

/** Port number of a listening socket in the pod. */
export function socketOf({ kind, slot, proxyProtocol }: Slot): number {
  const { base } = gatewaySlots[kind].value;
  return base + slot + (proxyProtocol === true ? numbers.gatewayProxyOffset.value : 0);
}

function slotAt(socket: number): Slot | undefined {
  for (const kind of kinds) {
    const { base, count } = gatewaySlots[kind].value;
    const slot = socket - base;
    if (slot >= 0 && slot < count) return { kind, slot };
    const behindProxy = slot - numbers.gatewayProxyOffset.value;
    if (behindProxy >= 0 && behindProxy < count) return { kind, slot: behindProxy, proxyProtocol: true };
  }
  return undefined;
}
