/** Which of a machine's addresses node ports answer at. */
import type { NetworkInterfaceInfo } from 'node:os';
import { expect, it } from 'vitest';
import { nodePortAddresses, readSelection } from './node-port-addresses.ts';

const info = (address: string, internal = false) => ({ address, internal }) as NetworkInterfaceInfo;
const interfaces = {
  lo: [info('127.0.0.1', true), info('::1', true), info('203.0.113.9', true)],
  eth0: [info('192.168.66.11'), info('192.168.66.12'), info('fd66::11'), info('fe80::5')],
  eth1: [info('10.0.0.11')],
  nlvx0: [info('10.244.1.1')],
  nlpabc: [info('169.254.1.1')],
};
const primary = ['192.168.66.11', 'fd66::11'];
const chosen = (...values: string[]) => nodePortAddresses(readSelection(values), primary, interfaces);

it('are the primary ones unless prefixes are given', () => {
  expect(chosen()).toEqual(primary);
  expect(chosen('primary')).toEqual(primary);
});

it('are the ones in the prefixes, never loopback, link-local or our own', () => {
  expect(chosen('192.168.66.0/24,fd66::/64')).toEqual(['192.168.66.11', '192.168.66.12', 'fd66::11']);
  expect(chosen('0.0.0.0/0', '::/0')).toEqual(['10.0.0.11', '192.168.66.11', '192.168.66.12', 'fd66::11']);
  expect(chosen('127.0.0.0/8')).toEqual([]);
});

it.each(['everywhere', '10.0.0.1', 'primary,10.0.0.0/8'])('%s is refused', (value) => {
  expect(() => readSelection([value])).toThrow('--nodeport-addresses');
});
