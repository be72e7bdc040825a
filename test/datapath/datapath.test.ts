/** The datapath as a runtime and a user meet it: the real executable, real namespaces, real packets. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '#lab/eventually.ts';
import { addressesOf, directories, openTestNode, type TestNode, testIntent } from './node.ts';

let node: TestNode;
beforeAll(async () => {
  node = await openTestNode();
});
afterAll(() => node.close());

const ping = (from: string | undefined, to: string, ...more: string[]) =>
  node.run(['ping', '-n', '-c', '1', '-W', '2', ...more, to], from);
const remove = async (...pods: string[]) => {
  for (const pod of pods) expect((await node.cni('DEL', { pod })).output).toBe('');
};

describe('before the datapath runs', () => {
  test('ADD says so with "try again", STATUS that it is not available, VERSION answers all the same', async () => {
    const add = await node.cni('ADD');
    expect(add.code).toBe(1);
    expect(add.json).toMatchObject({ cniVersion: '1.1.0', code: 11 });
    expect(add.json?.['msg']).toMatch(
      /^the Netloom datapath of this node is not running or not ready yet: cannot connect to \/run\/netloom\/cni.sock/,
    );
    expect((await node.cni('DEL', { config: { cniVersion: '1.0.0' } })).json).toMatchObject({
      cniVersion: '1.0.0',
      code: 11,
    });
    expect((await node.cni('STATUS')).json).toMatchObject({ code: 50 });
    expect((await node.cni('VERSION')).json).toEqual({
      cniVersion: '1.1.0',
      supportedVersions: ['0.4.0', '1.0.0', '1.1.0'],
    });
  });
});

describe('before the agent has spoken', () => {
  test('ADD waits a while and then asks to try again; nothing is configured for the runtime', async () => {
    await node.start({ intent: false });
    await node.box.addNamespace('early');
    const add = await node.cni('ADD', { pod: 'early' });
    expect(add.json).toMatchObject({
      code: 11,
      msg: "the node's agent has not said yet what the network is",
    });
    expect((await node.cni('STATUS')).json).toMatchObject({ code: 50 });
    expect((await node.cni('DEL', { pod: 'early' })).code).toBe(0);
    expect((await node.box.exec(['ls', directories.config])).stdout).toBe('');
    expect(
      (await node.run(['stat', '-c', '%a', '/run/netloom/cni.sock', '/run/netloom/datapath.sock'])).trim(),
    ).toBe('600\n600');
  });

  test('an ADD that waits goes on as soon as the intent comes', async () => {
    const add = node.cni('ADD', { pod: 'early' });
    await node.intend();
    expect((await add).code).toBe(0);
    await remove('early');
  });
});

describe('a ready node', () => {
  test('the runtime finds the executable and a list with the plugins that are there', async () => {
    const conflist = JSON.parse(await node.run(['cat', `${directories.config}/10-netloom.conflist`]));
    expect(conflist).toEqual({
      cniVersion: '1.0.0',
      name: 'netloom',
      plugins: [
        { type: 'netloom', socket: '/run/netloom/cni.sock' },
        { type: 'portmap', capabilities: { portMappings: true } },
      ],
    });
    expect(await node.run(['cmp', `${directories.bin}/netloom`, `${directories.source}/netloom`])).toBe('');
    expect((await node.cni('STATUS')).code).toBe(0);
    const status = await node.client.status();
    expect(status).toMatchObject({ node: 'n1', ready: true, endpoints: 0 });
    expect(status.tunnelAddresses).toHaveLength(2);
  });

  test('pods reach each other and the node, the node reaches them, in both families, at the right size', async () => {
    const a = await node.addPod('a');
    const b = await node.addPod('b');
    expect([...a, ...b].map((address) => address.replace(/\d+$/, ''))).toEqual([
      '10.244.0.',
      'fd10:244::',
      '10.244.0.',
      'fd10:244::',
    ]);
    for (const address of b) await ping('a', address);
    for (const address of a) await ping(undefined, address);
    for (const address of ['192.168.66.11', 'fd66::11']) await ping('a', address);
    await ping('a', b[0]!, '-M', 'do', '-s', String(1450 - 28));
    await expect(ping('a', b[0]!, '-M', 'do', '-s', String(1450 - 27))).rejects.toThrow(/too long/);
    await ping('a', '192.168.66.1');
    await remove('a', 'b');
  });

  test('a result says what was made, and CHECK agrees until somebody breaks it', async () => {
    await node.box.addNamespace('c');
    const add = await node.cni('ADD', { pod: 'c', config: { dns: { nameservers: ['10.96.0.10'] } } });
    const [host, container] = add.json!['interfaces'] as Record<string, unknown>[];
    expect(host).toEqual({
      name: expect.stringMatching(/^nlp[0-9a-f]{11}$/),
      mac: 'ee:ee:ee:ee:ee:ee',
      mtu: 1450,
    });
    expect(container).toMatchObject({ name: 'eth0', mtu: 1450, sandbox: '/run/netns/c' });
    expect(add.json?.['dns']).toEqual({ nameservers: ['10.96.0.10'] });
    const config = { prevResult: add.json };
    expect(await node.cni('CHECK', { pod: 'c', config })).toMatchObject({ code: 0, output: '' });
    await node.run(['ip', 'route', 'del', 'default'], 'c');
    expect((await node.cni('CHECK', { pod: 'c', config })).json).toMatchObject({
      code: 101,
      msg: 'the pod lacks the route to 0.0.0.0/0',
    });
    await remove('c');
    expect((await node.cni('CHECK', { pod: 'c', config })).json).toMatchObject({ code: 3 });
  });

  test('the same ADD again gives the same; DEL works twice and for what never was', async () => {
    await node.box.addNamespace('d');
    const first = await node.cni('ADD', { pod: 'd' });
    const again = await node.cni('ADD', { pod: 'd' });
    expect(again).toEqual(first);
    expect(await node.endpoints()).toMatchObject([
      {
        key: 'd/eth0',
        pod: { namespace: 'default', name: 'd', uid: 'uid-d' },
        subnet: 'default',
        addresses: addressesOf(first),
      },
    ]);
    await remove('d', 'd', 'never');
    expect(await node.endpoints()).toEqual([]);
    await eventually(async () => expect(await podLinks()).toEqual([]));
    expect((await node.box.exec(['ip', 'link', 'show', 'eth0'], { netns: 'd' })).code).toBe(1);
    expect(await node.run(['ip', 'route', 'show', 'proto', '110'])).not.toContain(addressesOf(first)[0]);
  });

  test('a freed address rests', async () => {
    const before = await node.addPod('e');
    await remove('e');
    const after = await node.addPod('f');
    expect(after.filter((address) => before.includes(address))).toEqual([]);
    await remove('f');
  });

  test('an exhausted Subnet is named with its numbers, and asked for by the agent', async () => {
    const pods = ['t1', 't2'];
    for (const pod of pods) await node.addPod(pod, { namespace: 'tiny' });
    await node.box.addNamespace('t3');
    const third = node.cni('ADD', { pod: 't3', namespace: 'tiny' });
    await eventually(async () =>
      expect((await node.client.status()).demand).toEqual([{ subnet: 'small', waiting: 1 }]),
    );
    expect((await third).json).toMatchObject({
      code: 11,
      msg: "Subnet small: no free IPv4 address in this node's 1 block: of 2 assignable addresses 2 are in use and 0 rest after use (each for 30 s)",
    });
    expect((await node.client.status()).demand).toEqual([]);
    await remove(...pods);
  });

  test('what a runtime gets wrong is refused with the specification’s code and leaves nothing', async () => {
    const before = await podLinks();
    expect((await node.cni('ADD', { pod: 'x', netns: 'missing' })).json).toMatchObject({
      code: 4,
      msg: 'CNI_NETNS: /run/netns/missing is not a network namespace that the datapath can see',
    });
    await node.box.addNamespace('taken');
    await node.run(['ip', 'link', 'add', 'eth0', 'type', 'bridge'], 'taken');
    expect((await node.cni('ADD', { pod: 'taken' })).json).toMatchObject({
      code: 4,
      msg: 'CNI_IFNAME: the container has an interface eth0 already',
    });
    expect((await node.cni('ADD', { pod: 'x', namespace: 'nowhere' })).json).toMatchObject({
      code: 11,
      msg: 'namespace nowhere is not known on this node yet, or the Subnet that serves it is being deleted',
    });
    expect((await node.cni('ADD', { config: { cniVersion: '9.9.9' } })).json).toMatchObject({ code: 1 });
    expect(await node.endpoints()).toEqual([]);
    expect(await podLinks()).toEqual(before);
  });

  test('GC removes what the runtime no longer knows, of its own network only', async () => {
    const g1 = await node.addPod('g1');
    await node.addPod('g2');
    await node.addPod('g3', { config: { name: 'other' } });
    const valid = [{ containerID: 'g1', ifname: 'eth0' }];
    expect(await node.cni('GC', { config: { 'cni.dev/valid-attachments': valid } })).toMatchObject({
      code: 0,
      output: '',
    });
    expect((await node.endpoints()).map(({ key }) => key).toSorted()).toEqual(['g1/eth0', 'g3/eth0']);
    await ping(undefined, g1[0]!);
    await remove('g1', 'g3');
  });

  test('forty ADDs at once get eighty addresses, none twice', async () => {
    const pods = Array.from({ length: 40 }, (_, i) => `many${i}`);
    const script = pods.map((pod) => `ip netns add ${pod}`).join('\n');
    await node.run(['sh', '-ec', script]);
    const answers = await Promise.all(pods.map((pod) => node.cni('ADD', { pod })));
    expect(answers.map(({ code }) => code)).toEqual(pods.map(() => 0));
    const addresses = answers.flatMap(addressesOf);
    expect(new Set(addresses).size).toBe(80);
    const last = answers.at(-1)!;
    for (const address of addressesOf(last)) await ping('many0', address);
    await Promise.all(pods.map((pod) => node.cni('DEL', { pod })));
    expect(await node.endpoints()).toEqual([]);
  });

  test('past the agent’s lease no address is assigned, and running pods stay as they are', async () => {
    const [running] = await node.addPod('lease');
    await node.intend(testIntent({ assignUntil: Date.now() - 1 }));
    await node.box.addNamespace('late');
    expect((await node.cni('ADD', { pod: 'late' })).json).toMatchObject({
      code: 11,
      msg: 'node n1 may not assign addresses: its agent has not renewed its lease in time',
    });
    await ping(undefined, running!);
    // The Node object is gone: as little as without a lease.
    await node.intend({ self: {} });
    expect((await node.cni('ADD', { pod: 'late' })).json?.['msg']).toContain(
      'node n1 is not known to the cluster',
    );
    await node.intend();
    expect((await node.cni('ADD', { pod: 'late' })).code).toBe(0);
    await remove('late', 'lease');
  });

  test('a block that the node gave up gives no more addresses, and is reported until the last one is free', async () => {
    const [address] = await node.addPod('keeps', { namespace: 'extra' });
    const { blocks } = testIntent().self['n1']!;
    const smaller = testIntent({ blocks: blocks.filter(({ subnet }) => subnet !== 'spare') });
    await node.intend(smaller);
    const spare = async () => (await node.client.status()).blocks.filter(({ subnet }) => subnet === 'spare');
    expect(await spare()).toMatchObject([{ claim: 'claim 10.51.0.0/30', assigned: 1, free: 0 }]);
    await ping(undefined, address!);
    await remove('keeps');
    await node.intend();
  });

  test('a delta that does not follow is refused, so that the agent sends the whole', async () => {
    const { generation } = await node.client.status();
    const delta = { generation: generation + 2, replace: false, put: {}, remove: {} };
    expect(await node.client.send(delta)).toMatchObject({ refused: { generation } });
  });

  test('a node that can not set its guards refuses pods, says why, and heals by itself', async () => {
    await node.run(['sh', '-c', 'mv /usr/sbin/nft /usr/sbin/nft.gone; kill $(pgrep -x "nft|netloom-nft")']);
    await node.box.addNamespace('unsafe');
    const add = await node.cni('ADD', { pod: 'unsafe' });
    expect(add.json).toMatchObject({
      code: 11,
      msg: expect.stringMatching(/^nftables can't hold the pod: /),
    });
    expect((await node.cni('STATUS')).json).toMatchObject({
      code: 50,
      msg: expect.stringMatching(/^nftables: /),
    });
    expect(await node.endpoints()).toEqual([]);
    expect((await node.box.exec(['ip', 'link', 'show', 'eth0'], { netns: 'unsafe' })).code).toBe(1);
    await node.run(['mv', '/usr/sbin/nft.gone', '/usr/sbin/nft']);
    await eventually(async () => expect((await node.cni('STATUS')).code).toBe(0));
    expect((await node.cni('ADD', { pod: 'unsafe' })).code).toBe(0);
    await remove('unsafe');
  });

  test('a foreign flush of the ruleset is healed', async () => {
    await node.run(['nft', 'flush', 'ruleset']);
    await eventually(async () => expect(await node.run(['nft', 'list', 'tables'])).toContain('netloom'));
  });
});

async function podLinks(): Promise<string[]> {
  const links = JSON.parse(await node.run(['ip', '-j', 'link', 'show'])) as { ifname: string }[];
  return links.map(({ ifname }) => ifname).filter((name) => name.startsWith('nlp'));
}
