import { describe, expect, test } from 'vitest';
import type { Pod } from '../objects/pod.ts';
import { podAttachment } from './attachment.ts';
import {
  addNetwork,
  CniError,
  checkNetwork,
  collectGarbage,
  deleteNetwork,
  type NetworkList,
  networkStatus,
  type PluginCall,
  resultAddresses,
} from './cni.ts';
import { chooseNetworkList, parseNetworkList } from './cniconfig.ts';

type Called = {
  readonly type: string;
  readonly env: Readonly<Record<string, string>>;
  readonly input: Record<string, unknown>;
};

/** Plugins that answer by type, and a record of how they were called. */
function plugins(
  answers: Readonly<
    Record<string, string | { readonly code: number; readonly stdout?: string; readonly stderr?: string }>
  >,
) {
  const calls: Called[] = [];
  const call: PluginCall = async (type, env, input) => {
    calls.push({ type, env, input: JSON.parse(input) as Record<string, unknown> });
    const answer = answers[type] ?? '';
    return typeof answer === 'string'
      ? { code: 0, stdout: answer, stderr: '' }
      : { stdout: '', stderr: '', ...answer };
  };
  return { calls, call };
}

const list = (version: string, ...types: readonly string[]): NetworkList => ({
  name: 'net',
  cniVersion: version,
  disableCheck: false,
  disableGC: false,
  plugins: types.map((type) => ({ type, capabilities: { portMappings: true }, own: type })),
});
const pod = {
  metadata: {
    name: 'web',
    namespace: 'shop',
    uid: 'u1',
    annotations: { 'kubernetes.io/ingress-bandwidth': '10M' },
  },
  spec: {
    containers: [{ name: 'c', ports: [{ containerPort: 80, hostPort: 8080 }, { containerPort: 81 }] }],
  },
} as unknown as Pod;
const attachment = podAttachment(pod, 'sandbox1', '/run/netns/sandbox1');

describe('calling plugins', () => {
  test('ADD passes each result on and gives every plugin the capabilities that it declares', async () => {
    const { calls, call } = plugins({
      a: '{"ips":[{"address":"10.0.0.2/24"}]}',
      b: '{"ips":[{"address":"10.0.0.3/24"}]}',
    });
    const result = await addNetwork(list('1.0.0', 'a', 'b'), attachment, call);
    expect(resultAddresses(result)).toEqual(['10.0.0.3']);
    expect(calls[0]?.env).toEqual({
      CNI_COMMAND: 'ADD',
      CNI_CONTAINERID: 'sandbox1',
      CNI_NETNS: '/run/netns/sandbox1',
      CNI_IFNAME: 'eth0',
      CNI_ARGS:
        'IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web;K8S_POD_INFRA_CONTAINER_ID=sandbox1;K8S_POD_UID=u1',
    });
    expect(calls[0]?.input).toEqual({
      type: 'a',
      own: 'a',
      name: 'net',
      cniVersion: '1.0.0',
      runtimeConfig: { portMappings: [{ hostPort: 8080, containerPort: 80, protocol: 'tcp' }] },
    });
    expect(calls[1]?.input.prevResult).toEqual({ ips: [{ address: '10.0.0.2/24' }] });
  });

  test('DEL goes backwards, calls every plugin and tells the first error', async () => {
    const { calls, call } = plugins({ b: { code: 1, stdout: '{"code":7,"msg":"no","details":"why"}' } });
    const deletion = deleteNetwork(list('1.0.0', 'a', 'b'), attachment, { ips: [] }, call);
    await expect(deletion).rejects.toThrow('plugin type="b" failed (del): no; why');
    expect(calls.map(({ type }) => type)).toEqual(['b', 'a']);
    expect(calls.every(({ input }) => input.prevResult !== undefined)).toBe(true);
  });

  test('an error keeps its code; words on stderr are told where a plugin gave no JSON', async () => {
    const code = await addNetwork(
      list('1.0.0', 'a'),
      attachment,
      plugins({ a: { code: 1, stdout: '{"code":11,"msg":"later"}' } }).call,
    ).catch((error: unknown) => error);
    expect(code).toBeInstanceOf(CniError);
    expect(code).toMatchObject({ code: 11, plugin: 'a', command: 'ADD' });
    const silent = addNetwork(
      list('1.0.0', 'a'),
      attachment,
      plugins({ a: { code: 2, stderr: 'panic: nil' } }).call,
    );
    await expect(silent).rejects.toThrow('panic: nil');
    const nonsense = addNetwork(list('1.0.0', 'a'), attachment, plugins({ a: 'hello' }).call);
    await expect(nonsense).rejects.toThrow('its result is not a JSON object');
  });

  test('verbs are left out where the version does not have them', async () => {
    const { calls, call } = plugins({});
    await networkStatus(list('1.0.0', 'a'), call);
    await collectGarbage(list('1.0.0', 'a'), [], call);
    await checkNetwork(list('0.3.1', 'a'), attachment, {}, call);
    expect(calls).toEqual([]);
    await networkStatus(list('1.1.0', 'a'), call);
    await collectGarbage(list('1.1.0', 'a'), [{ containerID: 'x', ifname: 'eth0' }], call);
    expect(calls.map(({ env }) => env.CNI_COMMAND)).toEqual(['STATUS', 'GC']);
    expect(calls[1]?.input['cni.dev/valid-attachments']).toEqual([{ containerID: 'x', ifname: 'eth0' }]);
  });
});

describe('configuration', () => {
  test('the first usable file by name counts, and why others do not', () => {
    const good = JSON.stringify({ cniVersion: '1.0.0', name: 'good', plugins: [{ type: 'bridge' }] });
    const { value, problems } = chooseNetworkList([
      { name: '20-b.conflist', text: good.replace('good', 'later') },
      { name: '10-a.conflist', text: '{' },
      { name: '15-x.conflist', text: good },
      { name: '00-readme.txt', text: good },
    ]);
    expect(value?.name).toBe('good');
    expect(problems).toEqual([expect.stringContaining('10-a.conflist: not JSON')]);
  });

  test('the highest version that both know is spoken', () => {
    const text = JSON.stringify({
      cniVersion: '1.0.0',
      cniVersions: ['0.4.0', '1.0.0', '1.1.0', '9.0.0'],
      name: 'n',
      plugins: [{ type: 'a' }],
    });
    expect(parseNetworkList(text)).toMatchObject({ value: { cniVersion: '1.1.0' } });
    expect(parseNetworkList('{"cniVersion":"9.0.0","name":"n","type":"a"}')).toMatchObject({
      problem: expect.stringContaining('no known cniVersion'),
    });
    expect(
      parseNetworkList('{"cniVersion":"1.0.0","name":"n","plugins":[{"type":"../../bin/sh"}]}'),
    ).toMatchObject({ problem: 'a plugin type is no file name' });
  });

  test('addresses of the host side are not the pod’s', () => {
    const interfaces = [{ name: 'veth1' }, { name: 'eth0', sandbox: '/run/netns/x' }];
    expect(
      resultAddresses({
        interfaces,
        ips: [
          { address: '10.0.0.1/24', interface: 0 },
          { address: 'fd00::2/64', interface: 1 },
        ],
      }),
    ).toEqual(['fd00::2']);
  });
});
