/** When a node may assign, and what a pod is told when it may not. */
import { afterEach, expect, test, vi } from 'vitest';
import { emptyState } from '#compile/ipam/state.ts';
import { emptyIntent, type NodeIntent, type SelfIntent } from '#intent/node.ts';
import { createAddresses } from './addresses.ts';

const self = (some: Partial<SelfIntent> = {}): SelfIntent => ({
  origin: { kind: 'Node', name: 'n1' },
  node: 'n1',
  nodeUID: 'u',
  addresses: ['192.168.66.11'],
  blocks: [{ cidr: '10.244.0.64/26', subnet: 'default', claim: 'c' }],
  tunnelAddresses: [],
  assignUntil: Date.now() + 60_000,
  ...some,
});
const subnets: NodeIntent['subnets'] = {
  default: {
    origin: { kind: 'Subnet', name: 'default' },
    cidrs: ['10.244.0.0/16'],
    mode: 'overlay',
    masquerade: true,
    allowFrom: [],
    excluded: [],
  },
};
const pod = { namespace: 'shop', name: 'web', uid: 'u' };

function open(some: Partial<NodeIntent> = {}) {
  const intent: NodeIntent = {
    ...emptyIntent,
    subnets,
    namespaces: { shop: { subnet: 'default' } },
    pods: { 'shop/web': { uid: 'u' } },
    ...some,
  };
  const journal = { append: async () => {}, close: async () => {} };
  const state = emptyState();
  const addresses = createAddresses({ node: 'n1', state, journal, intent, restMs: 30_000 });
  let key = 0;
  const ask = (): string => {
    const answer = addresses.assign({ key: `c${++key}/eth0`, pod, network: 'netloom' });
    return 'refused' in answer ? answer.refused : answer.assignment.addresses.join();
  };
  return { addresses, state, ask };
}

afterEach(() => void vi.useRealTimers());

test('a lease ends although the clock was set back, and although changes keep coming', () => {
  vi.useFakeTimers({ toFake: ['Date', 'performance'] });
  const { addresses, ask } = open();
  const lease = self();
  addresses.setSelf(lease);
  expect(ask()).toBe('10.244.0.64');
  vi.advanceTimersByTime(40_000);
  vi.setSystemTime(Date.now() - 3_600_000);
  addresses.setSelf({ ...lease });
  expect(ask()).toBe('10.244.0.65');
  vi.advanceTimersByTime(30_000);
  addresses.setSelf({ ...lease });
  expect(ask()).toContain('has not renewed its lease');
  addresses.setSelf(self());
  expect(ask()).toBe('10.244.0.66');
});

test('without a Subnet for the namespace the pod is told which object to create', () => {
  const none = open({ subnets: {}, namespaces: {} });
  none.addresses.setSelf(self({ blocks: [] }));
  expect(none.ask()).toContain('no Subnet serves namespace shop: create the Subnet "default"');
  const young = open({ namespaces: {} });
  young.addresses.setSelf(self());
  expect(young.ask()).toContain('namespace shop is not known on this node yet');
});

test('addresses that rested in a block that is long gone are forgotten', async () => {
  vi.useFakeTimers({ toFake: ['Date', 'performance'] });
  const { addresses, ask, state } = open();
  const lease = { assignUntil: Date.now() + 3_600_000 };
  addresses.setSelf(self(lease));
  ask();
  await addresses.release('c1/eth0');
  addresses.setSelf(self({ ...lease, blocks: [] }));
  expect(addresses.usage()).toMatchObject([{ assigned: 0, resting: 1 }]);
  vi.advanceTimersByTime(31_000);
  addresses.setSelf(self({ ...lease, blocks: [] }));
  expect(addresses.usage()).toEqual([]);
  expect(state.resting.size).toBe(0);
});
