/** The TLS originator: a unix socket for each endpoint that is spoken to as an identity, behind which the connection goes on by TLS. */
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { createSecureContext, type SecureContext } from 'node:tls';
import { formatOrigin } from '#intent/origin.ts';
import { unlinkIfExists } from '#system/files.ts';
import type { Log } from '#telemetry/log.ts';
import type { Registry } from '#telemetry/metrics.ts';
import { createThinned, type Thinned } from '#telemetry/thinned.ts';
import { carry } from './connection.ts';
import type { Target } from './lower.ts';
import { observeConnections } from './observe.ts';
import type { ResolvedIdentity } from './paths.ts';

export type Originator = {
  /** Listens there when this resolves; nothing to do when it already does. A sentence when it can't: its connections are refused. */
  open(target: Target): Promise<string | undefined>;
  /** Takes no more connections there. Those that stand go on for as long as they are used. */
  leave(path: string): void;
  /** Carried now. */
  connections(): number;
  /** Ends everything at once. */
  close(): void;
};

export type OriginatorOptions = {
  /** Made if need be; sockets that an earlier process left in it are removed. */
  readonly directory: string;
  /** PEM of the authorities of those that name none. */
  readonly systemAuthorities: string | undefined;
  /** Milliseconds without a byte after which a connection to a socket that nobody names any more is closed. */
  readonly quietMs?: number;
  readonly log: Log;
  readonly metrics: Registry;
};

/** Where distributions keep the authorities of the system; Node's own where there is no such file. */
export function systemAuthorities(path = '/etc/ssl/certs/ca-certificates.crt'): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

/** Longer than any client is likely to be silent in the middle of a request. */
const defaultQuiet = 300_000;
/** Between two lines of one identity. */
const sayEveryMs = 60_000;
/** Connections that wait for their turn on one socket. */
const backlog = 1024;

type Listening = {
  readonly server: Server;
  readonly connections: Set<Socket>;
  /** Resolves to what is wrong. */
  readonly ready: Promise<string | undefined>;
};

export function createOriginator(options: OriginatorOptions): Originator {
  const { directory, log, quietMs = defaultQuiet } = options;
  mkdirSync(directory, { recursive: true, mode: 0o770 });
  for (const name of readdirSync(directory)) {
    if (name.endsWith('.sock')) unlinkIfExists(join(directory, name));
  }
  const observed = observeConnections(options.metrics);
  const listening = new Map<string, Listening>();
  const contexts = createContexts(options.systemAuthorities);
  /** Everything that is carried, at sockets that nobody names any more, too. */
  const carried = new Set<Socket>();
  const says = new Map<string, Thinned>();
  const say = (target: Target, reason: string): void => {
    const { identity } = target;
    let thinned = says.get(identity.key);
    if (thinned === undefined) {
      thinned = createThinned(sayEveryMs);
      says.set(identity.key, thinned);
    }
    thinned.happened((times) =>
      log.warn('a backend is not connected to', {
        policy: formatOrigin(identity.origin),
        endpoint: target.endpoint,
        reason,
        times,
      }),
    );
  };

  const accept = (
    client: Socket,
    target: Target,
    context: SecureContext | string,
    connections: Set<Socket>,
  ): void => {
    const policy = nameOf(target.identity);
    if (typeof context === 'string') {
      observed.outcome(policy, 'failed');
      say(target, context);
      client.destroy();
      return;
    }
    connections.add(client);
    carried.add(client);
    observed.open.set(carried.size);
    client.once('close', () => {
      connections.delete(client);
      carried.delete(client);
      observed.open.set(carried.size);
    });
    carry(client, target, context, {
      onOutcome: (outcome, reason, milliseconds) => {
        observed.outcome(policy, outcome);
        if (outcome === 'connected') observed.seconds.observe(milliseconds / 1000);
        else say(target, reason ?? outcome);
      },
      onRefused: (reason) => {
        observed.outcome(policy, 'refused');
        say(target, reason);
      },
    });
  };

  return {
    open(target) {
      const there = listening.get(target.path);
      if (there !== undefined) return there.ready;
      const context = contexts.use(target.identity);
      const connections = new Set<Socket>();
      const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) =>
        accept(client, target, context, connections),
      );
      const ready = listen(server, target.path).then(
        () => (typeof context === 'string' ? context : undefined),
        (error: unknown) => {
          // The next one who asks for it tries again.
          listening.delete(target.path);
          observed.sockets.set(listening.size);
          contexts.done(target.identity);
          return `no socket for ${target.endpoint}: ${(error as Error).message}`;
        },
      );
      listening.set(target.path, { server, connections, ready });
      server.once('listening', () => server.once('close', () => contexts.done(target.identity)));
      observed.sockets.set(listening.size);
      return ready;
    },
    leave(path) {
      const one = listening.get(path);
      if (one === undefined) return;
      listening.delete(path);
      observed.sockets.set(listening.size);
      one.server.close();
      for (const client of one.connections) client.setTimeout(quietMs, () => client.destroy());
    },
    connections: () => carried.size,
    close() {
      for (const { server } of listening.values()) server.close();
      listening.clear();
      for (const client of carried) client.destroy();
    },
  };
}

/** One of OpenSSL's contexts for all identities with the same authorities and the same certificate: names are looked at apart from it. */
function createContexts(ofSystem: string | undefined): {
  use(identity: ResolvedIdentity): SecureContext | string;
  done(identity: ResolvedIdentity): void;
} {
  const held = new Map<string, { readonly context: SecureContext | string; users: number }>();
  const keyOf = ({ authorities = '', client }: ResolvedIdentity): string =>
    JSON.stringify([authorities, client?.certificate, client?.privateKey]);
  return {
    use(identity) {
      const key = keyOf(identity);
      const one = held.get(key) ?? { context: contextOf(identity, ofSystem), users: 0 };
      one.users++;
      held.set(key, one);
      return one.context;
    },
    done(identity) {
      const key = keyOf(identity);
      const one = held.get(key);
      if (one !== undefined && --one.users === 0) held.delete(key);
    },
  };
}

function contextOf(
  { authorities, client }: ResolvedIdentity,
  ofSystem: string | undefined,
): SecureContext | string {
  const ca = authorities ?? ofSystem;
  try {
    return createSecureContext({
      minVersion: 'TLSv1.2',
      ...(ca !== undefined && { ca }),
      ...(client && { cert: client.certificate, key: client.privateKey }),
    });
  } catch (error) {
    return `its authorities or our certificate can't be used: ${(error as Error).message}`;
  }
}

/** Made with mode 0660, never widened later: nginx has the group. */
async function listen(server: Server, path: string): Promise<void> {
  unlinkIfExists(path);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject);
  const mask = process.umask(0o117);
  try {
    server.listen({ path, backlog }, resolve);
  } finally {
    process.umask(mask);
  }
  await promise;
  server.off('error', reject);
  server.on('error', () => {});
}

function nameOf({ origin }: ResolvedIdentity): string {
  return origin.namespace === undefined ? origin.name : `${origin.namespace}/${origin.name}`;
}
