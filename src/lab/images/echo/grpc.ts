/** The echo server's gRPC answer (gRPC over HTTP/2): each message of any method comes back; the trailers end the call. */
import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2';

/** A message on the wire: one byte of flags, four of length, then the message. */
const prefixBytes = 5;
const maxMessageBytes = 4 * 1024 * 1024;

/** `grpc.health.v1.Health/Check` is answered with SERVING; a request header `x-status` chooses the status of any other call. */
export function answerGrpc(pod: string, stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
  stream.on('error', () => stream.destroy());
  const type = headers['content-type'] ?? '';
  if (!type.startsWith('application/grpc')) {
    stream.respond({ ':status': 415, 'content-type': 'text/plain' });
    stream.end('this port speaks gRPC only\n');
    return;
  }
  const wanted = headers['x-status'];
  const status = typeof wanted === 'string' && /^\d{1,2}$/.test(wanted) ? wanted : '0';
  let problem: string | undefined;
  stream.respond(
    { ':status': 200, 'content-type': 'application/grpc', 'x-pod': pod },
    { waitForTrailers: true },
  );
  stream.on('wantTrailers', () => {
    stream.sendTrailers({
      'grpc-status': problem === undefined ? status : '8',
      ...(problem === undefined ? {} : { 'grpc-message': problem }),
    });
  });
  const health = headers[':path'] === '/grpc.health.v1.Health/Check';
  let rest: Buffer = Buffer.alloc(0);
  stream.on('data', (chunk: Buffer) => {
    const { messages, left } = splitMessages(Buffer.concat([rest, chunk]));
    rest = left;
    if (rest.length > maxMessageBytes) {
      problem = 'message too large';
      stream.end();
      return;
    }
    if (!health) for (const message of messages) stream.write(message);
  });
  stream.on('end', () => {
    // HealthCheckResponse { status: SERVING }, field 1, varint 1.
    if (health) stream.write(frame(Buffer.of(0x08, 0x01)));
    stream.end();
  });
}

/** Whole messages with their prefixes, and what is left of the last. */
export function splitMessages(data: Buffer): { readonly messages: readonly Buffer[]; readonly left: Buffer } {
  const messages: Buffer[] = [];
  let at = 0;
  while (data.length - at >= prefixBytes) {
    const end = at + prefixBytes + data.readUInt32BE(at + 1);
    if (end > data.length) break;
    messages.push(data.subarray(at, end));
    at = end;
  }
  return { messages, left: data.subarray(at) };
}

/** A message, not compressed, with its prefix. */
export function frame(message: Buffer): Buffer {
  const prefix = Buffer.alloc(prefixBytes);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}
