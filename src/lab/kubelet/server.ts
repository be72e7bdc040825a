/** The kubelet's unix socket: logs, exec and connections to pods for the API server (kubelet-contract.md). */
import { chmodSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { type Duplex, pipeline } from 'node:stream';
import { WebSocketServer } from 'ws';
import {
  type DialTarget,
  execProtocols,
  type KubeletRequest,
  type LogOptions,
  parseDialPath,
  parseKubeletPath,
} from '../apiserver/kubelet.ts';
import { type ExecTarget, serveExec } from './exec.ts';
import { type LogReader, readLogs } from './logs.ts';

/** An answer other than success, as the contract has it: a sentence for the user. */
export type Refusal = { readonly code: 400 | 404 | 500; readonly message: string };

export type KubeletServerOptions = {
  readonly socket: string;
  readonly logs: (request: KubeletRequest & { readonly verb: 'logs' }) => LogReader | Refusal;
  readonly exec: (request: KubeletRequest & { readonly verb: 'exec' }) => ExecTarget | Refusal;
  /** Rejects when nobody answers there. */
  readonly dial: (target: DialTarget) => Promise<Socket>;
};

export type KubeletServer = { close(): Promise<void> };

export async function startKubeletServer(options: KubeletServerOptions): Promise<KubeletServer> {
  // The API server's limit: a command line to run is part of the URL.
  const maxHeaderSize = 1024 * 1024;
  const server = createServer(
    { maxHeaderSize },
    (request, response) => void answer(options, request, response),
  );
  const sockets = new WebSocketServer({
    noServer: true,
    handleProtocols: (offered) => execProtocols.find((protocol) => offered.has(protocol)) ?? false,
  });
  const connections = new Set<Duplex>();
  server.on('connection', (connection) => {
    connections.add(connection);
    connection.once('close', () => connections.delete(connection));
  });
  server.on('upgrade', (request, connection: Duplex, head: Buffer) => {
    connection.on('error', () => connection.destroy());
    const target = parseDialPath(request.url ?? '');
    if (target !== undefined) return void join(options, target, connection, head);
    const parsed = parseKubeletPath(request.url ?? '');
    const found: ExecTarget | Refusal =
      parsed?.verb === 'exec'
        ? safely(() => options.exec(parsed))
        : { code: 404, message: `no such path: ${request.url}` };
    if ('message' in found) return refuseUpgrade(connection, found);
    if (parsed?.verb !== 'exec') return;
    sockets.handleUpgrade(request, connection, head, (socket) => serveExec(socket, found, parsed.options));
  });
  rmSync(options.socket, { force: true });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.socket, resolve);
  });
  chmodSync(options.socket, 0o600);
  return {
    async close() {
      for (const connection of connections) connection.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
      rmSync(options.socket, { force: true });
    },
  };
}

/** The two connections are one from here on. */
async function join(
  { dial }: KubeletServerOptions,
  target: DialTarget,
  connection: Duplex,
  head: Buffer,
): Promise<void> {
  try {
    const socket = await dial(target);
    connection.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n');
    socket.write(head);
    pipeline(connection, socket, connection, () => {});
  } catch (error) {
    refuseUpgrade(connection, { code: 500, message: (error as Error).message });
  }
}

async function answer(
  options: KubeletServerOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const parsed = parseKubeletPath(request.url ?? '');
  if (parsed === undefined) return refuse(response, { code: 404, message: `no such path: ${request.url}` });
  if (parsed.verb === 'exec') return refuse(response, { code: 400, message: 'exec needs a WebSocket' });
  const reader = safely(() => options.logs(parsed));
  if ('message' in reader) return refuse(response, reader);
  const stop = new AbortController();
  response.once('close', () => stop.abort());
  response.writeHead(200, { 'content-type': 'text/plain' });
  response.flushHeaders();
  try {
    await readLogs(reader, logQuery(parsed.options), (text) => void response.write(text), stop.signal);
  } catch (error) {
    response.write(`the log can't be read: ${(error as Error).message}\n`);
  }
  response.end();
}

function logQuery(options: LogOptions): Parameters<typeof readLogs>[1] {
  const { sinceSeconds, sinceTime, ...rest } = options;
  const since =
    sinceTime === undefined ? sinceSeconds && Date.now() - sinceSeconds * 1000 : Date.parse(sinceTime);
  return since === undefined || Number.isNaN(since) ? rest : { ...rest, since };
}

function safely<T>(find: () => T | Refusal): T | Refusal {
  try {
    return find();
  } catch (error) {
    return { code: 500, message: (error as Error).message };
  }
}

function refuse(response: ServerResponse, { code, message }: Refusal): void {
  response.writeHead(code, { 'content-type': 'text/plain' });
  response.end(`${message}\n`);
}

function refuseUpgrade(connection: Duplex, { code, message }: Refusal): void {
  const body = `${message}\n`;
  const head = [
    `HTTP/1.1 ${code} ${STATUS_CODES[code]}`,
    'Content-Type: text/plain',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
  ];
  connection.end(`${head.join('\r\n')}\r\n\r\n${body}`);
}
