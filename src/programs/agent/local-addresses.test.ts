/** Which of a machine's addresses are its own to the policies of its pods. */
import type { NetworkInterfaceInfo } from 'node:os';
import { expect, it } from 'vitest';
import { localAddresses } from './local-addresses.ts';

const info = (address: string) => ({ address }) as NetworkInterfaceInfo;

it('are all that a pod can reach it by, and no Service', () => {
  const interfaces = {
    lo: [info('127.0.0.1'), info('::1'), info('169.254.20.10')],
    eth0: [info('192.168.66.12'), info('192.168.66.11'), info('fd66::11'), info('fe80::5')],
    nodelocaldns: [info('169.254.20.10')],
    'kube-ipvs0': [info('10.96.0.10')],
    nlvx0: [info('10.244.1.1')],
    nlpabc: [info('169.254.1.1')],
  };
  expect(localAddresses(interfaces)).toEqual(['169.254.20.10', '192.168.66.11', '192.168.66.12', 'fd66::11']);
});
