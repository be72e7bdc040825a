/**
 * healthCheckNodePorts: HTTP ports of the node where a load balancer asks whether the node has endpoints of a Service. They are the
 * datapath's, not the agent's: what is asked is whether packets sent here are served, which the datapath knows of the kernel, and an
 * agent that restarts must not take the node out of every balancer.
 */
import { createServer, type Server } from 'node:http';
import type { EngineProblem } from '#intent/handover.ts';
import type { HealthCheckIntent, NodeIntent } from '#intent/node.ts';
import type { Log } from '#telemetry/log.ts';

export type HealthChecks = {
  /** From now on these are answered, at these addresses, and no others. */
  set(checks: NodeIntent['healthChecks']): void;
  /** Ports that can't be listened on. */
  problems(): readonly EngineProblem[];
  close(): Promise<void>;
};

type Listener = {
  readonly server: Server;
  key: string;
  check: HealthCheckIntent;
  failed: string | undefined;
  retry: NodeJS.Timeout | undefined;
};

/** A port that another program has is tried again. */
const retryMs = 5_000;

/** `serving`: whether this node holds Services at all; false answers 503 everywhere. */
export function createHealthChecks(serving: () => boolean, log: Log): HealthChecks {
  /** By `address port`. */
  const listeners = new Map<string, Listener>();

  const listen = (place: string, listener: Listener, address: string): void => {
    const { server, check } = listener;
    server.listen({ host: address, port: check.port, ipv6Only: true }, () => {
      if (listener.failed !== undefined) log.info('a health check port is free now', { place });
      listener.failed = undefined;
    });
  };
  const open = (place: string, address: string, key: string, check: HealthCheckIntent): void => {
    const server = createServer((_, response) => {
      const { localEndpoints } = listener.check;
      const serviceProxyHealthy = serving();
      const [namespace = '', name = ''] = listener.key.split('/');
      response.writeHead(localEndpoints > 0 && serviceProxyHealthy ? 200 : 503, {
        'content-type': 'application/json',
        'x-content-type-options': 'nosniff',
        'x-load-balancing-endpoint-weight': String(localEndpoints),
      });
      response.end(
        `${JSON.stringify({ service: { namespace, name }, localEndpoints, serviceProxyHealthy })}\n`,
      );
    });
    server.headersTimeout = 5_000;
    server.requestTimeout = 10_000;
    server.maxConnections = 64;
    const listener: Listener = { server, key, check, failed: undefined, retry: undefined };
    listeners.set(place, listener);
    server.on('error', (error: NodeJS.ErrnoException) => {
      const reason = `can't listen on ${place}: ${error.code ?? error.message}`;
      if (listener.failed === undefined)
        log.warn('a health check port is taken', { service: key, place, error });
      listener.failed = reason;
      listener.retry = setTimeout(() => listen(place, listener, address), retryMs);
      listener.retry.unref();
    });
    listen(place, listener, address);
  };
  const close = async (place: string): Promise<void> => {
    const listener = listeners.get(place);
    if (listener === undefined) return;
    listeners.delete(place);
    clearTimeout(listener.retry);
    const closed = new Promise<void>((resolve) => listener.server.close(() => resolve()));
    listener.server.closeAllConnections();
    await closed;
  };

  return {
    set(checks) {
      const wanted = new Map<string, readonly [string, string, HealthCheckIntent]>();
      for (const [key, check] of Object.entries(checks)) {
        for (const address of check.addresses) wanted.set(`${address} ${check.port}`, [address, key, check]);
      }
      for (const place of listeners.keys()) if (!wanted.has(place)) void close(place);
      for (const [place, [address, key, check]] of wanted) {
        const listener = listeners.get(place);
        if (listener === undefined) open(place, address, key, check);
        else Object.assign(listener, { key, check });
      }
    },
    problems: () =>
      [...listeners.values()].flatMap(({ key, failed }) =>
        failed === undefined ? [] : [{ engine: 'datapath', entry: `healthChecks/${key}`, reason: failed }],
      ),
    async close() {
      await Promise.all([...listeners.keys()].map(close));
    },
  };
}
