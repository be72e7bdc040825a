/**
 * Lines on nginx's standard output, each with one write of at most as much as a pipe takes at once. A pipe that is full is not waited for, since
 * all other requests of the worker would be.
 */
import { C } from './request.ts';

const ffi = require('ffi') as FFI;

ffi.cdef(`
struct netloom_pollfd { int fd; short events; short revents; };
int poll(struct netloom_pollfd *fds, unsigned long count, int timeout);
long write(int fd, const void *data, unsigned long length);
`);
const writable = ffi.new<{ fd: number; events: number }>('struct netloom_pollfd[1]');
writable[0]!.fd = 1;
/** POLLOUT. */
writable[0]!.events = 4;

/** `line` has its line break, and at most 4,096 bytes. False: it is left out. */
export function writeLine(line: string): boolean {
  return C.poll(writable, 1, 0) === 1 && C.write(1, line, line.length) >= 0;
}
