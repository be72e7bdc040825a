/** BGP: which node has which sessions, what is refused, and that a change gives what a whole compile gives. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { BFDProfileModel } from '#model/bfdprofile.ts';
import type { BGPNeighborModel } from '#model/bgpneighbor.ts';
import type { BGPPeerModel } from '#model/bgppeer.ts';
import type { NodeModel } from '#model/node.ts';
import { compileBGP, type Password, secretKey } from './compile.ts';
import { createBGPCompiler } from './incremental.ts';

const node = (name: string, labels: Record<string, string> = {}, addresses?: string[]): NodeModel => ({
  origin: { kind: 'Node', name },
  name,
  uid: `uid-${name}`,
  addresses: addresses ?? [`192.168.66.${name.charCodeAt(0)}`, `fd66::${name.charCodeAt(0)}`],
  labels,
});

const neighbor = (name: string, extra: Partial<BGPNeighborModel> = {}): BGPNeighborModel => ({
  origin: { kind: 'BGPNeighbor', name },
  name,
  created: '2026-01-01T00:00:00Z',
  address: '192.168.66.1',
  port: 179,
  localASN: 64_512,
  peerASN: 65_000,
  families: [4],
  multiHop: false,
  importPrefixes: [],
  bfd: undefined,
  timers: undefined,
  ...extra,
});

const peer = (name: string, extra: Partial<BGPPeerModel>): BGPPeerModel => ({
  origin: { kind: 'BGPPeer', namespace: 'n', name },
  name,
  namespace: 'n',
  created: '2026-01-01T00:00:00Z',
  nodeSelectors: [],
  session: {
    address: `192.168.66.${100 + name.charCodeAt(0)}`,
    port: 179,
    localASN: 64_512,
    peerASN: 65_000,
    families: [4],
    multiHop: false,
    importPrefixes: [],
    servicesOnly: true,
  },
  ...extra,
});

const profile = (key: string, interval: number): BFDProfileModel => ({
  origin: { kind: 'BFDProfile', name: key },
  key,
  bfd: { receiveInterval: interval, transmitInterval: interval, detectMultiplier: 3 },
});

const noPasswords = new Map<string, Password>();
const keys = (neighbors: readonly BGPNeighborModel[], nodes: readonly NodeModel[], self: string) =>
  Object.keys(compileBGP({ neighbors, nodes, passwords: noPasswords }, self).value.bgpNeighbors);

describe('compileBGP', () => {
  test('a neighbor is of the nodes that its selector takes, of all without one', () => {
    const rack = neighbor('rack', {
      address: '192.168.66.2',
      nodeSelector: { matchLabels: { rack: 'r1' } },
    });
    const nodes = [node('a', { rack: 'r1' }), node('b', { rack: 'r2' })];
    expect(keys([neighbor('all'), rack], nodes, 'a')).toEqual(['all', 'rack']);
    expect(keys([neighbor('all'), rack], nodes, 'b')).toEqual(['all']);
    expect(keys([neighbor('all')], nodes, 'c')).toEqual([]);
  });

  test('a mesh is one session a node and family', () => {
    const mesh = neighbor('mesh', {
      address: undefined,
      peerNodeSelector: {},
      peerASN: 'internal',
      families: [4, 6],
    });
    const nodes = [node('a'), node('b'), node('c', {}, ['fd66::99'])];
    const { value } = compileBGP({ neighbors: [mesh], nodes, passwords: noPasswords }, 'a');
    expect(Object.keys(value.bgpNeighbors)).toEqual(['mesh/b/4', 'mesh/b/6', 'mesh/c/6']);
    expect(value.bgpNeighbors['mesh/b/6']).toMatchObject({
      families: [6],
      address: 'fd66::98',
      mesh: { client: false },
    });
  });

  test('reflectors have every client and each other; clients have the reflectors only', () => {
    const mesh = neighbor('mesh', {
      address: undefined,
      peerASN: 'internal',
      families: [4],
      peerNodeSelector: { matchLabels: { reflector: 'yes' } },
      clusterID: '10.0.0.1',
    });
    const four = (name: string, labels = {}) => node(name, labels, [`192.168.66.${name.charCodeAt(0)}`]);
    const nodes = [four('a', { reflector: 'yes' }), four('b', { reflector: 'yes' }), four('c'), four('d')];
    expect(keys([mesh], nodes, 'c')).toEqual(['mesh/a/4', 'mesh/b/4']);
    const { value } = compileBGP({ neighbors: [mesh], nodes, passwords: noPasswords }, 'a');
    expect(Object.entries(value.bgpNeighbors).map(([key, each]) => [key, each.mesh])).toEqual([
      ['mesh/b/4', { clusterID: '10.0.0.1', client: false }],
      ['mesh/c/4', { clusterID: '10.0.0.1', client: true }],
      ['mesh/d/4', { clusterID: '10.0.0.1', client: true }],
    ]);
    expect(
      compileBGP({ neighbors: [mesh], nodes, passwords: noPasswords }, 'c').value.bgpNeighbors,
    ).toMatchObject({
      'mesh/a/4': { mesh: { client: false } },
    });
  });

  test('the older of two stays, and the other is told why it is not used', () => {
    const younger = { created: '2026-02-01T00:00:00Z' };
    const { value, problems } = compileBGP(
      {
        neighbors: [
          neighbor('twice', younger),
          neighbor('b-first'),
          neighbor('other-as', { ...younger, address: '192.168.66.2', localASN: 64_999 }),
        ],
        nodes: [node('a')],
        passwords: noPasswords,
      },
      'a',
    );
    expect(Object.keys(value.bgpNeighbors)).toEqual(['b-first']);
    expect(problems.map(({ object, field, code }) => `${object.name} ${field} ${code}`)).toEqual([
      'other-as spec.localASN ASNConflict',
      'twice spec.address Overlap',
    ]);
  });

  test.each<[string, Password | undefined, boolean, string | undefined]>([
    ['is there', { value: 'secret' }, true, undefined],
    ['was not looked at yet', undefined, false, undefined],
    ['is missing', { missing: 'there is no Secret' }, false, 'PasswordMissing'],
    ['has a line end in it', { value: 'a\nneighbor 1.2.3.4 remote-as 1' }, false, 'PasswordUnusable'],
    ['has blanks', { value: 'a b' }, false, 'PasswordUnusable'],
    ['is empty', { value: '' }, false, 'PasswordUnusable'],
    ['is too long', { value: 'x'.repeat(81) }, false, 'PasswordUnusable'],
  ])('a session whose password %s', (_, password, stands, code) => {
    const reference = { namespace: 'netloom-system', name: 'bgp', key: 'password' };
    const passwords = new Map(password === undefined ? [] : [[secretKey(reference), password]]);
    const { value, problems } = compileBGP(
      { neighbors: [neighbor('tor', { password: reference })], nodes: [node('a')], passwords },
      'a',
    );
    expect(Object.keys(value.bgpNeighbors)).toEqual(stands ? ['tor'] : []);
    expect(problems.map((problem) => problem.code)).toEqual(code === undefined ? [] : [code]);
    if (password !== undefined && 'value' in password && password.value !== '')
      expect(JSON.stringify(problems)).not.toContain(JSON.stringify(password.value).slice(1, -1));
  });
});

const names = fc.constantFrom('a', 'b', 'c');
const step = fc.oneof(
  fc.record({
    kind: fc.constant('node' as const),
    name: names,
    value: fc.option(fc.constantFrom({}, { rack: 'r1' }, { reflector: 'yes' }), { nil: undefined }),
  }),
  fc.record({
    kind: fc.constant('neighbor' as const),
    name: names,
    value: fc.option(
      fc.constantFrom<Partial<BGPNeighborModel>>(
        {},
        { address: '192.168.66.2', nodeSelector: { matchLabels: { rack: 'r1' } } },
        { localASN: 64_999 },
        { address: undefined, peerNodeSelector: { matchLabels: { reflector: 'yes' } }, clusterID: '1.1.1.1' },
        { password: { namespace: 'n', name: 's', key: 'k' } },
      ),
      { nil: undefined },
    ),
  }),
  fc.record({
    kind: fc.constant('peer' as const),
    name: names,
    value: fc.option(
      fc.constantFrom<Partial<BGPPeerModel>>(
        {},
        { nodeSelectors: [{ matchLabels: { rack: 'r1' } }] },
        { bfdProfile: 'n/fast' },
        { password: { namespace: 'n', name: 's', key: 'k' } },
      ),
      { nil: undefined },
    ),
  }),
  fc.record({
    kind: fc.constant('profile' as const),
    name: fc.constant('n/fast'),
    value: fc.option(fc.constantFrom(100, 200), { nil: undefined }),
  }),
  fc.record({
    kind: fc.constant('password' as const),
    name: fc.constant('n/s/k'),
    value: fc.option(fc.constantFrom<Password>({ value: 'one' }, { value: 'two' }, { missing: 'none' }), {
      nil: undefined,
    }),
  }),
);

test('change by change gives what the whole gives', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(step, fc.boolean()), { maxLength: 20 }), (steps) => {
      const compiler = createBGPCompiler('a');
      const nodes = new Map<string, NodeModel>();
      const neighbors = new Map<string, BGPNeighborModel>();
      const peers = new Map<string, BGPPeerModel>();
      const profiles = new Map<string, BFDProfileModel>();
      const passwords = new Map<string, Password>();
      const entries: Record<string, unknown> = {};
      const keep = <T>(map: Map<string, T>, name: string, value: T | undefined) =>
        value === undefined ? map.delete(name) : map.set(name, value);
      const flush = () => {
        const delta = compiler.flush();
        for (const key of delta?.remove['bgpNeighbors'] ?? []) delete entries[key];
        Object.assign(entries, delta?.put['bgpNeighbors']);
      };
      for (const [{ kind, name, value }, flushes] of steps) {
        if (kind === 'node') {
          const model = value === undefined ? undefined : node(name, value as Record<string, string>);
          keep(nodes, name, model);
          compiler.setNode(name, model);
        } else if (kind === 'neighbor') {
          const model = value === undefined ? undefined : neighbor(name, value);
          keep(neighbors, name, model);
          compiler.setNeighbor(name, model);
        } else if (kind === 'peer') {
          const model = value === undefined ? undefined : peer(name, value);
          keep(peers, name, model);
          compiler.setPeer(name, model);
        } else if (kind === 'profile') {
          const model = value === undefined ? undefined : profile(name, value);
          keep(profiles, name, model);
          compiler.setProfile(name, model);
        } else {
          keep(passwords, name, value);
          compiler.setPassword(name, value);
        }
        if (flushes) flush();
      }
      flush();
      const whole = compileBGP(
        {
          neighbors: [...neighbors.values()],
          peers: [...peers.values()],
          profiles,
          nodes: [...nodes.values()],
          passwords,
        },
        'a',
      );
      expect(entries).toEqual(JSON.parse(JSON.stringify(whole.value.bgpNeighbors)));
      expect(compiler.problems()).toEqual(whole.problems);
    }),
    { numRuns: 500 },
  );
});
