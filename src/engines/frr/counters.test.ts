/** FRR's counters by MetalLB's names; what isn't there is not told. */
import { expect, test } from 'vitest';
import { readMessages, readPackets } from './counters.ts';

test('messages of BGP', () => {
  const text = JSON.stringify({
    '192.168.66.1': { bgpState: 'Established', messageStats: { opensSent: 1, updatesRecv: 7, depthInq: 0 } },
    eth0: { bgpState: 'Idle' },
    vrfId: 0,
  });
  expect([...readMessages(text)]).toEqual([['192.168.66.1', { updates_total_received: 7, opens_sent: 1 }]]);
  expect([...readMessages('% no such thing')]).toEqual([]);
});

test('packets of BFD', () => {
  const text = JSON.stringify([
    { multihop: false, peer: '192.168.66.1', 'control-packet-input': 5, 'session-down': 2 },
    { label: 'x' },
  ]);
  expect([...readPackets(text)]).toEqual([
    ['192.168.66.1', { control_packet_input: 5, session_down_events: 2 }],
  ]);
  expect([...readPackets('{}')]).toEqual([]);
});
