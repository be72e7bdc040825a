/** The list that the datapath writes, run as a runtime runs it: portmap works behind netloom. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type CniAnswer, directories, openTestNode, type TestNode } from './node.ts';

let node: TestNode;
beforeAll(async () => {
  node = await openTestNode();
  await node.start();
});
afterAll(() => node.close());

type Plugin = { readonly type: string; readonly capabilities?: Readonly<Record<string, boolean>> };

/** What libcni does with a list: the list's name and version, the capabilities that a plugin asks for, the result before. */
async function runChain(
  command: 'ADD' | 'CHECK' | 'DEL',
  pod: string,
  runtimeConfig: Readonly<Record<string, unknown>>,
  cached?: CniAnswer['json'],
): Promise<CniAnswer> {
  const list = JSON.parse(await node.run(['cat', `${directories.config}/10-netloom.conflist`]));
  const { cniVersion, name } = list;
  const plugins: Plugin[] = command === 'DEL' ? list.plugins.toReversed() : list.plugins;
  let prevResult = command === 'ADD' ? undefined : cached;
  let answer: CniAnswer = { code: 0, json: undefined, output: '' };
  for (const { capabilities = {}, ...plugin } of plugins) {
    // portmap 1.1.1 looks for its IPv4 rules in both families, so its CHECK fails for every pod with a host port.
    if (command === 'CHECK' && plugin.type === 'portmap') continue;
    const given = Object.fromEntries(Object.entries(runtimeConfig).filter(([key]) => capabilities[key]));
    const config = {
      ...plugin,
      cniVersion,
      name,
      ...(prevResult ? { prevResult } : {}),
      runtimeConfig: given,
    };
    answer = await node.cni(command, { pod, plugin: plugin.type, config });
    if (answer.code !== 0) throw new Error(`${plugin.type} ${command}: ${answer.output}`);
    if (command === 'ADD') prevResult = answer.json;
  }
  return answer;
}

test('a host port leads to the pod, CHECK agrees, DEL takes all away', async () => {
  const pod = 'web';
  await node.box.addNamespace(pod);
  const runtimeConfig = {
    portMappings: [{ hostPort: 8080, containerPort: 80, protocol: 'tcp' }],
  };
  const { json } = await runChain('ADD', pod, runtimeConfig);
  node.box.spawn(['socat', 'TCP-LISTEN:80,fork,reuseaddr', 'SYSTEM:echo hello from the pod'], {
    netns: pod,
  });
  await runChain('CHECK', pod, runtimeConfig, json);
  expect(await node.run(['iptables-save', '-t', 'nat'])).toContain('--dport 8080');
  const fetch = (netns?: string) =>
    node.run(
      ['socat', '-T', '3', '-', 'TCP:192.168.66.11:8080,connect-timeout=3,retry=10,interval=0.2'],
      netns,
    );
  expect(await fetch()).toContain('hello from the pod');
  expect(await fetch('outside')).toContain('hello from the pod');
  await runChain('DEL', pod, runtimeConfig, json);
  expect(await node.run(['iptables-save', '-t', 'nat'])).not.toContain('--dport 8080');
  expect(await node.endpoints()).toEqual([]);
});
