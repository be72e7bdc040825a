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
  /** By their keys, of these listeners only. */
  readonly streams: ReadonlyMap<string, GatewayStreamIntent>;
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
  const listeners = new Map<string, string>();
  for (const [key, listener] of [...input.listeners].sort(byKey)) {
    const pattern = patternOf(listener.hostname);
    if (!isFileName(pattern)) problems.push({ entry: key, reason: 'its hostname is none' });
    else if (!listeners.has(pattern)) listeners.set(pattern, key);
    if (listener.kind === 'terminate' && listener.ciphers !== undefined)
      problems.push({ entry: key, reason: 'ciphers are those of the gateway where the route is a TLSRoute' });
  }
  const streams = new Map<string, GatewayStreamIntent>();
  const patterns = new Set(listeners.keys());
  for (const [key, stream] of input.streams) {
    const pattern = patternOf(stream.host);
    if (!isFileName(pattern)) {
      problems.push({ entry: key, reason: 'its host is none' });
      continue;
    }
    streams.set(`${stream.listener}|${pattern}`, stream);
    patterns.add(pattern);
  }

  for (const pattern of patterns) {
    const wider = widening(pattern);
    const key = first(wider, (name) => listeners.get(name));
    const listener = key === undefined ? undefined : input.listeners.get(key);
    if (listener === undefined) continue;
    const stream = first(wider, (name) => streams.get(`${key}|${name}`));
    value.set(pattern, slot(`${input.port.kind}/${input.port.slot}/${pattern}`, listener, stream, input));
  }
  return { value, problems };
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

function slot(
  name: string,
  listener: GatewayListenerIntent,
  stream: GatewayStreamIntent | undefined,
  input: StreamPort,
): Slot {
  const backends = (stream?.backends ?? []).map(
    ({ backend, weight }) => [backend === undefined ? '' : fileNameOf(backend), weight] as const,
  );
  const total = backends.reduce((sum, [, weight]) => sum + weight, 0);
  const keys = listener.kind === 'terminate' ? (listener.certificates ?? []) : [];
  const certificates = keys.flatMap((key) => {
    const certificate = input.certificates.get(key);
    return certificate === undefined ? [] : [[fileNameOf(key), certificate.names] as const];
  });
  const to =
    listener.kind === 'https'
      ? 'https'
      : listener.kind !== 'terminate'
        ? 'pass'
        : listener.minimumTLS === '1.3'
          ? 'terminate13'
          : 'terminate';
  return { name, to, backends, total, step: total === 0 ? 1 : stepOf(total), certificates };
}

function patternOf(host: string): string {
  return host === '' ? '*' : host;
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

function byKey(a: readonly [string, unknown], b: readonly [string, unknown]): number {
  return a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0;
}
