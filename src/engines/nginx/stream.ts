/**
 * What nginx's stream part reads: for each slot and name a file that says where connections go, and a file for each backend and each
 * certificate that these speak of. stream-program.ts reads them once a connection.
 *
 *     tls/10203/shop.example.org     tls/10203/*.example.org     tls/10203/*     tcp/10300/*     udp/10400/*
 *     backends/NAMESPACE%2FNAME…     certificates/NAMESPACE%2FNAME
 *
 * A slot that no port names any more stays as it is until a port takes it, since the Service changes a moment later.
 */
import type { GatewayChange, GatewayPortIntent } from '#intent/gateway.ts';
import { gatewaySlots } from '#system/registry.ts';
import { openFileTree } from './stream-files.ts';
import { createStreamIntents } from './stream-held.ts';
import { fileNameOf, lowerName, lowerPort } from './stream-lower.ts';
import type { Slot } from './stream-slot.ts';

export type StreamProblem = { readonly entry: string; readonly reason: string };

export type StreamTable = {
  /** Holds the change; when it returns, every new connection is served by it. The first one must be whole (`replace`). */
  apply(change: GatewayChange): readonly StreamProblem[];
  /** Takes everything away. */
  clear(): void;
};

/** `directory`: `stream` below the gateway's. What an earlier process left there is taken over. */
export function createStreamTable(directory: string): StreamTable {
  const files = openFileTree(directory);
  const intents = createStreamIntents();
  /** By path, of every backend and certificate of the intent, whether a slot speaks of it or not. */
  const contents = new Map<string, string>();
  /** By folder (`tls/10203`), then by name. */
  const slots = new Map<string, Map<string, Slot>>();
  /** How many slots speak of a path. */
  const uses = new Map<string, number>();
  const problemsByPort = new Map<string, readonly StreamProblem[]>();
  let failures: StreamProblem[] = [];

  const write = (path: string, content: string | undefined) => {
    const reason = content === undefined ? undefined : files.put(path, content);
    if (reason !== undefined) failures.push({ entry: decodeURIComponent(path), reason });
  };
  /** What is pointed at comes before and goes after what points. */
  const setSlot = (folder: string, name: string, slot: Slot | undefined) => {
    const names = slots.get(folder) ?? new Map<string, Slot>();
    slots.set(folder, names);
    const old = names.get(name);
    for (const path of pathsOf(slot)) {
      uses.set(path, (uses.get(path) ?? 0) + 1);
      write(path, contents.get(path));
    }
    if (slot === undefined) {
      names.delete(name);
      files.remove(`${folder}/${name}`);
    } else {
      names.set(name, slot);
      write(`${folder}/${name}`, JSON.stringify(slot));
    }
    for (const path of pathsOf(old)) {
      const left = (uses.get(path) ?? 1) - 1;
      uses.set(path, left);
      if (left > 0) continue;
      uses.delete(path);
      files.remove(path);
    }
  };
  const setPort = (key: string) => {
    problemsByPort.delete(key);
    const input = intents.port(key);
    const folder = input === undefined ? undefined : folderOf(input.port);
    if (input === undefined || folder === undefined) return;
    const { value, problems } = lowerPort(input);
    problemsByPort.set(key, problems);
    for (const name of slots.get(folder)?.keys() ?? [])
      if (!value.has(name)) setSlot(folder, name, undefined);
    for (const [name, slot] of value) setSlot(folder, name, slot);
  };
  const setName = (key: string, name: string) => {
    const input = intents.port(key);
    const folder = input === undefined ? undefined : folderOf(input.port);
    if (input !== undefined && folder !== undefined) setSlot(folder, name, lowerName(input, name));
  };

  const strays = new Set<string>();
  for (const [path, content] of files.held) {
    const [kind = '', slot, name] = path.split('/');
    if (slot === undefined || name === undefined) strays.add(path);
    else setSlot(`${kind}/${slot}`, name, JSON.parse(content) as Slot);
  }
  for (const path of strays) if (!uses.has(path)) files.remove(path);

  return {
    apply: (change) => {
      const all = change.replace || failures.length > 0;
      failures = [];
      if (change.replace) {
        contents.clear();
        problemsByPort.clear();
      }
      const { ports, names } = intents.take(change);
      for (const path of remember(contents, change)) if (uses.has(path)) write(path, contents.get(path));
      for (const key of all ? intents.ports() : ports) setPort(key);
      for (const [key, touched] of all ? [] : names) {
        if (!ports.has(key)) for (const name of touched) setName(key, name);
      }
      return [...[...problemsByPort.values()].flat(), ...failures];
    },
    clear: () => {
      slots.clear();
      uses.clear();
      problemsByPort.clear();
      for (const path of files.held.keys()) files.remove(path);
    },
  };
}

/** Contents of backends and certificates; gives the paths of those that are new. */
function remember(contents: Map<string, string>, { put, remove }: GatewayChange): string[] {
  for (const key of remove.backends ?? []) contents.delete(pathOf('backends', key));
  for (const key of remove.certificates ?? []) contents.delete(pathOf('certificates', key));
  const renewed: string[] = [];
  const set = (path: string, content: string) => {
    contents.set(path, content);
    renewed.push(path);
  };
  for (const [key, { endpoints }] of Object.entries(put.backends ?? {}))
    set(pathOf('backends', key), endpoints.join('\n'));
  for (const [key, pair] of Object.entries(put.certificates ?? {}))
    set(pathOf('certificates', key), `${pair.certificate.trimEnd()}\n${pair.privateKey.trimEnd()}\n`);
  return renewed;
}

function pathOf(folder: 'backends' | 'certificates', key: string): string {
  return `${folder}/${fileNameOf(key)}`;
}

/** What a slot speaks of. */
function pathsOf(slot: Slot | undefined): string[] {
  if (slot === undefined) return [];
  return [
    ...slot.backends.filter(([file]) => file !== '').map(([file]) => `backends/${file}`),
    ...slot.certificates.map(([file]) => `certificates/${file}`),
  ];
}

function folderOf(port: GatewayPortIntent): string | undefined {
  if (port.kind !== 'tls' && port.kind !== 'tcp' && port.kind !== 'udp') return undefined;
  return `${port.kind}/${gatewaySlots[port.kind].value.base + port.slot}`;
}
