/** What the files of nginx's stream part say of one port: every name anybody spoke of, and what becomes of connections to it. */
import type {
  GatewayCertificateIntent,
  GatewayListenerIntent,
  GatewayPortIntent,
  GatewayStreamIntent,
} from '#intent/gateway.ts';
import type { Slot } from './stream-slot.ts';

export type StreamPort = {
  readonly port: GatewayPortIntent;
  /** By their keys, of this port only. */
  readonly listeners: ReadonlyMap<string, GatewayListenerIntent>;
  /** By listener, then by `patternOf` their hosts. */
  readonly streams: ReadonlyMap<string, ReadonlyMap<string, GatewayStreamIntent>>;
  readonly certificates: ReadonlyMap<string, GatewayCertificateIntent>;
};

export type LoweredSlot = {
  /** By the name of the file: a host, `*.` and a domain, or `*`. */
  readonly value: ReadonlyMap<string, Slot>;
  readonly problems: readonly { readonly entry: string; readonly reason: string }[];
};

/** The files of a slot. Of several names of the port that take a connection's the most exact counts alone. */
export function lowerPort(input: StreamPort): LoweredSlot {
  const value = new Map<string, Slot>();
  const problems: { entry: string; reason: string }[] = [];
  const names = listenersByName(input);
  const patterns = new Set(names.keys());
  for (const [key, { hostname }] of input.listeners) {
    if (!isFileName(patternOf(hostname))) problems.push({ entry: key, reason: 'its hostname is none' });
    for (const [pattern, { host }] of input.streams.get(key) ?? []) {
      if (isFileName(pattern)) patterns.add(pattern);
      else problems.push({ entry: `${key}|${host}`, reason: 'its host is none' });
    }
  }
  for (const pattern of patterns) {
    const slot = slotOf(input, names, pattern);
    if (slot !== undefined) value.set(pattern, slot);
  }
  return { value, problems };
}

/** The file of one name, as `lowerPort` makes it; undefined: there is none, since a wider name says all. */
export function lowerName(input: StreamPort, pattern: string): Slot | undefined {
  return slotOf(input, listenersByName(input), pattern);
}

/** Nothing is taken from it by narrower names. */
export function isExact(pattern: string): boolean {
  return isFileName(pattern) && !pattern.startsWith('*');
}

export function patternOf(host: string): string {
  return host === '' ? '*' : host;
}

/** Name of the file of a backend or a certificate: the key, with what a file's name can't hold as `%XX`. */
export function fileNameOf(key: string): string {
  return encodeURIComponent(key);
}

/** Weights come in long runs; a step near the golden section of the sum mixes them well, whatever they are. */
export function stepOf(total: number): number {
  let step = Math.max(1, Math.round(total * 0.618));
  while (divisor(step, total) !== 1) step++;
  return step;
}

/** Keys by hostname; of two with the same the first by key. */
function listenersByName({ listeners }: StreamPort): Map<string, string> {
  const names = new Map<string, string>();
  for (const [key, { hostname }] of listeners) {
    const pattern = patternOf(hostname);
    const other = names.get(pattern);
    if (isFileName(pattern) && (other === undefined || key < other)) names.set(pattern, key);
  }
  return names;
}

function slotOf(input: StreamPort, names: ReadonlyMap<string, string>, pattern: string): Slot | undefined {
  const wider = widening(pattern);
  const key = first(wider, (name) => names.get(name));
  const listener = key === undefined ? undefined : input.listeners.get(key);
  if (key === undefined || listener === undefined) return undefined;
  const streams = input.streams.get(key);
  // What another listener's routes say of it counts for nothing here.
  if (!names.has(pattern) && streams?.has(pattern) !== true) return undefined;
  const stream = first(wider, (name) => streams?.get(name));
  const backends = (stream?.backends ?? []).map(
    ({ backend, weight }) => [backend === undefined ? '' : fileNameOf(backend), weight] as const,
  );
  const total = backends.reduce((sum, [, weight]) => sum + weight, 0);
  const keys = listener.kind === 'terminate' ? (listener.certificates ?? []) : [];
  const certificates = keys.flatMap((name) => {
    const certificate = input.certificates.get(name);
    return certificate === undefined ? [] : [[fileNameOf(name), certificate.names] as const];
  });
  const to =
    listener.kind === 'https'
      ? 'https'
      : listener.kind !== 'terminate'
        ? 'pass'
        : listener.minimumTLS === '1.3'
          ? 'terminate13'
          : 'terminate';
  const name = `${input.port.kind}/${input.port.slot}/${pattern}`;
  const route = stream === undefined ? '' : routeOf(stream.origin);
  return { name, route, to, backends, total, step: total === 0 ? 1 : stepOf(total), certificates };
}

function routeOf({ kind, namespace, name }: GatewayStreamIntent['origin']): string {
  return `${kind}/${namespace ?? ''}/${name}`;
}

/** Names come from the API by way of `model`, which lets no others in; a file's name is worth a second look. */
function isFileName(pattern: string): boolean {
  return (
    pattern === '*' || (pattern.length <= 253 && /^(\*\.)?[a-z0-9_]([a-z0-9_-]|\.(?!\.))*$/.test(pattern))
  );
}

/** `a.b.c`, `*.b.c`, `*.c`, `*`. */
function widening(pattern: string): string[] {
  if (pattern === '*') return ['*'];
  const all = [pattern];
  const start = pattern.startsWith('*.') ? 2 : 0;
  for (let dot = pattern.indexOf('.', start); dot !== -1; dot = pattern.indexOf('.', dot + 1))
    all.push(`*${pattern.slice(dot)}`);
  return [...all, '*'];
}

function first<T>(names: readonly string[], lookUp: (name: string) => T | undefined): T | undefined {
  for (const name of names) {
    const found = lookUp(name);
    if (found !== undefined) return found;
  }
  return undefined;
}

function divisor(a: number, b: number): number {
  return b === 0 ? a : divisor(b, a % b);
}
