/** Marks of connections in a real kernel. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openSandbox, type Sandbox } from '#lab/sandbox.ts';
import { flowAddress } from './conntrack.ts';
import { openTrackedFlows, type TrackedFlow, type TrackedFlows } from './ctnetlink.ts';

let box: Sandbox;
let flows: TrackedFlows;
const bit = 0x80_0000;
beforeAll(async () => {
  box = await openSandbox();
  flows = openTrackedFlows(box.namespace);
  const entries = [
    '-s 10.0.0.1 -d 10.96.0.1 -r 10.0.0.2 -q 10.0.0.1 -p tcp --sport 1000 --dport 80 --reply-port-src 8080 --reply-port-dst 1000 --state ESTABLISHED -t 600 -m 0x2001',
    '-s 10.0.0.3 -d 10.0.0.1 -p udp --sport 1001 --dport 53 -t 600 -m 0x4000',
    '-s fd00::1 -d fd00::2 -p tcp --sport 1002 --dport 443 --state ESTABLISHED -t 600 -m 1',
    '-s 10.0.0.4 -d 10.0.0.5 -p icmp --icmp-type 8 --icmp-code 0 --icmp-id 7 -t 600',
  ];
  for (const entry of entries) {
    const made = await box.exec(['conntrack', '-I', ...entry.split(' ')]);
    if (made.code !== 0) throw new Error(made.stderr);
  }
});
afterAll(async () => {
  flows?.close();
  await box?.close();
});

async function seen(addresses?: readonly string[]): Promise<TrackedFlow[]> {
  const all: TrackedFlow[] = [];
  const changed = await flows.mark(bit, addresses, (flow) => {
    all.push(flow);
    return undefined;
  });
  expect(changed).toBe(0);
  return all.sort((a, b) => a.targetPort - b.targetPort);
}

async function marks(): Promise<string[]> {
  const listings = await Promise.all(
    ['ipv4', 'ipv6'].map((family) => box.exec(['conntrack', '-L', '-f', family])),
  );
  return listings.flatMap(({ stdout }) => stdout.match(/mark=\d+/g) ?? []).sort();
}

describe('tracked flows', () => {
  it('are seen with who opened them and who answers', async () => {
    const at = (source: string, target: string, protocol: number, targetPort: number) => ({
      protocol,
      source: flowAddress(source),
      target: flowAddress(target),
      targetPort,
    });
    const udp = at('10.0.0.3', '10.0.0.1', 17, 53);
    const tcp = at('10.0.0.1', '10.0.0.2', 6, 8080);
    const six = at('fd00::1', 'fd00::2', 6, 443);
    expect(await seen()).toEqual([at('10.0.0.4', '10.0.0.5', 1, 0), udp, six, tcp]);
    expect(await seen(['10.0.0.1'])).toEqual([udp, tcp]);
    expect(await seen(['10.0.0.2'])).toEqual([tcp]);
    expect(await seen(['10.96.0.1'])).toEqual([]);
    expect(await seen(['fd00::2', '10.0.0.9'])).toEqual([six]);
  });

  it('have one bit of their marks set and cleared, and every other left', async () => {
    expect(await flows.mark(bit, undefined, ({ protocol }) => protocol !== 1)).toBe(3);
    expect(await marks()).toEqual(
      [0x2001, 0x4000, 1]
        .map((mark) => `mark=${mark | bit}`)
        .concat('mark=0')
        .sort(),
    );
    expect(await flows.mark(bit, undefined, () => true)).toBe(1);
    expect(await flows.mark(bit, ['10.0.0.1'], () => false)).toBe(2);
    expect(await marks()).toEqual(
      [`mark=${0x2001}`, `mark=${0x4000}`, `mark=${1 | bit}`, `mark=${bit}`].sort(),
    );
  });

  it('are found in a large table as in a small one', async () => {
    const script = `for i in $(seq 0 249); do for j in $(seq 0 17); do
      echo "-I -s 172.16.$j.$i -d 172.17.0.1 -p udp --sport 1 --dport 2 -t 600"; done; done | conntrack -R -`;
    const made = await box.exec(['sh', '-c', script]);
    expect(made).toMatchObject({ code: 0 });
    const targets = async (...addresses: string[]) =>
      (await seen(addresses)).map(({ targetPort }) => targetPort);
    expect(await targets('10.0.0.1')).toEqual([53, 8080]);
    expect(await targets('10.0.0.1', 'fd00::2')).toEqual([53, 443, 8080]);
    expect(await targets('172.16.3.7')).toEqual([2]);
  });
});
