/** Starts the API server: storage, PKI, HTTPS listeners, controllers. */
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { ServiceAllocator } from './allocator.ts';
import { bootstrap } from './bootstrap.ts';
import type { Context, ServerConfig } from './context.ts';
import { startCrds } from './controllers/crds.ts';
import { startEventExpiry } from './controllers/events.ts';
import { startGarbageCollection } from './controllers/garbage.ts';
import { startNamespaces } from './controllers/namespaces.ts';
import { Kinds } from './kinds.ts';
import { Owners } from './owners.ts';
import { openPki, type Pki } from './pki.ts';
import { serve } from './routes.ts';
import { builtinKinds } from './schema/builtins.ts';
import { Store } from './storage/store.ts';
import { followServices } from './strategies/service.ts';
import { TokenAuthority } from './tokens.ts';
import { serveUpgrade } from './upgrade.ts';

export type { ServerConfig } from './context.ts';

export type ApiServer = {
  /** Where it listens on `host`. */
  readonly port: number;
  readonly pki: Pki;
  /** Resolves with the reason when the disk fails: nothing can be written any more and the process should end. */
  readonly failed: Promise<Error>;
  /** Ends all requests and watches, writes what is queued, closes the files. */
  close(): Promise<void>;
};

/** Resolves when requests are answered. Throws when the port or the data directory can't be had. */
export async function startApiServer(config: ServerConfig): Promise<ApiServer> {
  const pki = openPki(
    join(config.dataDirectory, 'pki'),
    [config.host, ...config.advertise].filter(isSpecific),
  );
  const store = new Store({
    directory: join(config.dataDirectory, 'store'),
    ...(config.historySize === undefined ? {} : { historySize: config.historySize }),
    ...(config.snapshotBytes === undefined ? {} : { snapshotBytes: config.snapshotBytes }),
  });
  const context: Context = {
    config,
    store,
    kinds: new Kinds(builtinKinds()),
    pki,
    tokens: new TokenAuthority(pki.serviceAccountKey),
    services: new ServiceAllocator(config.serviceCidrs),
    owners: new Owners(store),
  };
  followServices(context);
  const crds = startCrds(context);
  bootstrap(context);
  const controllers = [
    crds,
    startNamespaces(context),
    startGarbageCollection(context),
    startEventExpiry(context),
  ];
  const open = new Set<AbortController>();
  const servers: Server[] = [];
  try {
    servers.push(await listen(context, open, { host: config.host, port: config.port }));
    for (const fd of config.extraListenFds ?? []) servers.push(await listen(context, open, { fd }));
  } catch (error) {
    for (const controller of controllers) controller.close();
    for (const server of servers) server.close();
    await store.close();
    throw error;
  }
  await store.settled();
  return {
    port: (servers[0]!.address() as AddressInfo).port,
    pki,
    failed: store.failed,
    close: async () => {
      for (const exchange of open) exchange.abort();
      for (const controller of controllers) controller.close();
      await Promise.all(servers.map(closeServer));
      await store.close();
    },
  };
}

function isSpecific(address: string): boolean {
  return address !== '0.0.0.0' && address !== '::';
}

type Place = { readonly host: string; readonly port: number } | { readonly fd: number };

function listen(context: Context, open: Set<AbortController>, place: Place): Promise<Server> {
  const { pki } = context;
  const server = createServer({
    cert: pki.server.certificate,
    key: pki.server.key,
    ca: pki.authority.certificate,
    requestCert: true,
    // Tokens authenticate without a certificate; who has neither gets a 401 with a Status.
    rejectUnauthorized: false,
    ALPNProtocols: ['http/1.1'],
    keepAliveTimeout: 120_000,
    // Watches and followed logs have no end of their own.
    requestTimeout: 0,
    // As Go's servers: a command line to run in a pod is part of the URL.
    maxHeaderSize: 1024 * 1024,
    noDelay: true,
  });
  server.on('request', (request, response) => {
    void serve(context, request, response, open);
  });
  server.on('upgrade', (request, socket, head) => {
    const joined = new AbortController();
    open.add(joined);
    joined.signal.addEventListener('abort', () => socket.destroy(), { once: true });
    socket.on('close', () => open.delete(joined));
    void serveUpgrade(context, request, socket, head);
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(place, () => {
      server.off('error', reject);
      server.on('error', (error) => console.error('listener:', error));
      resolve(server);
    });
  });
}

const idleMilliseconds = 10;
const cutMilliseconds = 1000;

/** Streams end now, requests soon: kept-alive connections are closed as they fall idle, the rest is cut after a second. */
async function closeServer(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => {
    server.close(() => resolve());
  });
  server.closeIdleConnections();
  const idle = setInterval(() => server.closeIdleConnections(), idleMilliseconds);
  const cut = setTimeout(() => server.closeAllConnections(), cutMilliseconds);
  await closed;
  clearInterval(idle);
  clearTimeout(cut);
}
