/**
 * The port that a request came in at. nginx writes it as text for each that asks; but a listening socket has one port for good, so each is
 * asked for once. That the memory where the socket should stand is one isn't assumed: its address must have that port.
 */
import { numericVariable, pointerAt, requestKey } from './request.ts';

const ffi = require('ffi') as FFI;

/** Of a request, behind its signature; of a connection, behind its data, events, descriptor and functions; of a socket, behind its descriptor. */
const connectionAt = 1;
const socketAt = 8;
const addressAt = 1;
const families = { ipv4: 2, ipv6: 10 } as const;

/** By address of the listening socket in memory. */
const ports: Record<number, number | undefined> = {};

/** 0: a unix socket, and nobody says by a PROXY header where it came in. */
export function portOf(pointer: FFIPointer): number {
  const socket = pointerAt(pointerAt(pointer, connectionAt), socketAt);
  const known = ports[requestKey(socket)];
  if (known !== undefined) return known;
  const port = numericVariable(pointer, 'server_port');
  // What comes from the stream part by a unix socket says in its PROXY header where it came in.
  if (port === 0) return numericVariable(pointer, 'proxy_protocol_server_port');
  if (hasPort(socket, port)) ports[requestKey(socket)] = port;
  return port;
}

function hasPort(socket: FFIPointer, port: number): boolean {
  const address = pointerAt(socket, addressAt);
  const family = (ffi.cast('uint16_t *', address) as unknown as FFICells<number>)[0]!;
  const bytes = ffi.cast('unsigned char *', address) as unknown as FFICells<number>;
  return (family === families.ipv4 || family === families.ipv6) && bytes[2]! * 256 + bytes[3]! === port;
}
