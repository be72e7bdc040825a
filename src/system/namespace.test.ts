/** Entering a namespace is for the length of one call, whatever happens in it. */
import { closeSync, fstatSync, readlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openSandbox, type Sandbox } from '#lab/sandbox.ts';
import { linux } from './libc.ts';
import { inNamespace, listenFdIn, socketIn } from './namespace.ts';
import { must, run } from './process.ts';
import { readSysctl, writeSysctl } from './sysctl.ts';

let box: Sandbox;
beforeAll(async () => {
  box = await openSandbox();
});
afterAll(() => box.close());

const here = () => readlinkSync('/proc/thread-self/ns/net');

describe('inNamespace', () => {
  it('runs there and comes back', () => {
    const home = here();
    const there = inNamespace(box.namespace, here);
    expect(there).toBe(readlinkSync(box.namespace));
    expect(there).not.toBe(home);
    expect(here()).toBe(home);
  });

  it('comes back from a failure too, and leaves no file open', () => {
    const home = here();
    expect(() =>
      inNamespace(box.namespace, () => {
        throw new Error('in there');
      }),
    ).toThrow('in there');
    expect(() => inNamespace('/proc/none', here)).toThrow(/ENOENT/);
    expect(() => inNamespace('/proc/self/status', here)).toThrow(/setns: invalid argument/);
    expect(here()).toBe(home);
    const [a, b] = [0, 1].map(() => {
      const fd = socketIn(undefined, linux.AF_INET, linux.SOCK_DGRAM, 0);
      closeSync(fd);
      inNamespace(box.namespace, here);
      return fd;
    });
    expect(a).toBe(b);
  });

  it('refuses work that would go on after it is back', () => {
    expect(() => inNamespace(box.namespace, () => Promise.resolve())).toThrow('must be synchronous');
  });

  it('starts children there', async () => {
    await box.exec(['ip', 'link', 'set', 'lo', 'up']);
    expect(await must(['readlink', '/proc/self/ns/net'], { namespace: box.namespace })).toBe(
      `${readlinkSync(box.namespace)}\n`,
    );
  });

  it('reads and writes the sysctls of there', () => {
    const own = readSysctl('net/ipv4/ip_default_ttl');
    writeSysctl('net/ipv4/ip_default_ttl', '99', box.namespace);
    expect(readSysctl('net/ipv4/ip_default_ttl', box.namespace)).toBe('99');
    expect(readSysctl('net/ipv4/ip_default_ttl')).toBe(own);
    expect(readSysctl('net/ipv4/none', box.namespace)).toBeUndefined();
    expect(() => readSysctl('net/../../etc/passwd')).toThrow(TypeError);
  });
});

describe('listenFdIn', () => {
  it.each(['127.0.0.1', '::1'])('listens on %s there while the program runs here', async (address) => {
    await box.exec(['ip', 'link', 'set', 'lo', 'up']);
    const fd = listenFdIn(box.namespace, address, 8080);
    const server = createServer((socket) => socket.end('hello from here\n'));
    await new Promise<void>((resolve) => server.listen({ fd }, resolve));
    const client = `require('net').connect(8080, '${address}').pipe(process.stdout)`;
    const { stdout } = await run(['node', '-e', client], { namespace: box.namespace, timeoutMs: 10_000 });
    expect(stdout).toBe('hello from here\n');
    expect(() => listenFdIn(box.namespace, address, 8080)).toThrow(/address already in use/);
    await new Promise((resolve) => server.close(resolve));
    expect(() => fstatSync(fd)).toThrow();
  });

  it('says what is no address', () => {
    expect(() => listenFdIn(undefined, 'localhost', 1)).toThrow('not an IP address: localhost');
  });
});
