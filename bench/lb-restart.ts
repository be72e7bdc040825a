/** A process of lb-allocation.ts: prints the seconds from its start until it has listed all Services, or would give the next address. */
import { serviceType } from '#api/core.ts';
import { type Client, type ClientConfig, createClient } from '#kube/client.ts';
import { runSession } from '#programs/controller/balancers/session.ts';
import { startCaches } from '#programs/controller/caches.ts';
import { silentLog } from '#telemetry/log.ts';

const [what, config = '{}'] = process.argv.slice(2);
const client = createClient(JSON.parse(config) as ClientConfig);
await (what === 'list' ? list(client) : untilReady(client));
// From the process' own start: performance counts from there.
process.stdout.write(String(performance.now() / 1000));
process.exit(0);

async function list(from: Client): Promise<void> {
  let token: string | undefined;
  do {
    token = (await from.list(serviceType, { limit: 500, continue: token })).continue;
  } while (token !== undefined);
}

async function untilReady(from: Client): Promise<void> {
  const caches = startCaches(from, silentLog);
  await Promise.all(Object.values(caches).map((cache) => cache.synced));
  const stop = new AbortController();
  const options = {
    client: from,
    caches,
    served: {},
    recorder: { event: () => {} },
    metrics: { updated: () => {}, writeFailed: () => {} },
    identity: `bench ${process.pid}`,
    log: silentLog,
  };
  await new Promise<void>((resolve) => {
    const told = async (): Promise<boolean> => {
      resolve();
      return false;
    };
    void runSession(options, told, stop.signal);
  });
}
