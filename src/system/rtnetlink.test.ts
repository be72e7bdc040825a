/** Netlink: bytes there and back, and batches, dumps and notifications against the real kernel. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '#lab/eventually.ts';
import { openSandbox, type Sandbox } from '#lab/sandbox.ts';
import {
  bytes,
  flag,
  nested,
  type Request,
  readAttributes,
  readMessages,
  readText,
  readU32,
  request,
  text,
  u32,
  wireLength,
  writeRequest,
} from './netlink-codec.ts';
import { group, openMonitor, openRouteSocket } from './rtnetlink.ts';

const [newLink, delLink, getLink] = [16, 17, 18];
const [ifname, linkinfo, kind] = [3, 18, 1];

function link(type: number, flags: number, name: string, ...more: Buffer[]): Request {
  return request(type, flags, Buffer.alloc(16), text(ifname, name), ...more);
}
const bridge = (name: string) =>
  link(newLink!, flag.CREATE | flag.EXCL, name, nested(linkinfo!, text(kind!, 'bridge')));

let box: Sandbox;
beforeAll(async () => {
  box = await openSandbox();
});
afterAll(() => box.close());

describe('the codec', () => {
  it('reads back what it wrote, in any number and length', () => {
    const attribute = fc.record({
      type: fc.integer({ min: 1, max: 500 }),
      value: fc.uint8Array({ maxLength: 40 }),
    });
    const message = fc.uniqueArray(attribute, { selector: ({ type }) => type });
    fc.assert(
      fc.property(fc.array(message, { maxLength: 5 }), (messages) => {
        const requests = messages.map((list) =>
          request(7, 0, ...list.map(({ type, value }) => bytes(type, value))),
        );
        const datagram = Buffer.alloc(
          requests.reduce((sum, each) => sum + wireLength(each), 0),
          0xff,
        );
        requests.reduce((offset, each, index) => writeRequest(datagram, offset, each, index), 0);
        const read = readMessages(datagram).map((each) => ({
          sequence: each.sequence,
          attributes: [...readAttributes(each.payload)].map(([type, value]) => ({
            type,
            value: Uint8Array.from(value),
          })),
        }));
        expect(read).toEqual(messages.map((attributes, sequence) => ({ sequence, attributes })));
      }),
    );
  });

  it('survives any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (noise) => {
        for (const { payload } of readMessages(Buffer.from(noise))) readAttributes(payload);
      }),
    );
  });

  it('reads numbers and nested texts', () => {
    const { payload } = request(1, 0, u32(5, 0xffff_fffe), nested(6, text(1, 'veth')));
    const attributes = readAttributes(Buffer.from(payload));
    expect(readU32(attributes, 5)).toBe(0xffff_fffe);
    expect(readText(readAttributes(attributes.get(6)!), 1)).toBe('veth');
    expect(readU32(attributes, 9)).toBeUndefined();
  });
});

describe('a route socket', () => {
  it('tells of each request in a batch whether it was done, and why not', () => {
    const socket = openRouteSocket(box.namespace);
    const outcomes = socket.request([
      bridge('br-a'),
      bridge('br-a'),
      link(getLink!, 0, 'br-a'),
      link(delLink!, 0, 'none'),
    ]);
    expect(outcomes.map(({ error }) => error?.code)).toEqual([undefined, 'EEXIST', undefined, 'ENODEV']);
    expect(readText(readAttributes(outcomes[2]!.replies[0]!.payload, 16), ifname!)).toBe('br-a');
    expect(() => socket.one(link(delLink!, 0, 'none'))).toThrow('netlink: no such device');
    socket.close();
  });

  it("carries the kernel's own sentence", () => {
    const socket = openRouteSocket(box.namespace);
    const route = Buffer.alloc(12);
    route.set([2, 32, 0, 0, 254, 4, 0, 1]);
    const unreachable = request(
      24,
      flag.CREATE,
      route,
      bytes(1, Uint8Array.of(10, 0, 0, 1)),
      bytes(5, Uint8Array.of(10, 9, 9, 9)),
    );
    expect(() => socket.one(unreachable)).toThrow(/network is unreachable: Nexthop has invalid gateway/i);
    socket.close();
  });

  it('sends thousands in one go, all of them failing', async () => {
    const socket = openRouteSocket(box.namespace);
    const many = Array.from({ length: 5_000 }, () => link(delLink!, 0, 'none'));
    expect(socket.request(many).every(({ error }) => error?.code === 'ENODEV')).toBe(true);
    const later = await socket.requestAsync(many);
    expect(later.every(({ error }) => error?.code === 'ENODEV')).toBe(true);
    socket.close();
  });

  it('dumps what is there, at once or in pieces', async () => {
    const socket = openRouteSocket(box.namespace);
    socket.request(Array.from({ length: 60 }, (_, index) => bridge(`many${index}`)));
    const all = request(getLink!, 0, Buffer.alloc(16));
    const name = ({ payload }: { payload: Buffer }) => readText(readAttributes(payload, 16), ifname!);
    const names = socket.dump(all, name).filter((each) => each.startsWith('many'));
    expect(names.toSorted()).toEqual(Array.from({ length: 60 }, (_, index) => `many${index}`).toSorted());
    let pauses = 0;
    const pause = () => {
      pauses++;
      return Promise.resolve();
    };
    expect((await socket.dumpPaced(all, name, pause)).filter((each) => each.startsWith('many'))).toEqual(
      names,
    );
    expect(pauses).toBeGreaterThan(1);
    socket.close();
  });

  it('closes twice without harm', () => {
    const socket = openRouteSocket(box.namespace);
    socket.close();
    socket.close();
  });
});

describe('a monitor', () => {
  it('tells what others do and leaves out what the given socket does', async () => {
    const mine = openRouteSocket(box.namespace);
    const seen: string[] = [];
    const monitor = openMonitor({
      namespace: box.namespace,
      groups: [group.IPV4_ADDRESS],
      ignorePort: mine.port,
      onMessages: (messages) => seen.push(...messages.map(({ type }) => `${type}`)),
      onLost: () => seen.push('lost'),
    });
    const address = (last: number) => {
      const header = Buffer.alloc(8);
      header.set([2, 32, 0, 0, 1]);
      return request(20, flag.CREATE, header, bytes(2, Uint8Array.of(127, 0, 0, last)));
    };
    mine.one(address(9));
    await box.exec(['ip', 'address', 'add', '127.0.0.8/32', 'dev', 'lo']);
    await eventually(() => expect(seen).toEqual(['20']));
    monitor.close();
    mine.close();
  });
});
