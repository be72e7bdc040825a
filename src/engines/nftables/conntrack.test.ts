/** Which UDP flows a real kernel forgets. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openSandbox, type Sandbox } from '#lab/sandbox.ts';
import { createConntrack } from './conntrack.ts';

let box: Sandbox;
beforeAll(async () => {
  box = await openSandbox();
});
afterAll(() => box?.close());

const states = { 1001: [], 1002: ['-u', 'SEEN_REPLY'], 1003: ['-u', 'SEEN_REPLY,ASSURED'] } as const;

/** Source ports of what is there. */
const left = async () => {
  const { stdout } = await box.exec(['conntrack', '-L', '-p', 'udp']);
  return [...stdout.matchAll(/ sport=(100\d) dport=53 /g)]
    .map(([, port]) => Number(port))
    .sort((a, b) => a - b);
};

it('of a backend that ends only questions that were answered, of one that is gone all', async () => {
  for (const [port, more] of Object.entries(states)) {
    const tuple = `-s 10.0.0.1 -d 10.96.0.1 -r 10.244.0.2 -q 10.0.0.1 -p udp --sport ${port} --dport 53`;
    const reply = `--reply-port-src 5353 --reply-port-dst ${port} -t 600`;
    const made = await box.exec(['conntrack', '-I', ...tuple.split(' '), ...reply.split(' '), ...more]);
    expect(made.stderr).toContain('1 flow entries');
  }
  const conntrack = createConntrack(box.namespace);
  try {
    const flow = { address: '10.96.0.1', port: 53, backend: { address: '10.244.0.2', port: 5353 } };
    await conntrack.forget([{ ...flow, only: 'answered' }]);
    expect(await left()).toEqual([1001, 1003]);
    await conntrack.forget([flow]);
    expect(await left()).toEqual([]);
  } finally {
    conntrack.close();
  }
});
