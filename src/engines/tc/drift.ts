/** What others change under the engine, out of the kernel's notifications. */
import { links } from '#system/registry.ts';
import { group, type Monitor, openMonitor } from '#system/rtnetlink.ts';
import { readLink, rtm } from '../netlink/link-messages.ts';
import { changedDevice } from './messages.ts';

/**
 * Tells `onDrift` of the device where something of ours may differ now: a look at everything is due. The changes of the socket with
 * `port` are left out, as far as the kernel says whose they are. `devices`: names of those on which we hold something, by index.
 */
export function watchKernel(options: {
  readonly namespace: string | undefined;
  readonly port: number;
  readonly devices: ReadonlyMap<number, string>;
  readonly onDrift: (device: string) => void;
}): Monitor {
  const { namespace, port, devices, onDrift } = options;
  return openMonitor({
    namespace,
    groups: [group.TRAFFIC_CONTROL, group.LINK],
    ignorePort: port,
    onMessages(messages) {
      for (const message of messages) {
        const device = devices.get(changedDevice(message) ?? 0);
        if (device !== undefined) onDrift(device);
        // The bridge and wireless layers announce ports under the same message type.
        if ((message.type !== rtm.NEWLINK && message.type !== rtm.DELLINK) || message.payload[0] !== 0)
          continue;
        const { name, up } = readLink(message);
        if (name.startsWith(links.ifbPrefix.value) && (message.type === rtm.DELLINK || !up)) onDrift(name);
      }
    },
    onLost: () => onDrift('any device'),
  });
}
