/** A program for tests, beside the gateway in a sandbox: changes from standard input, a line each, to the feed; what becomes of them is printed. */
import { createInterface } from 'node:readline';
import type { GatewayChange } from '#intent/gateway.ts';
import { connectFeed } from './client.ts';

const [key = '', identity = ''] = process.argv.slice(2);
const client = connectFeed({ address: '127.0.0.1', key, identity });
for await (const line of createInterface({ input: process.stdin })) {
  const outcome = await client
    .change(JSON.parse(line) as GatewayChange)
    .catch((error: unknown) => ({ error: String(error) }));
  process.stdout.write(`${JSON.stringify(outcome)}\n`);
}
client.close();
