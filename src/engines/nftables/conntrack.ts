/** Makes UDP flows forget backends that are gone: UDP has no end, so a stale entry would keep a client on a dead address. */

import { isIP } from 'node:net';
import type { ServiceIntent } from '#intent/node.ts';
import { placesKept, placesOfService } from '#intent/places.ts';
import { addrFromBytes, formatAddr } from '#net/addr.ts';
import { flowAddress } from '#system/conntrack.ts';
import { openUdpFlows, type UdpFlow, type UdpFlows } from '#system/udp-flows.ts';
import { frontendKey } from './lower-service.ts';

/** One UDP frontend and where its flows must not go any more; `backend` undefined: flows that were never translated. */
export type StaleFlow = {
  readonly address: string;
  readonly port: number;
  readonly backend: { readonly address: string; readonly port: number } | undefined;
  /** The backend ends and serves on: no answer that is under way is lost, and no stream is broken. */
  readonly only?: 'answered';
};

export interface Conntrack {
  /** Deletes these flows. Cost: a walk of the kernel's table for each frontend, or one for all of them. One call at a time. */
  forget(flows: readonly StaleFlow[]): Promise<void>;
  /** Deletes the UDP flows to a frontend whose backend is none of the service's; `serviceAt` takes a `frontendKey`. */
  prune(serviceAt: (frontend: string) => ServiceIntent | undefined): Promise<void>;
  close(): void;
}

export type StaleFlows = {
  /** To a backend that is gone of a frontend that stays: its client is on a dead address. */
  readonly now: readonly StaleFlow[];
  /** Of a frontend that came or went. */
  readonly later: readonly StaleFlow[];
};

/** Which flows a change of a service makes stale. None for all but UDP. */
export function staleFlows(before: ServiceIntent | undefined, after: ServiceIntent | undefined): StaleFlows {
  const now: StaleFlow[] = [];
  const later: StaleFlow[] = [];
  const has = (
    list: readonly { address: string; port: number }[] | undefined,
    one: { address: string; port: number },
  ) => list?.some((each) => each.address === one.address && each.port === one.port) ?? false;
  if (before?.protocol === 'udp') {
    for (const frontend of before.frontends) {
      const stays = after?.protocol === 'udp' && has(after.frontends, frontend);
      for (const backend of placesKept(before)) {
        if (!stays) later.push({ ...frontend, backend });
        else if (!has(placesKept(after), backend)) now.push({ ...frontend, backend });
        else if (has(after.leaving, backend) && !has(before.leaving, backend))
          now.push({ ...frontend, backend, only: 'answered' });
      }
    }
  }
  if (after?.protocol === 'udp' && placesOfService(after).length > 0) {
    for (const frontend of after.frontends) {
      const wasServed =
        before?.protocol === 'udp' && placesOfService(before).length > 0 && has(before.frontends, frontend);
      if (!wasServed) later.push({ ...frontend, backend: undefined });
    }
  }
  return { now, later };
}

/** Over the kernel's table of flows in a namespace, which is opened at the first need. */
export function createConntrack(namespace?: string): Conntrack {
  let opened: UdpFlows | undefined;
  let closed = false;
  const flows = (): UdpFlows => {
    if (closed) throw new Error('conntrack: closed');
    opened ??= openUdpFlows(namespace);
    return opened;
  };
  return {
    async forget(stale) {
      // What is no address never became a flow.
      const plain = stale.filter(isPlain);
      const keys = new Set(plain.filter(({ only }) => only === undefined).map(keyOf));
      const answered = new Set(plain.filter(({ only }) => only !== undefined).map(keyOf));
      const isStale = (flow: UdpFlow) => {
        const key = keyOfFlow(flow);
        return keys.has(key) || (flow.state === 'answered' && answered.has(key));
      };
      const frontends = new Map(
        plain.map(({ address, port }) => [`${flowAddress(address)} ${port}`, { address, port }]),
      );
      await flows().remove([...frontends.values()], isStale);
    },
    async prune(serviceAt) {
      const texts = new Map<string, string>();
      const textOf = (address: string): string => {
        const text = texts.get(address) ?? formatAddr(addrFromBytes(Buffer.from(address, 'latin1'))!);
        texts.set(address, text);
        return text;
      };
      await flows().remove(undefined, ({ destination, destinationPort, target, targetPort }) => {
        const service = serviceAt(frontendKey(textOf(destination), 'udp', destinationPort));
        const places = service === undefined ? [] : placesKept(service);
        if (places.length === 0) return false;
        const backend = textOf(target);
        return !places.some(({ address, port }) => address === backend && port === targetPort);
      });
    },
    close() {
      closed = true;
      opened?.close();
    },
  };
}

function isPlain({ address, port, backend }: StaleFlow): boolean {
  const plain = (text: string, number: number) => isIP(text) !== 0 && Number.isInteger(number);
  return plain(address, port) && (backend === undefined || plain(backend.address, backend.port));
}

/** A flow that was never translated is answered by whom it was sent to. */
function keyOf(flow: StaleFlow): string {
  const { address, port } = flow.backend ?? flow;
  return [flowAddress(flow.address), flow.port, flowAddress(address), port].join(' ');
}

function keyOfFlow({ destination, destinationPort, target, targetPort }: UdpFlow): string {
  return [destination, destinationPort, target, targetPort].join(' ');
}
