/** The part of the controller that makes gateways, in a process of its own: its memory is nobody else's. Pods hold whatever they are told. */
import type { GatewayAnswer } from '#intent/gateway.ts';
import { createClient } from '#kube/client.ts';
import { createGateways } from '#programs/controller/gateways/gateways.ts';
import { silentLog } from '#telemetry/log.ts';
import { createRegistry } from '#telemetry/metrics.ts';

type Config = { readonly server: string; readonly ca: string; readonly cert: string; readonly key: string };

const config = JSON.parse(process.env['NETLOOM_BENCH_API'] ?? '{}') as Config;
const client = createClient({ ...config, requestsPerSecond: 5_000, burst: 5_000 });
const gateways = createGateways(
  {
    client,
    image: 'netloom/node',
    registry: createRegistry(),
    log: silentLog,
    connect: () => {
      let generation = 0;
      const answer = (): GatewayAnswer => ({ generation, problems: [] });
      return {
        async change(change) {
          if (!change.replace && change.after !== generation)
            return { refused: { error: `holds ${generation}`, generation } };
          generation = change.generation;
          return { answer: answer() };
        },
        status: async () => ({ instance: 'bench', ...answer() }),
        close() {},
      };
    },
  },
  () => {},
);
const stopped = new AbortController();
process.once('SIGTERM', () => stopped.abort());
await gateways.run(stopped.signal);
client.close();
