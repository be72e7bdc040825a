/** What others change under the engine, out of the kernel's notifications. */
import { linux } from '#system/libc.ts';
import type { Message } from '#system/netlink-codec.ts';
import { links, routes } from '#system/registry.ts';
import { group, type Monitor, openMonitor } from '#system/rtnetlink.ts';
import { isOwn, routeObject } from './convert.ts';
import { readLink, rtm } from './link-messages.ts';
import { readAddress, readForwarding, readNeighbour, readRoute } from './messages.ts';
import type { NetlinkObject } from './objects.ts';
import { readOwnRule } from './underlay-messages.ts';

export type DriftListener = {
  /** A device that isn't ours, or its addresses, may differ: look at the facts again. */
  readonly onFacts: (device: string) => void;
  /** One of our devices may differ: look at it again. */
  readonly onDevice: (name: string) => void;
  /** An object on our devices or with our route protocol changed or, with `gone`, is there no longer. */
  readonly onObject: (object: NetlinkObject, gone: boolean) => void;
  /** Notifications were lost: read everything again. */
  readonly onLost: () => void;
};

/**
 * The changes of the socket with `port` are left out as far as the kernel says whose they are (it does not for forwarding
 * entries, nor before 6.2 for devices), so a listener must compare. `names` are the devices by index when the watch begins.
 */
export function watchKernel(options: {
  readonly namespace: string | undefined;
  readonly port: number;
  readonly names: Map<number, string>;
  readonly listener: DriftListener;
}): Monitor {
  const { listener, names, port } = options;
  const inspect = (message: Message): void => {
    switch (message.type) {
      case rtm.NEWLINK:
      case rtm.DELLINK: {
        // The bridge and wireless layers announce ports under the same message type.
        if (message.payload[0] !== 0) return;
        const link = readLink(message);
        if (message.type === rtm.NEWLINK) names.set(link.ifindex, link.name);
        else names.delete(link.ifindex);
        // Another engine's, without addresses or routes.
        if (link.name.startsWith(links.ifbPrefix.value)) return;
        if (isOwn(link.name)) listener.onDevice(link.name);
        else listener.onFacts(link.name);
        return;
      }
      case rtm.NEWADDR:
      case rtm.DELADDR: {
        const state = readAddress(message);
        if (state === undefined) return;
        const device = names.get(state.ifindex) ?? '';
        if (!isOwn(device)) listener.onFacts(device);
        else
          listener.onObject(
            { kind: 'address', device, address: state.address },
            message.type === rtm.DELADDR,
          );
        return;
      }
      case rtm.NEWROUTE:
      case rtm.DELROUTE: {
        const route = readRoute(message);
        const ours = route.protocol === routes.protocol.value;
        if (!ours && (message.type === rtm.DELROUTE || route.table !== routes.table.value)) return;
        // A foreign route under the identity of one of ours has taken its place.
        listener.onObject(routeObject(route, names), message.type === rtm.DELROUTE || !ours);
        return;
      }
      case rtm.NEWRULE:
      case rtm.DELRULE: {
        const rule = readOwnRule(message);
        if (rule !== undefined) listener.onObject({ kind: 'rule', ...rule }, message.type === rtm.DELRULE);
        return;
      }
      case rtm.NEWNEIGH:
      case rtm.DELNEIGH: {
        const object = neighbourObject(message, names);
        if (object !== undefined) listener.onObject(object, message.type === rtm.DELNEIGH);
      }
    }
  };
  return openMonitor({
    namespace: options.namespace,
    // What others do to queueing disciplines is another engine's to hear.
    groups: Object.values(group).filter((each) => each !== group.TRAFFIC_CONTROL),
    ignorePort: port,
    onMessages: (messages) => {
      for (const message of messages) inspect(message);
    },
    onLost: listener.onLost,
  });
}

function neighbourObject(message: Message, names: ReadonlyMap<number, string>): NetlinkObject | undefined {
  const bridge = message.payload[0] === linux.AF_BRIDGE;
  const device = names.get(message.payload.readInt32LE(4));
  if (device === undefined || !isOwn(device)) return undefined;
  const forwarding = bridge ? readForwarding(message) : undefined;
  if (forwarding !== undefined) {
    return { kind: 'forwarding', device, mac: forwarding.mac, destination: forwarding.destination };
  }
  const neighbour = bridge ? undefined : readNeighbour(message);
  if (neighbour === undefined) return undefined;
  return {
    kind: 'neighbour',
    device,
    address: neighbour.address,
    mac: neighbour.permanent ? neighbour.mac : '',
  };
}
