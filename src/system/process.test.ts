/** Children end, in time and with what they said. */
import { describe, expect, it } from 'vitest';
import { eventually } from '#lab/eventually.ts';
import { must, openLineProcess, type RunOptions, run } from './process.ts';

describe('run', () => {
  it('gives exit code, signal and both outputs', async () => {
    expect(await run(['sh', '-c', 'cat; echo bad >&2; exit 3'], { input: 'in' })).toEqual({
      code: 3,
      stdout: 'in',
      stderr: 'bad\n',
    });
    expect((await run(['sh', '-c', 'kill -9 $$'])).code).toBe(137);
  });

  it('tells each line as it comes, and the last one without an end', async () => {
    const lines: string[] = [];
    await run(['printf', 'one\\ntwo'], { onLine: (line) => lines.push(line) });
    expect(lines).toEqual(['one', 'two']);
  });

  it('takes no part in a program that ends without reading its input', async () => {
    expect((await run(['true'], { input: 'x'.repeat(1 << 20) })).code).toBe(0);
  });

  it.each<[string, string[], RunOptions, number, string]>([
    ['that is not there', ['no-such-program'], {}, 127, 'spawn no-such-program ENOENT\n'],
    ['in a namespace that is not there', ['true'], { namespace: '/no/such/ns' }, 127, '/no/such/ns'],
    ['that runs too long', ['sleep', '60'], { timeoutMs: 50 }, 124, 'killed after 50 ms\n'],
    [
      'whose grandchild holds the pipe',
      ['sh', '-c', 'setsid sleep 2 & wait'],
      { timeoutMs: 50 },
      124,
      'killed',
    ],
    ['that says too much', ['yes'], { outputLimit: 100_000 }, 137, 'more than 100000 bytes of output\n'],
  ])('answers for a program %s', async (_, argv, options, code, why) => {
    expect(await run(argv, options)).toMatchObject({ code, stderr: expect.stringContaining(why) });
  });

  it('kills what the program started, too', async () => {
    const { stdout } = await run(['sh', '-c', 'sleep 60 & echo $!; wait'], { timeoutMs: 200 });
    await eventually(() => expect(() => process.kill(Number(stdout), 0)).toThrow('ESRCH'));
  });
});

describe('must', () => {
  it('is the output, or says what the program said', async () => {
    expect(await must(['echo', 'yes'])).toBe('yes\n');
    await expect(must(['sh', '-c', 'echo no >&2; exit 2'])).rejects.toThrow(': exit 2: no');
  });
});

describe('openLineProcess', () => {
  it('speaks in lines, hands over the last one, and ends when its input does', async () => {
    const lines: string[] = [];
    const exits: unknown[] = [];
    const child = openLineProcess(['cat'], {
      onStdout: (line) => lines.push(line),
      onExit: (end) => exits.push(end),
    });
    await child.write('one\ntw');
    await child.write('o\nthree');
    await child.close();
    expect(lines).toEqual(['one', 'two', 'three']);
    expect(exits).toEqual([{ code: 0, signal: undefined }]);
    expect(child.alive).toBe(false);
    await expect(child.write('more')).rejects.toThrow('has ended');
  });

  it('is killed when it does not end by itself, or when a line never ends', async () => {
    const stubborn = openLineProcess(['sleep', '60']);
    await stubborn.close(20);
    const said: string[] = [];
    await new Promise<void>((resolve) => {
      const options = {
        lineLimit: 1000,
        onStderr: (line: string) => said.push(line),
        onExit: () => resolve(),
      };
      openLineProcess(['sh', '-c', 'head -c 100000 /dev/zero | tr "\\0" x; sleep 2'], options);
    });
    expect(said).toEqual(['killed: a line of more than 1000 bytes']);
  });

  it('tells when it can not be started', async () => {
    const said: string[] = [];
    const exits: unknown[] = [];
    const child = openLineProcess(['no-such-program'], {
      onStderr: (line) => said.push(line),
      onExit: (end) => exits.push(end),
    });
    await child.close();
    expect(said).toEqual(['spawn no-such-program ENOENT']);
    expect(exits).toHaveLength(1);
  });
});
