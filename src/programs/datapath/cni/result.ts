/** The result of ADD, in the shape that each version of the specification wants. */
import { gateway } from '#system/registry.ts';
import type { AddRequest } from './request.ts';

export type Wired = {
  readonly device: string;
  readonly hostMac: string;
  readonly podMac: string;
  readonly mtu: number;
  readonly addresses: readonly string[];
};

/** Interfaces: the node's end first, then the container's, which every address belongs to. */
export function formatResult(request: AddRequest, wired: Wired): string {
  const { cniVersion, dns } = request;
  const mtu = cniVersion === '1.1.0' ? { mtu: wired.mtu } : {};
  const is6 = (address: string) => address.includes(':');
  const next = (address: string) => (is6(address) ? gateway.ipv6.value : gateway.ipv4.value);
  const result = {
    cniVersion,
    interfaces: [
      { name: wired.device, mac: wired.hostMac, ...mtu },
      { name: request.interface, mac: wired.podMac, ...mtu, sandbox: request.netns },
    ],
    ips: wired.addresses.map((address) => ({
      ...(cniVersion === '0.4.0' ? { version: is6(address) ? '6' : '4' } : {}),
      address: `${address}/${is6(address) ? 128 : 32}`,
      gateway: next(address),
      interface: 1,
    })),
    routes: wired.addresses.map((address) => ({
      dst: is6(address) ? '::/0' : '0.0.0.0/0',
      gw: next(address),
    })),
    ...(dns === undefined ? {} : { dns }),
  };
  return `${JSON.stringify(result)}\n`;
}
