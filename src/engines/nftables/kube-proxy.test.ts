/** kube-proxy's rules are found in every form, and nothing else is taken for them. */
import { closeSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openSandbox, type Sandbox } from '#lab/sandbox.ts';
import { getSocketOption, linux } from '#system/libc.ts';
import { socketIn } from '#system/namespace.ts';
import { type KubeProxyFinder, legacyHas, openKubeProxyFinder } from './kube-proxy.ts';

let box: Sandbox;
let finder: KubeProxyFinder;
beforeAll(async () => {
  box = await openSandbox();
  finder = openKubeProxyFinder(box.namespace);
}, 120_000);
afterAll(async () => {
  finder?.close();
  await box?.close();
});

const nft = async (script: string) => {
  expect(await box.exec(['nft', '-f', '-'], { input: script })).toMatchObject({ code: 0, stderr: '' });
};

it.each([
  ['add table ip kube-proxy', ['nft table ip kube-proxy']],
  ['add table ip6 kube-proxy', ['nft table ip6 kube-proxy']],
  ['table ip nat { chain KUBE-SERVICES { }; }', ['iptables chain KUBE-SERVICES']],
  ['table ip6 nat { chain KUBE-SERVICES { }; }', ['ip6tables chain KUBE-SERVICES']],
  // The kubelet's own, which stay without kube-proxy.
  ['table ip mangle { chain KUBE-KUBELET-CANARY { }; }; table inet kube-proxy { }', []],
])('%s', async (script, found) => {
  await nft(script);
  expect(finder.find()).toEqual(found);
  await nft('flush ruleset');
  expect(finder.find()).toEqual([]);
});

it('looks into a legacy iptables table that is in use, and makes none', async () => {
  expect(legacyHas(box.namespace, 'ip', 'ERROR')).toBe(false);
  const fd = socketIn(box.namespace, linux.AF_INET, linux.SOCK_RAW, 255);
  try {
    // Who asks for a table gets one; it ends with an entry of this name.
    const info = Buffer.alloc(84);
    info.write('nat');
    getSocketOption(fd, 0, 64, info);
  } finally {
    closeSync(fd);
  }
  expect(legacyHas(box.namespace, 'ip', 'ERROR')).toBe(true);
  expect(legacyHas(box.namespace, 'ip', 'KUBE-SERVICES')).toBe(false);
  expect(finder.find()).toEqual([]);
});
