/** Deleting UDP flows in a real kernel. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openSandbox, type Sandbox } from '#lab/sandbox.ts';
import { flowAddress } from './conntrack.ts';
import { openUdpFlows, type UdpFlow, type UdpFlows } from './udp-flows.ts';

let box: Sandbox;
let flows: UdpFlows;
beforeAll(async () => {
  box = await openSandbox();
  flows = openUdpFlows(box.namespace);
});
afterAll(async () => {
  flows?.close();
  await box?.close();
});
beforeEach(async () => {
  const entries = [
    '-s 10.0.0.1 -d 10.96.0.1 -r 10.244.0.2 -q 10.0.0.1 -p udp --sport 1000 --dport 53 --reply-port-src 5353 --reply-port-dst 1000 -t 600 -u SEEN_REPLY',
    '-s 10.0.0.1 -d 10.96.0.1 -p udp --sport 1001 --dport 53 -t 600',
    '-s 10.0.0.1 -d 10.96.0.1 -p udp --sport 1002 --dport 54 -t 600',
    '-s fd00::1 -d fd00:96::1 -r fd00:244::2 -q fd00::1 -p udp --sport 1003 --dport 53 --reply-port-src 5353 --reply-port-dst 1003 -t 600 -u SEEN_REPLY,ASSURED',
    '-s 10.0.0.1 -d 10.96.0.1 -p tcp --sport 1004 --dport 53 --state ESTABLISHED -t 600',
  ];
  await box.exec(['conntrack', '-F']);
  for (const entry of entries) {
    const made = await box.exec(['conntrack', '-I', ...entry.split(' ')]);
    if (made.code !== 0) throw new Error(made.stderr);
  }
});

/** Source ports of what is there. */
async function left(): Promise<number[]> {
  const lists = await Promise.all(
    ['ipv4', 'ipv6'].map((family) => box.exec(['conntrack', '-L', '-f', family])),
  );
  const ports = lists.flatMap(({ stdout }) =>
    stdout.split('\n').flatMap((line) => /\bsport=(100\d)\b/.exec(line)?.[1] ?? []),
  );
  return ports.map(Number).sort((a, b) => a - b);
}

describe('UDP flows', () => {
  it('are seen with where they were sent and who answers, TCP is not', async () => {
    const seen: UdpFlow[] = [];
    const look = (flow: UdpFlow) => {
      seen.push(flow);
      return false;
    };
    expect(await flows.remove(undefined, look)).toBe(0);
    expect(seen).toHaveLength(4);
    expect(seen).toContainEqual({
      destination: flowAddress('10.96.0.1'),
      destinationPort: 53,
      target: flowAddress('10.244.0.2'),
      targetPort: 5353,
      state: 'answered',
    });
    expect(seen.map(({ state }) => state).toSorted()).toEqual(['answered', 'asked', 'asked', 'stream']);
    seen.length = 0;
    await flows.remove([{ address: 'fd00:96::1', port: 53 }], look);
    expect(seen).toEqual([
      {
        destination: flowAddress('fd00:96::1'),
        destinationPort: 53,
        target: flowAddress('fd00:244::2'),
        targetPort: 5353,
        state: 'stream',
      },
    ]);
    expect(await left()).toEqual([1000, 1001, 1002, 1003, 1004]);
  });

  it('of several frontends are seen by one look, and no others', async () => {
    const ports: number[] = [];
    const sentTo = [
      { address: '10.96.0.1', port: 54 },
      { address: '10.96.0.9', port: 53 },
      { address: 'fd00:96::1', port: 53 },
      { address: 'fd00:96::1', port: 54 },
    ];
    const look = ({ destinationPort }: UdpFlow) => ports.push(destinationPort) > 0;
    expect(await flows.remove(sentTo, look)).toBe(2);
    expect(ports).toEqual([54, 53]);
    expect(await left()).toEqual([1000, 1001, 1004]);
  });

  it('are deleted where it is said, and no others', async () => {
    const toPod = ({ target }: UdpFlow) => target === flowAddress('10.244.0.2');
    expect(await flows.remove([{ address: '10.96.0.1', port: 54 }], toPod)).toBe(0);
    expect(await flows.remove([{ address: '10.96.0.1', port: 53 }], toPod)).toBe(1);
    expect(await left()).toEqual([1001, 1002, 1003, 1004]);
    expect(await flows.remove([{ address: '10.96.0.1', port: 53 }], () => true)).toBe(1);
    expect(await left()).toEqual([1002, 1003, 1004]);
    expect(await flows.remove(undefined, () => true)).toBe(2);
    expect(await left()).toEqual([1004]);
  });
});
