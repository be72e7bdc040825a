/** The lab's kubelet as a program: `node main.ts CONFIG`; see KubeletConfig for its life. */

import { readFileSync } from 'node:fs';
import { flushCompileCache } from 'node:module';
import { createClient } from '#kube/client.ts';
import { loadKubeconfig } from '#kube/kubeconfig.ts';
import { createLog } from '#telemetry/log.ts';
import type { KubeletConfig } from '../config.ts';
import { startControllers } from '../controllers/controllers.ts';
import { startKubelet } from './kubelet.ts';

const [path] = process.argv.slice(2);
if (path === undefined) {
  process.stderr.write('usage: main.ts CONFIG (path of a JSON file, see src/lab/config.ts)\n');
  process.exit(64);
}
const read = (): KubeletConfig => JSON.parse(readFileSync(path, 'utf8')) as KubeletConfig;
const log = createLog();
const config = read();
// A lab starts everything at once: the usual client-side limit would only make it late.
const limits = { requestsPerSecond: 1000, burst: 1000 };
const client = createClient({ ...(await loadKubeconfig({ path: config.kubeconfig })), ...limits });
const controllers = startControllers(client, log.child({ part: 'controllers' }));
const starting = startKubelet(client, config, log.child({ part: 'kubelet' }));

process.on('SIGHUP', () => {
  void starting.then((kubelet) => kubelet.setNodes(read().nodes));
});
process.once('SIGTERM', () => {
  void starting
    .then((kubelet) => Promise.all([kubelet.stop(), controllers.stop()]))
    .finally(() => process.exit(0));
});
await starting;
// A process that is killed would not keep it (NODE_COMPILE_CACHE).
flushCompileCache();
log.info('the kubelet runs', { nodes: config.nodes.map(({ name }) => name).join(' ') });
