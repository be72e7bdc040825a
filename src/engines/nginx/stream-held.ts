/** What the stream part's files are made of, by what a change touches: ports, or single names of them. */
import type {
  GatewayCertificateIntent,
  GatewayChange,
  GatewayListenerIntent,
  GatewayPortIntent,
  GatewayStreamIntent,
} from '#intent/gateway.ts';
import { isExact, patternOf, type StreamPort } from './stream-lower.ts';

export type StreamIntents = {
  /** Keys of ports. */
  ports(): Iterable<string>;
  /** Undefined: there is no such port. */
  port(key: string): StreamPort | undefined;
  /** Takes a change, and says what it touches: whole ports, and of others single names. */
  take(change: GatewayChange): {
    readonly ports: ReadonlySet<string>;
    readonly names: ReadonlyMap<string, ReadonlySet<string>>;
  };
};

export function createStreamIntents(): StreamIntents {
  const ports = new Map<string, GatewayPortIntent>();
  const listeners = new Map<string, GatewayListenerIntent>();
  const listenersAt = new Map<string, Map<string, GatewayListenerIntent>>();
  const streams = new Map<string, GatewayStreamIntent>();
  const streamsOf = new Map<string, Map<string, GatewayStreamIntent>>();
  const certificates = new Map<string, GatewayCertificateIntent>();
  const touched = { ports: new Set<string>(), names: new Map<string, Set<string>>() };

  const touchStream = ({ listener, host }: GatewayStreamIntent) => {
    const port = listeners.get(listener)?.port;
    if (port === undefined) return;
    const pattern = patternOf(host);
    // Narrower names follow a wide one.
    if (isExact(pattern)) inMap(touched.names, port, () => new Set()).add(pattern);
    else touched.ports.add(port);
  };
  const dropStream = (key: string) => {
    const old = streams.get(key);
    if (old === undefined) return;
    touchStream(old);
    streams.delete(key);
    removeFrom(streamsOf, old.listener, patternOf(old.host), old);
  };
  const dropListener = (key: string) => {
    const old = listeners.get(key);
    if (old === undefined) return;
    touched.ports.add(old.port);
    listeners.delete(key);
    removeFrom(listenersAt, old.port, key, old);
  };

  return {
    ports: () => ports.keys(),
    port: (key) => {
      const port = ports.get(key);
      if (port === undefined) return undefined;
      return { port, listeners: listenersAt.get(key) ?? new Map(), streams: streamsOf, certificates };
    },
    take: ({ replace, put, remove }) => {
      touched.ports = new Set();
      touched.names = new Map();
      if (replace)
        for (const map of [ports, listeners, listenersAt, streams, streamsOf, certificates]) map.clear();

      for (const key of [...(remove.streams ?? []), ...Object.keys(put.streams ?? {})]) dropStream(key);
      for (const key of [...(remove.listeners ?? []), ...Object.keys(put.listeners ?? {})]) dropListener(key);
      for (const [key, listener] of Object.entries(put.listeners ?? {})) {
        listeners.set(key, listener);
        inMap(listenersAt, listener.port, () => new Map()).set(key, listener);
        touched.ports.add(listener.port);
      }
      for (const [key, stream] of Object.entries(put.streams ?? {})) {
        streams.set(key, stream);
        inMap(streamsOf, stream.listener, () => new Map()).set(patternOf(stream.host), stream);
        touchStream(stream);
      }
      for (const key of remove.ports ?? []) ports.delete(key);
      for (const [key, port] of Object.entries(put.ports ?? {})) {
        ports.set(key, port);
        touched.ports.add(key);
      }
      const renewed = new Set([...Object.keys(put.certificates ?? {}), ...(remove.certificates ?? [])]);
      for (const key of remove.certificates ?? []) certificates.delete(key);
      for (const [key, pair] of Object.entries(put.certificates ?? {})) certificates.set(key, pair);
      if (renewed.size > 0) {
        for (const { kind, port, certificates: shown } of listeners.values())
          if (kind === 'terminate' && shown?.some((key) => renewed.has(key))) touched.ports.add(port);
      }
      return touched;
    },
  };
}

function inMap<T>(map: Map<string, T>, key: string, make: () => T): T {
  const there = map.get(key) ?? make();
  map.set(key, there);
  return there;
}

function removeFrom<T>(outer: Map<string, Map<string, T>>, key: string, name: string, value: T): void {
  const inner = outer.get(key);
  if (inner?.get(name) === value) inner.delete(name);
  if (inner?.size === 0) outer.delete(key);
}
