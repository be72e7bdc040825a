/**
 * What load balancers ask a node by HTTP: at a Service's healthCheckNodePort whether the node has endpoints of it, at the node's own port
 * whether it takes new connections at all. These ports are the
 * datapath's, not the agent's: what is asked is whether packets sent here are served, which the datapath knows of the kernel, and an
 * agent that restarts must not take the node out of every balancer.
 */
import { createServer, type Server } from 'node:http';
import type { EngineProblem } from '#intent/handover.ts';
import type { HealthCheckIntent, NodeIntent, SelfIntent } from '#intent/node.ts';
import { ports } from '#system/registry.ts';
import type { Log } from '#telemetry/log.ts';

export type HealthChecks = {
  /** From now on these are answered, at these addresses, and no others. */
  set(checks: NodeIntent['healthChecks']): void;
  /**
   * The node's own: `/healthz` is 200 while Services are served and the node isn't leaving, `/livez` while they are served (KEP-3836,
   * as kube-proxy answers at its port).
   */
  setNode(node: Pick<SelfIntent, 'addresses' | 'leaving'>): void;
  /** Ports that can't be listened on. */
  problems(): readonly EngineProblem[];
  close(): Promise<void>;
};

/** What is answered, asked anew with each request. */
type Answer = (path: string) => {
  readonly well: boolean;
  readonly body: object;
  readonly headers?: Readonly<Record<string, string>>;
};

type Listener = {
  readonly server: Server;
  entry: string;
  answer: Answer;
  failed: string | undefined;
  retry: NodeJS.Timeout | undefined;
};

type Wanted = Pick<Listener, 'entry' | 'answer'> & { readonly address: string; readonly port: number };

/** Not told as a problem where Services are left to kube-proxy, which has that port then. */
const ofItself = 'self';
/** A port that another program has is tried again. */
const retryMs = 5_000;
const defaultNodePort: number = ports.serviceHealth.value;

/** `serving`: whether this node holds Services at all; false answers 503 everywhere. */
export function createHealthChecks(
  serving: () => boolean,
  log: Log,
  nodePort = defaultNodePort,
): HealthChecks {
  /** By `address port`. */
  const listeners = new Map<string, Listener>();
  let ofServices: readonly Wanted[] = [];
  let ofNode: readonly Wanted[] = [];

  const listen = (place: string, listener: Listener, { address, port }: Wanted): void => {
    listener.server.listen({ host: address, port, ipv6Only: true }, () => {
      if (listener.failed !== undefined) log.info('a health check port is free now', { place });
      listener.failed = undefined;
    });
  };
  const open = (place: string, wanted: Wanted): void => {
    const { entry, answer } = wanted;
    const server = createServer(({ url = '' }, response) => {
      const { well, body, headers } = listener.answer(url);
      response.writeHead(well ? 200 : 503, {
        'content-type': 'application/json',
        'x-content-type-options': 'nosniff',
        ...headers,
      });
      response.end(`${JSON.stringify(body)}\n`);
    });
    server.headersTimeout = 5_000;
    server.requestTimeout = 10_000;
    server.maxConnections = 64;
    const listener: Listener = { server, entry, answer, failed: undefined, retry: undefined };
    listeners.set(place, listener);
    server.on('error', (error: NodeJS.ErrnoException) => {
      const reason = `can't listen on ${place}: ${error.code ?? error.message}`;
      if (listener.failed === undefined) log.warn('a health check port is taken', { entry, place, error });
      listener.failed = reason;
      listener.retry = setTimeout(() => listen(place, listener, wanted), retryMs);
      listener.retry.unref();
    });
    listen(place, listener, wanted);
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

  const update = (): void => {
    const all = new Map([...ofNode, ...ofServices].map((each) => [`${each.address} ${each.port}`, each]));
    for (const place of listeners.keys()) if (!all.has(place)) void close(place);
    for (const [place, wanted] of all) {
      const listener = listeners.get(place);
      if (listener === undefined) open(place, wanted);
      else Object.assign(listener, { entry: wanted.entry, answer: wanted.answer });
    }
  };

  return {
    set(checks) {
      ofServices = Object.entries(checks).flatMap(([key, check]) =>
        check.addresses.map((address) => ({
          address,
          port: check.port,
          entry: `healthChecks/${key}`,
          answer: () => answerOfService(key, check, serving()),
        })),
      );
      update();
    },
    setNode({ addresses, leaving }) {
      const nodeEligible = leaving !== true;
      const answer: Answer = (path) => {
        const isLive = path.split('?')[0] === '/livez';
        return { well: serving() && (isLive || nodeEligible), body: { nodeEligible } };
      };
      ofNode = addresses.map((address) => ({ address, port: nodePort, entry: ofItself, answer }));
      update();
    },
    problems: () =>
      [...listeners.values()].flatMap(({ entry, failed }) =>
        failed === undefined || (entry === ofItself && !serving())
          ? []
          : [{ engine: 'datapath', entry, reason: failed }],
      ),
    async close() {
      await Promise.all([...listeners.keys()].map(close));
    },
  };
}

function answerOfService(
  key: string,
  { localEndpoints }: HealthCheckIntent,
  serviceProxyHealthy: boolean,
): ReturnType<Answer> {
  const [namespace = '', name = ''] = key.split('/');
  return {
    well: localEndpoints > 0 && serviceProxyHealthy,
    body: { service: { namespace, name }, localEndpoints, serviceProxyHealthy },
    headers: { 'x-load-balancing-endpoint-weight': String(localEndpoints) },
  };
}
