/** The API server as a program: configuration as JSON in the first argument, one line of JSON on stdout when it is ready. */
import type { ServerConfig } from './context.ts';
import { startApiServer } from './server.ts';

const [argument] = process.argv.slice(2);
if (argument === undefined) {
  console.error('usage: main.ts CONFIG-AS-JSON');
  process.exit(64);
}
const config = JSON.parse(argument) as ServerConfig;
const server = await startApiServer(config);
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
