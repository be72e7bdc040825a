/** CNI requests and results as the specification has them, without a runtime. */
import { describe, expect, test } from 'vitest';
import { CniError, formatError } from './error.ts';
import { type AddRequest, decodeConfig, readRequest } from './request.ts';
import { formatResult } from './result.ts';

const environment = {
  CNI_COMMAND: 'ADD',
  CNI_CONTAINERID: 'abc',
  CNI_IFNAME: 'eth0',
  CNI_NETNS: '/run/netns/x',
  CNI_ARGS:
    'IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=web-0;K8S_POD_UID=8f-1;K8S_POD_INFRA_CONTAINER_ID=abc',
};
const config = { cniVersion: '1.1.0', name: 'netloom', type: 'netloom' };
const codeOf = (work: () => unknown): [number, string] => {
  try {
    work();
  } catch (error) {
    if (error instanceof CniError) return [error.code, error.message];
    throw error;
  }
  throw new Error('no error');
};
const wired = { device: 'nlp1', hostMac: 'ee:ee:ee:ee:ee:ee', podMac: '02:00:00:00:00:01', mtu: 1450 };

describe('requests', () => {
  test('an ADD is read whole', () => {
    expect(
      readRequest(environment, { ...config, dns: { nameservers: ['10.96.0.10'], search: ['x'], more: 1 } }),
    ).toEqual({
      command: 'ADD',
      cniVersion: '1.1.0',
      network: 'netloom',
      key: 'abc/eth0',
      containerID: 'abc',
      interface: 'eth0',
      netns: '/run/netns/x',
      pod: { namespace: 'default', name: 'web-0', uid: '8f-1' },
      dns: { nameservers: ['10.96.0.10'], search: ['x'] },
    });
  });

  test.each([
    [{}, { cniVersion: '0.3.1' }, 1, 'cniVersion "0.3.1" is not supported'],
    [{}, { cniVersion: undefined }, 1, 'cniVersion "" is not supported'],
    [{ CNI_COMMAND: 'GC' }, { cniVersion: '1.0.0' }, 1, 'GC needs cniVersion 1.1.0, not 1.0.0'],
    [{ CNI_COMMAND: 'FROB' }, {}, 4, 'CNI_COMMAND "FROB" is not known'],
    [{ CNI_CONTAINERID: '../x' }, {}, 4, 'CNI_CONTAINERID: "../x" is not a container ID'],
    [{ CNI_IFNAME: 'eth0; rm -rf' }, {}, 4, 'CNI_IFNAME: "eth0; rm -rf" is not usable as interface name'],
    [{ CNI_IFNAME: 'lo' }, {}, 4, 'CNI_IFNAME: "lo" is not usable as interface name'],
    [
      { CNI_IFNAME: 'sixteencharacter' },
      {},
      4,
      'CNI_IFNAME: "sixteencharacter" is not usable as interface name',
    ],
    [{ CNI_NETNS: '' }, {}, 4, 'CNI_NETNS: "" is not an absolute path'],
    [{ CNI_ARGS: 'K8S_POD_NAME=x' }, {}, 4, 'CNI_ARGS: K8S_POD_NAMESPACE="" names no namespace'],
    [
      { CNI_ARGS: 'K8S_POD_NAMESPACE=n;K8S_POD_NAME=X"' },
      {},
      4,
      'CNI_ARGS: K8S_POD_NAME="X\\"" names no pod',
    ],
    [{}, { name: 'a b' }, 7, 'name: "a b" is not a network name'],
    [
      {},
      { prevResult: {} },
      7,
      'prevResult: netloom makes the interface, so it must be the first plugin of the list',
    ],
    [{}, { dns: { search: 'x' } }, 7, 'dns.search: not a list of strings'],
    [{ CNI_COMMAND: 'CHECK' }, {}, 7, 'prevResult: CHECK needs the result of the ADD'],
    [{ CNI_COMMAND: 'GC' }, {}, 7, 'cni.dev/valid-attachments: a list is needed'],
    [
      { CNI_COMMAND: 'GC' },
      { 'cni.dev/valid-attachments': [{ containerID: 'a' }] },
      7,
      'cni.dev/valid-attachments: an entry lacks containerID or ifname',
    ],
  ])('%j %j is refused with code %d', (variables, fields, code, message) => {
    expect(codeOf(() => readRequest({ ...environment, ...variables }, { ...config, ...fields }))).toEqual([
      code,
      message,
    ]);
  });

  test('what is no JSON object is a decoding failure', () => {
    expect(codeOf(() => decodeConfig('{'))[0]).toBe(6);
    expect(codeOf(() => decodeConfig('[]'))).toEqual([6, 'the network configuration is not a JSON object']);
  });

  test('a DEL needs neither namespace nor pod', () => {
    const { CNI_CONTAINERID, CNI_IFNAME } = environment;
    expect(readRequest({ CNI_COMMAND: 'DEL', CNI_CONTAINERID, CNI_IFNAME }, config)).toMatchObject({
      key: 'abc/eth0',
    });
  });

  test('CHECK looks at our interface’s addresses in a result that later plugins added to', () => {
    const prevResult = {
      interfaces: [
        { name: 'nlp1' },
        { name: 'eth0', sandbox: '/x' },
        { name: 'ifb0' },
        { name: 'net1', sandbox: '/x' },
      ],
      ips: [
        { address: '10.0.0.1/32', interface: 1 },
        { address: 'FD00:0::1/128', interface: 1 },
        { address: '10.9.9.9/24', interface: 3 },
      ],
    };
    const read = readRequest({ ...environment, CNI_COMMAND: 'CHECK' }, { ...config, prevResult });
    expect(read).toMatchObject({ addresses: ['10.0.0.1', 'fd00::1'] });
  });
});

describe('results', () => {
  const result = (cniVersion: string) => {
    const request = readRequest(environment, { ...config, cniVersion, dns: { domain: 'x' } }) as AddRequest;
    return JSON.parse(formatResult(request, { ...wired, addresses: ['10.0.0.1', 'fd00::1'] }));
  };
  test('1.1.0 carries the MTU', () => {
    expect(result('1.1.0')).toEqual({
      cniVersion: '1.1.0',
      interfaces: [
        { name: 'nlp1', mac: 'ee:ee:ee:ee:ee:ee', mtu: 1450 },
        { name: 'eth0', mac: '02:00:00:00:00:01', mtu: 1450, sandbox: '/run/netns/x' },
      ],
      ips: [
        { address: '10.0.0.1/32', gateway: '169.254.1.1', interface: 1 },
        { address: 'fd00::1/128', gateway: 'fe80::1', interface: 1 },
      ],
      routes: [
        { dst: '0.0.0.0/0', gw: '169.254.1.1' },
        { dst: '::/0', gw: 'fe80::1' },
      ],
      dns: { domain: 'x' },
    });
  });
  test('1.0.0 knows no MTU, 0.4.0 names each address’s family', () => {
    expect(result('1.0.0').interfaces[1]).toEqual({
      name: 'eth0',
      mac: '02:00:00:00:00:01',
      sandbox: '/run/netns/x',
    });
    expect(result('0.4.0').ips.map((ip: { version: string }) => ip.version)).toEqual(['4', '6']);
  });
  test('errors are the specification’s object', () => {
    expect(JSON.parse(formatError(new CniError(11, 'wait', 'long'), '1.0.0'))).toEqual({
      cniVersion: '1.0.0',
      code: 11,
      msg: 'wait',
      details: 'long',
    });
    expect(JSON.parse(formatError(new Error('x'), '1.0.0'))).toEqual({
      cniVersion: '1.0.0',
      code: 5,
      msg: 'x',
    });
  });
});
