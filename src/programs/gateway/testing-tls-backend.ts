/**
 * HTTPS backends for tests, as a program inside a sandbox: `testing-tls-backend.ts NAME PORT CERTIFICATE KEY [AUTHORITY]`, files in PEM; with
 * an authority clients need a certificate. Answers what it saw, as JSON (`Seen`), by HTTP/2 or HTTP/1.1; `?wait=MS` before the answer.
 */
import { readFileSync } from 'node:fs';
import { createSecureServer, type Http2ServerRequest } from 'node:http2';
import type { TLSSocket } from 'node:tls';

export type Seen = {
  readonly name: string;
  readonly version: string;
  readonly servername: string;
  /** Common name of the client's certificate. */
  readonly client: string;
  /** How many requests came over the same connection before. */
  readonly earlier: number;
};

const [name = '', port = '', certificate = '', key = '', authority] = process.argv.slice(2);
const requests = new WeakMap<object, number>();
const server = createSecureServer(
  {
    allowHTTP1: true,
    cert: readFileSync(certificate),
    key: readFileSync(key),
    ...(authority !== undefined && {
      ca: readFileSync(authority),
      requestCert: true,
      rejectUnauthorized: true,
    }),
  },
  (request, response) => {
    const socket = socketOf(request);
    const earlier = requests.get(socket) ?? 0;
    requests.set(socket, earlier + 1);
    const seen: Seen = {
      name,
      version: request.httpVersion,
      servername: String(socket.servername),
      client: String(socket.getPeerCertificate().subject?.CN ?? ''),
      earlier,
    };
    const { searchParams } = new URL(request.url, 'http://test');
    setTimeout(() => response.end(JSON.stringify(seen)), Number(searchParams.get('wait') ?? 0));
  },
);
server.on('sessionError', () => {});
server.listen(Number(port), () => process.stdout.write('ready\n'));

/** Of HTTP/2 the session's. */
function socketOf(request: Http2ServerRequest): TLSSocket {
  const { session } = (request.stream as { session?: { socket: TLSSocket } } & object) ?? {};
  return session?.socket ?? (request.socket as TLSSocket);
}
