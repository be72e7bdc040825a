/** The API server as a program: the path of its configuration (config.ts) is the first argument; one line of JSON says that it is ready. */

import { readFileSync } from 'node:fs';
import { flushCompileCache } from 'node:module';
import { writeFileAtomic } from '#system/files.ts';
import { listenFdIn } from '#system/namespace.ts';
import type { ApiServerConfig } from '../config.ts';
import { kubeconfig } from './kubeconfig.ts';
import { startApiServer } from './server.ts';

const [path] = process.argv.slice(2);
if (path === undefined) {
  console.error('usage: main.ts CONFIG-FILE');
  process.exit(64);
}
const {
  listenIn,
  kubeconfig: kubeconfigPath,
  ...config
} = JSON.parse(readFileSync(path, 'utf8')) as ApiServerConfig;
const extraListenFds = listenIn.map(({ namespace, address, port }) => listenFdIn(namespace, address, port));
const server = await startApiServer({ ...config, extraListenFds });
const admin = kubeconfig({
  server: `https://${config.host}:${server.port}`,
  authorityCertificate: server.pki.authority.certificate,
  user: 'kubernetes-admin',
  credentials: server.pki.admin,
});
writeFileAtomic(kubeconfigPath, admin, 0o600);
// A process that is killed would not keep it (NODE_COMPILE_CACHE).
flushCompileCache();
console.log(JSON.stringify({ ready: true, port: server.port }));

const stop = (): void => {
  void server.close().then(() => process.exit(0));
};
process.once('SIGTERM', stop);
process.once('SIGINT', stop);
// Restarting is the only cure for a disk that refused an acknowledged order of writes.
const failure = await server.failed;
console.error(failure.message);
process.exit(1);
