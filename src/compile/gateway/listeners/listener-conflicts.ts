/** Listeners that can't be told apart. */
import type { ListenerProtocol } from './listener-protocols.ts';

/** What decides whether a listener is distinct. `level`: 0 the Gateway's own, then one for each ListenerSet, in their order. */
export type Distinct = {
  readonly level: number;
  readonly port: number;
  readonly protocol: string;
  readonly family: ListenerProtocol['family'];
  readonly hostname: string;
};

export type Conflict = 'HostnameConflict' | 'ProtocolConflict';

/**
 * By position among `listeners`, which are in order of their levels. Of one object's listeners none wins: all that are not distinct are
 * refused. A listener of an earlier object wins against those of later ones, and keeps its place even if it is refused itself.
 */
export function findConflicts(listeners: readonly Distinct[]): ReadonlyMap<number, Conflict> {
  const found = new Map<number, Conflict>();
  const families = new Map<string, Set<Distinct['family']>>();
  const protocols = new Map<string, string>();
  for (let start = 0; start < listeners.length; ) {
    let end = start;
    while (end < listeners.length && listeners[end]?.level === listeners[start]?.level) end += 1;
    const own = listeners.slice(start, end).map((listener, index) => ({ listener, index: start + index }));
    for (const { listener, index } of own) {
      const others = [...(families.get(portKey(listener)) ?? [])];
      const protocol = protocols.get(nameKey(listener));
      if (others.some((family) => family !== listener.family)) found.set(index, 'ProtocolConflict');
      else if (protocol !== undefined) {
        found.set(index, protocol === listener.protocol ? 'HostnameConflict' : 'ProtocolConflict');
      }
    }
    const left = own.filter(({ index }) => !found.has(index));
    for (const those of grouped(left, portKey)) {
      if (new Set(those.map(({ listener }) => listener.family)).size > 1)
        for (const { index } of those) found.set(index, 'ProtocolConflict');
    }
    for (const those of grouped(left, nameKey)) {
      if (those.length < 2) continue;
      const one = new Set(those.map(({ listener }) => listener.protocol)).size === 1;
      for (const { index } of those)
        if (!found.has(index)) found.set(index, one ? 'HostnameConflict' : 'ProtocolConflict');
    }
    for (const { listener } of left) {
      const taken = families.get(portKey(listener)) ?? new Set();
      families.set(portKey(listener), taken.add(listener.family));
      protocols.set(nameKey(listener), listener.protocol);
    }
    start = end;
  }
  return found;
}

/** UDP has ports of its own. */
function portKey({ family, port }: Distinct): string {
  return `${family === 'udp' ? 'udp' : 'tcp'}/${port}`;
}

function nameKey(listener: Distinct): string {
  return `${portKey(listener)} ${listener.hostname}`;
}

type Placed = { readonly listener: Distinct; readonly index: number };

function grouped(those: readonly Placed[], key: (listener: Distinct) => string): Iterable<readonly Placed[]> {
  const groups = new Map<string, Placed[]>();
  for (const each of those) {
    const group = groups.get(key(each.listener));
    if (group === undefined) groups.set(key(each.listener), [each]);
    else group.push(each);
  }
  return groups.values();
}
