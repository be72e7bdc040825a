/** The log reader against bytes and against the real kernel: batches, lost records, a group that somebody else has. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '#lab/eventually.ts';
import { openSandbox, type Sandbox } from '#lab/sandbox.ts';
import { bytes, request, text } from './netlink-codec.ts';
import { createNflogReader, joinRequest, type NflogReader, readNflogRecord } from './nflog.ts';

describe('the codec', () => {
  it('asks for packets cut short, in batches, numbered', () => {
    const { type, payload } = joinRequest(0x6e6c);
    expect(type).toBe(0x401);
    expect(Buffer.from(payload).toString('hex')).toBe(
      [
        '00006e6c',
        '0500010001000000',
        '0a00020000000080020000' + '00',
        '0800040000000005',
        '0800050000000020',
        '0600060000010000',
      ].join(''),
    );
  });

  it('reads a record whatever is missing in it', () => {
    const header = Buffer.from([2, 0, 0x6e, 0x6c]);
    const record = (...attributes: Buffer[]) =>
      readNflogRecord({ payload: Buffer.from(request(0x400, 0, header, ...attributes).payload) });
    expect(
      record(bytes(12, Uint8Array.of(0, 0, 1, 2)), text(10, 'why '), bytes(9, Uint8Array.of(0x45))),
    ).toEqual({
      prefix: 'why ',
      packet: Buffer.of(0x45),
      sequence: 258,
    });
    expect(record()).toEqual({ prefix: '', packet: Buffer.alloc(0), sequence: undefined });
  });
});

describe('in the kernel', () => {
  let box: Sandbox;
  let namespace: string;
  let reader: NflogReader;
  let prefixes: string[] = [];
  let lost = 0;
  const open = () =>
    createNflogReader({
      namespace,
      group: 77,
      onRecords: (records) => {
        for (const { prefix, packet } of records) prefixes.push(`${prefix}${packet.length} ${packet[9]}`);
      },
      onLost: (records) => {
        lost += records;
      },
      onError: (error) => {
        throw error;
      },
    });
  const run = async (script: string) => {
    const result = await box.exec(['sh', '-ec', script], { netns: 'a' });
    if (result.code !== 0) throw new Error(result.stderr);
    return result.stdout;
  };
  const flood = (packets: number) => run(`ping -q -f -c${packets} -s 200 127.0.0.1 >/dev/null`);
  const group = () => run(`awk '$1 == 77' /proc/net/netfilter/nfnetlink_log`);

  beforeEach(async () => {
    box = await openSandbox();
    namespace = await box.addNamespace('a');
    await run(`ip link set lo up; nft add table inet t; nft add chain inet t c '{ type filter hook output priority 0; }'
      nft add rule inet t c icmp type echo-request log prefix '"why "' group 77`);
    [prefixes, lost] = [[], 0];
    reader = open();
  });
  afterEach(async () => {
    reader.close();
    await box.close();
  });

  it('gives records in batches between joining and leaving, and again', async () => {
    await flood(3);
    reader.join();
    expect(await group()).not.toBe('');
    await flood(100);
    await eventually(() => expect(prefixes).toHaveLength(100));
    expect(new Set(prefixes)).toEqual(new Set(['why 128 1']));
    reader.leave();
    expect(await group()).toBe('');
    await flood(5);
    reader.join();
    await flood(2);
    await eventually(() => expect(prefixes).toHaveLength(102));
    expect(lost).toBe(0);
  });

  it('counts what is lost, and goes on', async () => {
    reader.join();
    // The loop doesn't turn meanwhile, as in a process that is busy.
    const busy = box.exec(['ping', '-q', '-f', '-c4000', '-s', '200', '127.0.0.1'], { netns: 'a' });
    const until = Date.now() + 2_000;
    while (Date.now() < until);
    await busy;
    let sent = 4_000;
    // What was lost is known by the number of the next one that isn't.
    await eventually(async () => {
      await flood(1);
      sent += 1;
      expect(lost).toBeGreaterThan(0);
    });
    await eventually(() => expect(prefixes.length + lost).toBe(sent));
  });

  it('says so when another socket has the group, and gets it when that is gone', async () => {
    const other = open();
    other.join();
    expect(() => reader.join()).toThrow(/nfnetlink_log: operation not permitted/);
    other.close();
    await eventually(() => reader.join());
    await flood(1);
    await eventually(() => expect(prefixes).toHaveLength(1));
  });
});
