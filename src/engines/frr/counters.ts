/** What FRR has counted of its sessions (`show bgp neighbors json`, `show bfd peers counters json`), by the names that MetalLB's metrics have. */

export type Counters = Readonly<Record<string, number>>;

/** By FRR's own words. */
const messages = {
  updatesSent: 'updates_total',
  updatesRecv: 'updates_total_received',
  opensSent: 'opens_sent',
  opensRecv: 'opens_received',
  notificationsSent: 'notifications_sent',
  keepalivesSent: 'keepalives_sent',
  keepalivesRecv: 'keepalives_received',
  routeRefreshSent: 'route_refresh_sent',
  totalSent: 'total_sent',
  totalRecv: 'total_received',
} as const;

const packets = {
  'control-packet-input': 'control_packet_input',
  'control-packet-output': 'control_packet_output',
  'echo-packet-input': 'echo_packet_input',
  'echo-packet-output': 'echo_packet_output',
  'session-up': 'session_up_events',
  'session-down': 'session_down_events',
  'zebra-notifications': 'zebra_notifications',
} as const;

export const counterNames = { bgp: Object.values(messages), bfd: Object.values(packets) } as const;

/** By address or interface. What can't be read is nothing. */
export function readMessages(text: string): ReadonlyMap<string, Counters> {
  const all = parsed(text);
  if (typeof all !== 'object' || all === null) return new Map();
  return new Map(
    Object.entries(all as Readonly<Record<string, { readonly messageStats?: unknown }>>).flatMap(
      ([name, peer]) => {
        const stats = peer?.messageStats;
        return stats === undefined ? [] : [[name, picked(stats, messages)] as const];
      },
    ),
  );
}

/** By address. */
export function readPackets(text: string): ReadonlyMap<string, Counters> {
  const all = parsed(text);
  if (!Array.isArray(all)) return new Map();
  return new Map(
    all.flatMap((each: { readonly peer?: unknown }) =>
      typeof each?.peer === 'string' ? [[each.peer, picked(each, packets)] as const] : [],
    ),
  );
}

function picked(from: unknown, names: Readonly<Record<string, string>>): Counters {
  const values = from as Readonly<Record<string, unknown>>;
  return Object.fromEntries(
    Object.entries(names).flatMap(([theirs, ours]) => {
      const value = values[theirs];
      return typeof value === 'number' ? [[ours, value]] : [];
    }),
  );
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
