/** Policies that allow names: the pod's first connection after an answer passes at once, and nothing else does. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { compilePolicy } from '#compile/policy/compile.ts';
import type { NamesAnswer } from '#intent/handover.ts';
import type { NodeIntent } from '#intent/node.ts';
import { eventually } from '#lab/eventually.ts';
import type { PodModel } from '#model/pod.ts';
import type { PolicyModel, PolicyPeer } from '#model/policy.ts';
import { parsePrefix } from '#net/prefix.ts';
import { createLearntNames, followNames } from '#programs/agent/learnt-names.ts';
import { createLog } from '#telemetry/log.ts';
import { openTestNode, type TestNode } from './node.ts';

let node: TestNode;
/** What the agent does, in a few lines: names → compile → whole intent. */
const names = new Map<string, ReadonlySet<string>>();
const learnt = createLearntNames((name, addresses) => {
  if (addresses === undefined) names.delete(name);
  else names.set(name, addresses);
});
let policyNames: NodeIntent['policyNames'] = {};
let allowed: readonly string[] = [];
let handing: Promise<void> = Promise.resolve();
let isAway = false;
const pods = new Map<string, PodModel>();
const hand = (): Promise<void> => {
  handing = handing.then(async () => {
    if (isAway) return;
    const told = learnt.flush();
    if (told !== undefined) policyNames = { n1: told };
    const snapshot = {
      policies: new Map([[policy().key, policy()]]),
      pods,
      namespaces: new Map([['default', { name: 'default', labels: {} }]]),
      nodes: new Map(),
      names,
    } as unknown as Parameters<typeof compilePolicy>[0];
    await node.intend({ ...compilePolicy(snapshot, 'n1').value, policyNames });
  });
  return handing;
};
let heard: string | undefined;
const onNames = (answer: NamesAnswer) => {
  heard = answer.instance;
  if (learnt.take(answer)) void hand();
};
let following: ReturnType<typeof followNames>;

const cidr = (text: string): PolicyPeer => ({ kind: 'cidr', prefix: parsePrefix(text)!, except: [] });
const policy = (): PolicyModel => ({
  origin: { kind: 'ClusterNetworkPolicy', name: 'names' },
  key: 'ClusterNetworkPolicy/names',
  tier: 'admin',
  priority: 1,
  audit: false,
  subject: { namespaces: 'default', pods: { matchLabels: { app: 'client' } } },
  egress: [
    { field: 'dns', action: 'accept', peers: [cidr('192.168.66.1/32'), cidr('fd66::1/128')] },
    { field: 'names', action: 'accept', peers: allowed.map((pattern) => ({ kind: 'name', pattern })) },
    { field: 'rest', action: 'deny', peers: [cidr('0.0.0.0/0'), cidr('::/0')] },
  ],
});

const all = [
  'web.example.org',
  'alias.example.org',
  '*.wild.example.org',
  'brief.example.org',
  'many.example.org',
];
const host = (number: number) => [`192.168.66.${number}`, `fd66::${number}`] as const;
const both = (number: number, ttl = 60) => ({ a: [host(number)[0]], aaaa: [host(number)[1]], ttl });
const zone = {
  'web.example.org': both(201),
  'other.example.org': both(202),
  'a.b.wild.example.org': both(203),
  'wild.example.org': both(204),
  'alias.example.org': { cname: 'target.example.net' },
  'target.example.net': both(205),
  'brief.example.org': both(206, 0),
  'many.example.org': { a: Array.from({ length: 120 }, (_, i) => `203.0.113.${i}`).concat(host(207)[0]) },
};

beforeAll(async () => {
  node = await openTestNode();
  await node.start();
  for (const [name, app] of [
    ['client', 'client'],
    ['bystander', 'other'],
  ] as const) {
    const addresses = await node.addPod(name);
    pods.set(`default/${name}`, {
      origin: { kind: 'Pod', namespace: 'default', name },
      namespace: 'default',
      name,
      uid: `uid-${name}`,
      labels: { app },
      annotations: {},
      node: 'n1',
      hostNetwork: false,
      addresses,
      namedPorts: [],
    } as unknown as PodModel);
  }
  const add = [201, 202, 203, 204, 205, 206, 207].flatMap((number) =>
    host(number).map((each) => `ip addr add ${each}/${each.includes(':') ? '128 nodad' : '32'} dev eth0`),
  );
  await node.run(['sh', '-ec', add.join('\n')], 'outside');
  node.box.spawn(['node', '/opt/netloom/test/datapath/dns-server.mjs', JSON.stringify(zone)], {
    netns: 'outside',
  });
  for (const family of ['4', '6,ipv6only'])
    node.box.spawn(['socat', `TCP${family[0]}-LISTEN:8080,fork,reuseaddr${family.slice(1)}`, 'EXEC:cat'], {
      netns: 'outside',
    });
  await eventually(async () => {
    const { stdout } = await node.box.exec(['ss', '-lnut'], { netns: 'outside' });
    expect(stdout.match(/:53\b/g)).toHaveLength(2);
    expect(stdout.match(/:8080\b/g)).toHaveLength(2);
  });
  following = followNames(node.client, onNames, createLog({ write: () => {} }));
  await allow(all);
}, 120_000);
afterAll(async () => {
  following?.stop();
  await node?.close();
});

async function allow(patterns: readonly string[]): Promise<void> {
  allowed = patterns;
  await hand();
}

type Outcome = { readonly asked: number; readonly connected: Record<string, number | string> };
/** Asks for a name, and connects to every address of it at once. Milliseconds, or why not. */
async function visit(
  name: string,
  { server = '192.168.66.1', from = 'client', types = '46' } = {},
): Promise<Outcome> {
  const script = `
    const { Resolver } = require('node:dns').promises;
    const { connect } = require('node:net');
    const resolver = new Resolver({ timeout: 1000, tries: 5 });
    resolver.setServers(['${server}']);
    const started = performance.now();
    const ask = (type) => '${types}'.includes(type) ? resolver['resolve' + type]('${name}').catch(() => []) : [];
    Promise.all([ask('4'), ask('6')]).then(async (found) => {
      const asked = performance.now() - started;
      const connected = {};
      await Promise.all(found.flat().filter((each) => !each.startsWith('203.')).map((address) => new Promise((resolve) => {
        const begun = performance.now();
        const done = (value) => { connected[address] = value; socket.destroy(); resolve(); };
        const socket = connect(8080, address, () => done(performance.now() - begun));
        socket.on('error', (error) => done(error.code));
        setTimeout(() => done('silence'), 1500);
      })));
      console.log(JSON.stringify({ asked, connected }));
      process.exit(0);
    });`;
  return JSON.parse(await node.run(['node', '-e', script], from)) as Outcome;
}
async function reaches(
  name: string,
  number: number,
  options: Parameters<typeof visit>[1] = {},
): Promise<void> {
  const { connected } = await visit(name, options);
  expect(Object.keys(connected).sort()).toEqual([...host(number)].sort());
  for (const each of Object.values(connected)) expect(each).toBeLessThan(300);
}
const silence = (number: number) => Object.fromEntries(host(number).map((each) => [each, 'silence']));

describe('the first connection after the answer', () => {
  test.each(['192.168.66.1', '[fd66::1]'])(
    'passes at once, both families at a time, told by %s',
    async (server) => {
      await reaches('web.example.org', 201, { server });
    },
  );
  test('passes for labels before a name with an asterisk', () => reaches('a.b.wild.example.org', 203));
  test('passes at the end of an alias', () => reaches('alias.example.org', 205));
  test('passes to each of more than a hundred addresses', async () => {
    await expect(visit('many.example.org', { types: '4' })).resolves.toMatchObject({ connected: {} });
    await eventually(async () => {
      const { connected } = await visit('many.example.org', { types: '4' });
      expect(connected[host(207)[0]]).toBeLessThan(300);
    });
  });
  test('does not pass for other names, nor for the name behind the asterisk', async () => {
    expect((await visit('other.example.org')).connected).toEqual(silence(202));
    expect((await visit('wild.example.org')).connected).toEqual(silence(204));
    expect((await visit('target.example.net')).connected).toEqual(
      Object.fromEntries(host(205).map((each) => [each, expect.any(Number)])),
    );
  });
});

test('an answer waits a moment only, and only for pods with rules for names', async () => {
  expect((await visit('other.example.org')).asked).toBeLessThan(300);
  await reaches('other.example.org', 202, { from: 'bystander' });
  expect(Object.keys((await node.client.names())!.names)).not.toContain('other.example.org');
});

test('what nobody asked for teaches nothing', async () => {
  const target = pods.get('default/client')!.addresses.find((each) => !each.includes(':'))!;
  const forged = `
    const socket = require('node:dgram').createSocket('udp4');
    const name = Buffer.from('\\x03web\\x07example\\x03org\\x00', 'latin1');
    const head = Buffer.from('00078180000100010000000000', 'hex').subarray(0, 12);
    const rest = Buffer.from('00010001c00c000100010000003c0004c0a842ca', 'hex');
    socket.bind(53, () => socket.send(Buffer.concat([head, name, rest]), 40000, '${target}', () => socket.close()));`;
  for (const from of ['bystander', 'client']) await node.run(['node', '-e', forged], from);
  await reaches('web.example.org', 201);
  expect((await node.client.names())!.names['web.example.org']?.addresses.toSorted()).toEqual(
    [...host(201)].sort(),
  );
});

/** A connection that stays: says what it is told to, and tells what comes back. */
function open(address: string) {
  let output = '';
  const script = `
    const socket = require('node:net').connect(8080, '${address}');
    socket.on('data', (data) => process.stdout.write(data));
    process.stdin.on('data', (data) => socket.write(data));`;
  const child = node.box.spawn(['node', '-e', script], { netns: 'client' });
  child.stdout.on('data', (data) => (output += String(data)));
  let count = 0;
  return {
    echo: async (deadline?: number) => {
      const word = `word${++count}\n`;
      child.stdin.write(word);
      await eventually(() => expect(output).toContain(word), deadline);
    },
    close: () => void child.kill(),
  };
}
const lapsed = (name: string) =>
  eventually(async () => {
    const { names } = (await node.client.names())!;
    expect(names[name]).toMatchObject({ addresses: [], lapsed: expect.arrayContaining([...host(206)]) });
  }, 15_000);

test('time is that of new connections; a rule that goes cuts what stands', async () => {
  await reaches('brief.example.org', 206);
  const standing = open(host(206)[0]);
  await standing.echo();
  await lapsed('brief.example.org');
  await eventually(async () => {
    const { code } = await node.box.exec(
      ['socat', '-u', 'OPEN:/dev/null', `TCP:${host(206)[0]}:8080,connect-timeout=1`],
      {
        netns: 'client',
      },
    );
    expect(code).not.toBe(0);
  });
  // Longer than both looks at what stands.
  const started = performance.now();
  await eventually(async () => {
    await standing.echo();
    expect(performance.now() - started).toBeGreaterThan(2_500);
  });
  await allow(all.filter((each) => each !== 'brief.example.org'));
  await eventually(() => expect(standing.echo(300)).rejects.toThrow(), 10_000);
  standing.close();
  await allow(all);
}, 60_000);

test('a datapath that is killed keeps no answer from pods, and knows again what they were told', async () => {
  await reaches('web.example.org', 201);
  const standing = open(host(201)[1]);
  await standing.echo();
  await eventually(async () =>
    expect(await node.run(['cat', '/run/netloom/names.json'])).toContain('web.example.org'),
  );
  isAway = true;
  await node.signal('KILL');
  await eventually(async () =>
    expect(await node.run(['nft', 'list', 'set', 'inet', 'netloom', 'dnsPorts'])).not.toContain('elements'),
  );
  const { connected } = await visit('web.example.org');
  for (const each of host(201)) expect(connected[each]).toBeLessThan(300);
  expect((await visit('other.example.org')).connected).toEqual(silence(202));
  await node.start({ intent: false });
  const { instance } = await node.client.status();
  await eventually(() => expect(heard).toBe(instance));
  isAway = false;
  await hand();
  expect(policyNames).toMatchObject({ n1: { instance } });
  await standing.echo();
  standing.close();
  await node.run(['socat', '-u', 'OPEN:/dev/null', `TCP:${host(201)[0]}:8080,connect-timeout=1`], 'client');
  await eventually(() => reaches('a.b.wild.example.org', 203));
}, 60_000);
