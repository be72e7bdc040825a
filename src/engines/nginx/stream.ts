/**
 * What nginx's stream part reads: for each slot and name a file that says where connections go, and a file for each backend and each
 * certificate that these speak of. stream-program.ts reads them once a connection.
 *
 *     tls/10203/shop.example.org     tls/10203/*.example.org     tls/10203/*     tcp/10300/*     udp/10400/*
 *     backends/NAMESPACE%2FNAME…     certificates/NAMESPACE%2FNAME
 *
 * A slot that no port names any more stays as it is until a port takes it, since the Service changes a moment later.
 */
import type {
  GatewayCertificateIntent,
  GatewayChange,
  GatewayListenerIntent,
  GatewayPortIntent,
  GatewayStreamIntent,
} from '#intent/gateway.ts';
import { gatewaySlots } from '#system/registry.ts';
import { openFileTree } from './stream-files.ts';
import { fileNameOf, lowerPort } from './stream-lower.ts';
import type { Slot } from './stream-slot.ts';

export type StreamProblem = { readonly entry: string; readonly reason: string };

export type StreamTable = {
  /** Holds the change; when it returns, every new connection is served by it. The first one must be whole (`replace`). */
  apply(change: GatewayChange): readonly StreamProblem[];
  /** Takes everything away. */
  clear(): void;
};

type Folders = 'backends' | 'certificates';

/** `directory`: `stream` below the gateway's. What an earlier process left there is taken over. */
export function createStreamTable(directory: string): StreamTable {
  const files = openFileTree(directory);
  const ports = new Map<string, GatewayPortIntent>();
  const listeners = new Map<string, GatewayListenerIntent>();
  const streams = new Map<string, GatewayStreamIntent>();
  const certificates = new Map<string, GatewayCertificateIntent>();
  /** Contents by file name, of everything the intent has, whether a slot speaks of it or not. */
  const known: Record<Folders, Map<string, string>> = { backends: new Map(), certificates: new Map() };
  /** By slot folder (`tls/10203`). */
  const slots = new Map<string, Map<string, Slot>>();
  for (const [path, content] of files.held) {
    const [kind, slot, name] = path.split('/');
    if (kind === undefined || slot === undefined || name === undefined) continue;
    const folder = `${kind}/${slot}`;
    const names = slots.get(folder) ?? new Map<string, Slot>();
    slots.set(folder, names.set(name, JSON.parse(content) as Slot));
  }
  const problemsByPort = new Map<string, readonly StreamProblem[]>();
  let incomplete = false;

  const take = (change: GatewayChange): Set<string> => {
    const touched = new Set<string>();
    if (change.replace) {
      problemsByPort.clear();
      for (const map of [ports, listeners, streams, certificates, known.backends, known.certificates])
        map.clear();
    }
    const touchListener = (key: string) => {
      const port = listeners.get(key)?.port;
      if (port !== undefined) touched.add(port);
    };
    const touchStream = (key: string) => touchListener(streams.get(key)?.listener ?? '');
    // Before and after: what moves from one port to another touches both.
    const each = <T>(
      map: Map<string, T>,
      put: Readonly<Record<string, T>> | undefined,
      remove: readonly string[] | undefined,
      touch: (key: string) => void,
    ) => {
      for (const key of remove ?? []) {
        touch(key);
        map.delete(key);
      }
      for (const [key, value] of Object.entries(put ?? {})) {
        touch(key);
        map.set(key, value);
        touch(key);
      }
    };
    each(streams, undefined, change.remove.streams, touchStream);
    each(listeners, change.put.listeners, change.remove.listeners, touchListener);
    each(streams, change.put.streams, undefined, touchStream);
    each(ports, change.put.ports, change.remove.ports, (key) => touched.add(key));
    const renewed = new Set([
      ...Object.keys(change.put.certificates ?? {}),
      ...(change.remove.certificates ?? []),
    ]);
    each(certificates, change.put.certificates, change.remove.certificates, () => {});
    for (const [key, listener] of listeners) {
      if (listener.kind === 'terminate' && listener.certificates?.some((name) => renewed.has(name)))
        touchListener(key);
    }

    for (const key of change.remove.backends ?? []) known.backends.delete(fileNameOf(key));
    for (const [key, backend] of Object.entries(change.put.backends ?? {}))
      known.backends.set(fileNameOf(key), backend.endpoints.join('\n'));
    for (const key of change.remove.certificates ?? []) known.certificates.delete(fileNameOf(key));
    for (const [key, pair] of Object.entries(change.put.certificates ?? {}))
      known.certificates.set(
        fileNameOf(key),
        `${pair.certificate.trimEnd()}\n${pair.privateKey.trimEnd()}\n`,
      );
    return touched;
  };

  const lower = (key: string): string | undefined => {
    const port = ports.get(key);
    const folder = port === undefined ? undefined : folderOf(port);
    if (port === undefined || folder === undefined) {
      problemsByPort.delete(key);
      return undefined;
    }
    const ours = new Map([...listeners].filter(([, listener]) => listener.port === key));
    const theirs = new Map([...streams].filter(([, stream]) => ours.has(stream.listener)));
    const lowered = lowerPort({ port, listeners: ours, streams: theirs, certificates });
    problemsByPort.set(key, lowered.problems);
    slots.set(folder, new Map(lowered.value));
    return folder;
  };

  let needed = neededBy(slots);
  return {
    apply: (change) => {
      const touched = take(change);
      const all = change.replace || incomplete;
      const changed = new Set<string>();
      for (const key of all ? ports.keys() : touched) {
        const folder = lower(key);
        if (folder !== undefined) changed.add(folder);
      }
      const failures: StreamProblem[] = [];
      const put = (path: string, content: string, entry: string) => {
        const reason = files.put(path, content);
        if (reason !== undefined) failures.push({ entry, reason });
      };
      if (changed.size > 0) needed = neededBy(slots);
      // What is pointed at comes before and goes after what points.
      for (const folder of ['backends', 'certificates'] as const) {
        const renewed = Object.keys(change.put[folder] ?? {}).map(fileNameOf);
        for (const file of all || changed.size > 0 ? needed[folder] : renewed) {
          const content = needed[folder].has(file) ? known[folder].get(file) : undefined;
          if (content !== undefined) put(`${folder}/${file}`, content, decodeURIComponent(file));
        }
      }
      for (const folder of changed) {
        for (const [name, slot] of slots.get(folder) ?? [])
          put(`${folder}/${name}`, JSON.stringify(slot), `${folder}/${name}`);
      }
      if (changed.size > 0) {
        for (const path of files.held.keys()) if (isStale(path, slots, needed)) files.remove(path);
      }
      incomplete = failures.length > 0;
      return [...[...problemsByPort.values()].flat(), ...failures];
    },
    clear: () => {
      slots.clear();
      problemsByPort.clear();
      needed = neededBy(slots);
      for (const path of files.held.keys()) files.remove(path);
    },
  };
}

function folderOf(port: GatewayPortIntent): string | undefined {
  if (port.kind !== 'tls' && port.kind !== 'tcp' && port.kind !== 'udp') return undefined;
  return `${port.kind}/${gatewaySlots[port.kind].value.base + port.slot}`;
}

function neededBy(
  slots: ReadonlyMap<string, ReadonlyMap<string, Slot>>,
): Record<Folders, ReadonlySet<string>> {
  const backends = new Set<string>();
  const certificates = new Set<string>();
  for (const slot of [...slots.values()].flatMap((names) => [...names.values()])) {
    for (const [file] of slot.backends) if (file !== '') backends.add(file);
    for (const [file] of slot.certificates) certificates.add(file);
  }
  return { backends, certificates };
}

function isStale(
  path: string,
  slots: ReadonlyMap<string, ReadonlyMap<string, Slot>>,
  needed: Record<Folders, ReadonlySet<string>>,
): boolean {
  const cut = path.lastIndexOf('/');
  const folder = path.slice(0, cut);
  const file = path.slice(cut + 1);
  if (folder === 'backends' || folder === 'certificates') return !needed[folder].has(file);
  return slots.get(folder)?.has(file) !== true;
}
