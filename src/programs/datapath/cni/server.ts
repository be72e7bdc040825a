/** The CNI server: takes one call a connection from the executable and answers with exit code and output. */
import { createServer, type Server, type Socket } from 'node:net';
import type { Log } from '#telemetry/log.ts';
import { formatError } from './error.ts';
import { type CniRequest, decodeConfig, readRequest, versionOf } from './request.ts';

/** Gives what the plugin prints; throws CniError (or anything: code 5). */
export type CniHandler = (request: CniRequest) => Promise<string>;

/** The executable sends less than 64 KiB of environment and at most 1 MiB of configuration. */
const limits = { head: 128, environment: 64 * 1024, config: 1024 * 1024 };
/** Milliseconds for a call to arrive whole; answering has its own deadline. */
const arrival = 10_000;

export function createCniServer(handle: CniHandler, log: Log): Server {
  return createServer({ allowHalfOpen: true }, (socket) => {
    socket.setTimeout(arrival, () => socket.destroy());
    socket.on('error', (error) => log.debug('CNI connection', { error }));
    const parts: Buffer[] = [];
    let size = 0;
    let taken = false;
    socket.on('data', (part: Buffer) => {
      if (taken) return;
      parts.push(part);
      size += part.length;
      const frame = readFrame(Buffer.concat(parts, size));
      if (frame === undefined) return;
      taken = true;
      socket.setTimeout(0);
      if (frame === 'malformed') socket.destroy();
      else void serve(frame, handle, log).then(({ code, output }) => reply(socket, code, output));
    });
    socket.on('end', () => {
      if (!taken) socket.destroy();
    });
  });
}

type Frame = { readonly environment: Readonly<Record<string, string>>; readonly config: string };

async function serve(
  frame: Frame,
  handle: CniHandler,
  log: Log,
): Promise<{ readonly code: number; readonly output: string }> {
  let config: Readonly<Record<string, unknown>> | undefined;
  try {
    config = decodeConfig(frame.config);
    return { code: 0, output: await handle(readRequest(frame.environment, config)) };
  } catch (error) {
    const { CNI_COMMAND: command, CNI_CONTAINERID: container, CNI_ARGS: args } = frame.environment;
    log.warn('CNI call refused', { command, container, args, error });
    return { code: 1, output: formatError(error, versionOf(config)) };
  }
}

/** `netloom-cni 1 <bytes> <bytes>\n`, then the environment (NUL-ended `KEY=value`), then the configuration; `undefined`: not whole yet. */
function readFrame(data: Buffer): Frame | 'malformed' | undefined {
  const end = data.indexOf(10);
  if (end === -1) return data.length > limits.head ? 'malformed' : undefined;
  const head = /^netloom-cni 1 (\d{1,7}) (\d{1,7})$/.exec(data.toString('latin1', 0, end));
  const [environmentSize, configSize] = [Number(head?.[1]), Number(head?.[2])];
  if (head === null || environmentSize > limits.environment || configSize > limits.config) return 'malformed';
  const body = data.subarray(end + 1);
  if (body.length < environmentSize + configSize) return undefined;
  const pairs = body
    .toString('utf8', 0, environmentSize)
    .split('\0')
    .filter((pair) => pair.includes('='))
    .map((pair): [string, string] => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]);
  const config = body.toString('utf8', environmentSize, environmentSize + configSize);
  return { environment: Object.fromEntries(pairs), config };
}

function reply(socket: Socket, code: number, output: string): void {
  socket.end(`${code} ${Buffer.byteLength(output)}\n${output}`);
}
