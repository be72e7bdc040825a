/** What a node must hold: classes, identities, decisions; and that looking a flow up there is what the oracle says of it. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { SelfIntent, SubnetIntent } from '#intent/node.ts';
import type { PodModel } from '#model/pod.ts';
import type { PolicyModel, PolicyPeer, PolicyRule } from '#model/policy.ts';
import { parseAddr } from '#net/addr.ts';
import { parsePrefix } from '#net/prefix.ts';
import { cluster, meeting } from './arbitrary.ts';
import { compilePolicy, type PolicyIntent } from './compile.ts';
import { judge } from './decide.ts';
import { extrasOf, holderOf, nodeAddresses } from './holders.ts';
import { type PolicyView, verdictOf } from './lookup.ts';
import { isPolicyPod } from './order.ts';
import type { PolicySnapshot } from './snapshot.ts';

const self = 'n1';

/** With what the agent knows besides policy. */
function view(snapshot: PolicySnapshot, intent: PolicyIntent): PolicyView {
  const node = snapshot.nodes.get(self);
  const addresses = node === undefined ? [] : nodeAddresses(node, extrasOf(snapshot, node));
  const cidrs = [...(snapshot.podPrefixes?.values() ?? [])].flat();
  return {
    ...intent,
    self: { [self]: { addresses, tunnelAddresses: [] } as unknown as SelfIntent },
    subnets: { default: { cidrs } as unknown as SubnetIntent },
  };
}

describe('any flow of any cluster', () => {
  test('is answered by the compiled intent as by the oracle', () => {
    fc.assert(
      fc.property(cluster, fc.array(meeting, { minLength: 10, maxLength: 20 }), (snapshot, meetings) => {
        const { value, problems } = compilePolicy(snapshot, self);
        expect(problems).toEqual([]);
        const seen = view(snapshot, value);
        for (const [key, pod] of snapshot.pods) {
          if (pod.node !== self || !isPolicyPod(pod)) continue;
          for (const { direction, peer, hairpin, protocol, port } of meetings) {
            const holder = holderOf(snapshot, peer);
            const isSelf = holder?.kind === 'pod' && holder.key === key;
            const extra = isSelf && hairpin ? ({ hairpin: true } as const) : {};
            if (isSelf && !hairpin) continue;
            const [from, to] = [{ kind: 'pod', key } as const, { kind: 'address', address: peer } as const];
            const flow = {
              from: direction === 'egress' ? from : to,
              to: direction === 'egress' ? to : from,
              protocol,
              port,
              family: parseAddr(peer)!.family,
              ...extra,
            };
            const wanted = judge(snapshot, direction, flow);
            const got = verdictOf(seen, { pod: key, direction, peer, protocol, port, ...extra });
            expect({ flow, verdict: got.verdict, origin: got.origin }).toEqual({
              flow,
              verdict: wanted.verdict,
              origin: wanted.origin,
            });
          }
        }
      }),
      { numRuns: Number(process.env['RUNS'] ?? 400) },
    );
  });
});

const pod = (key: string, extra: Partial<PodModel> = {}): [string, PodModel] => {
  const [namespace = '', name = ''] = key.split('/');
  const value: PodModel = {
    origin: { kind: 'Pod', namespace, name },
    namespace,
    name,
    uid: `uid-${name}`,
    labels: { app: name },
    annotations: {},
    hostNetwork: false,
    ended: false,
    node: self,
    addresses: [],
    namedPorts: [],
    ...extra,
  };
  return [key, value];
};

const app = (name: string): PolicyPeer => ({
  kind: 'pods',
  select: { namespaces: {}, pods: { matchLabels: { app: name } } },
});
const cidr = (text: string): PolicyPeer => ({ kind: 'cidr', prefix: parsePrefix(text)!, except: [] });
const accept = (peers?: PolicyPeer[], ports?: PolicyRule['ports']): PolicyRule => ({
  field: 'spec.ingress[0]',
  action: 'accept',
  ...(peers === undefined ? {} : { peers }),
  ...(ports === undefined ? {} : { ports }),
});
const policy = (name: string, extra: Partial<PolicyModel>): PolicyModel => ({
  origin: { kind: 'NetworkPolicy', namespace: 'shop', name },
  key: `NetworkPolicy/shop/${name}`,
  tier: 'network',
  priority: 0,
  audit: false,
  subject: { namespaces: 'shop' },
  ...extra,
});
const snapshot = (
  policies: readonly PolicyModel[],
  pods: readonly [string, PodModel][],
  extra: Partial<PolicySnapshot> = {},
): PolicySnapshot => ({
  policies: new Map(policies.map((each) => [each.key, each])),
  pods: new Map(pods),
  namespaces: new Map(),
  nodes: new Map(),
  ...extra,
});

describe('what is held', () => {
  const web = policy('web', { ingress: [accept([app('web')], [{ protocol: 'tcp', first: 80, last: 80 }])] });

  test('pods that are restricted alike share a class, also before they have an address; others have no entry', () => {
    const { value } = compilePolicy(
      snapshot(
        [web],
        [pod('shop/a'), pod('shop/b', { uid: 'u2' }), pod('bank/c'), pod('shop/d', { node: 'n2' })],
      ),
      self,
    );
    expect(value.policySubjects).toEqual({
      'shop/a': { origin: { kind: 'Pod', namespace: 'shop', name: 'a' }, uid: 'uid-a', ingress: 1 },
      'shop/b': { origin: { kind: 'Pod', namespace: 'shop', name: 'b' }, uid: 'u2', ingress: 1 },
    });
  });

  test('addresses that match the same share an identity, and its decision names the rule', () => {
    const far = { node: 'n2', labels: { app: 'web' } };
    const { value } = compilePolicy(
      snapshot(
        [web],
        [
          pod('shop/a', { addresses: ['10.0.0.1'] }),
          pod('bank/x', { ...far, addresses: ['10.0.1.1', 'fd00::1'] }),
          pod('bank/y', { ...far, addresses: ['10.0.1.2'] }),
        ],
      ),
      self,
    );
    expect(value.policyAddresses).toEqual({
      'pod bank/x': { identities: { '10.0.1.1': 16, 'fd00::1': 16 } },
      'pod bank/y': { identities: { '10.0.1.2': 16 } },
    });
    const isolates = { kind: 'NetworkPolicy', namespace: 'shop', name: 'web' };
    const rule = { ...isolates, rule: 'spec.ingress[0]' };
    const all = { first: 0, last: 65535, verdict: 'deny', origin: isolates };
    expect(value.policyDecisions['1/16']?.rows).toEqual([
      { protocol: 'tcp', first: 0, last: 79, verdict: 'deny', origin: isolates },
      { protocol: 'tcp', first: 80, last: 80, verdict: 'allow', origin: rule },
      { protocol: 'tcp', first: 81, last: 65535, verdict: 'deny', origin: isolates },
      { protocol: 'udp', ...all },
      { protocol: 'sctp', ...all },
      { protocol: 'other', ...all },
    ]);
    expect(value.policyDecisions['1/0']?.rows.map(({ verdict }) => verdict)).toEqual(Array(4).fill('deny'));
    expect(Object.keys(value.policyDecisions).sort()).toEqual(['1/0', '1/16', '1/2']);
  });

  test('names of egress rules stand with the subject, and their addresses with the name', () => {
    const name = (pattern: string): PolicyPeer => ({ kind: 'name', pattern });
    const { value } = compilePolicy(
      snapshot(
        [
          policy('out', { egress: [accept([name('*.example.org'), cidr('10.0.0.0/8')])] }),
          policy('more', { egress: [accept([name('a.example.net'), name('*.example.org')])] }),
        ],
        [pod('shop/a'), pod('bank/b')],
        {
          names: new Map([
            ['x.example.org', new Set(['192.0.2.1', '2001:db8::1'])],
            ['other.org', new Set(['192.0.2.2'])],
          ]),
        },
      ),
      self,
    );
    expect(value.policySubjects['shop/a']?.names).toEqual(['*.example.org', 'a.example.net']);
    expect(value.policySubjects).not.toHaveProperty('bank/b');
    const identity = value.policyAddresses['name x.example.org']?.identities['192.0.2.1'];
    expect(value.policyAddresses).toEqual({
      'name x.example.org': { identities: { '192.0.2.1': identity, '2001:db8::1': identity } },
    });
    expect(value.policyDecisions[`1/${identity}`]?.rows.map(({ verdict }) => verdict)).toEqual(
      Array(4).fill('allow'),
    );
  });

  test('prefixes come apart where they overlap; a pod that they say all about needs no entry', () => {
    const { value } = compilePolicy(
      snapshot(
        [policy('out', { egress: [accept([cidr('10.0.0.0/30'), cidr('10.0.0.2/31')])] })],
        [pod('shop/a', { addresses: ['10.0.0.2'] })],
      ),
      self,
    );
    expect(value.policyPrefixes).toEqual({
      '10.0.0.0/31': { identity: 16 },
      '10.0.0.2/31': { identity: 17 },
    });
    expect(value.policyAddresses).toEqual({});
  });

  test('where some pod is denied, every known address is told from unknown ones', () => {
    const deny = policy('deny', {
      tier: 'admin',
      ingress: [{ field: 'spec.ingress[0]', action: 'deny', peers: [app('evil')] }],
    });
    const { value } = compilePolicy(
      snapshot(
        [deny],
        [pod('shop/a', { addresses: ['10.0.0.1'] }), pod('bank/x', { node: 'n2', addresses: ['10.0.1.1'] })],
        {
          nodes: new Map([
            ['n2', { origin: { kind: 'Node', name: 'n2' }, name: 'n2', uid: '', addresses: ['192.168.0.2'] }],
          ]),
          tunnelAddresses: new Map([['n2', ['10.0.1.0']]]),
        },
      ),
      self,
    );
    expect(value.policyAddresses).toEqual({
      'pod shop/a': { identities: { '10.0.0.1': 16 } },
      'pod bank/x': { identities: { '10.0.1.1': 16 } },
      'node n2': { identities: { '192.168.0.2': 16, '10.0.1.0': 16 } },
    });
    expect(value.policyDecisions['1/1']?.rows[0]).toMatchObject({ verdict: 'deny' });
    expect(value.policyDecisions['1/16']).toBeUndefined();
  });

  test('the mirror of a static pod is the pod that the runtime knows', () => {
    const annotations = { 'kubernetes.io/config.mirror': 'hash' };
    const { value } = compilePolicy(snapshot([web], [pod('shop/a', { annotations })]), self);
    expect(value.policySubjects['shop/a']?.uid).toBe('hash');
  });

  test('what is beyond the limits is refused, with a problem', () => {
    const limits = { lastClass: 3, firstIdentity: 16, lastIdentity: 17 };
    const own = (name: string) =>
      policy(name, {
        subject: { namespaces: 'shop', pods: { matchLabels: { app: name } } },
        ingress: [accept([app(name)])],
      });
    const { value, problems } = compilePolicy(
      snapshot(
        [own('a'), own('b')],
        [pod('shop/a', { addresses: ['10.0.0.1'] }), pod('shop/b', { addresses: ['10.0.0.2'] })],
      ),
      self,
      limits,
    );
    expect(problems.map(({ code }) => code)).toEqual(['LimitExceeded']);
    expect(value.policySubjects).toMatchObject({ 'shop/a': { ingress: 1 }, 'shop/b': { ingress: 2 } });
    expect(value.policyDecisions['2/0']?.rows.map(({ verdict }) => verdict)).toEqual(Array(4).fill('deny'));
    const more = snapshot(
      [policy('all', { ingress: [accept([app('a')]), accept([app('b')])] })],
      [pod('shop/a', { addresses: ['10.0.0.1'] }), pod('shop/b', { addresses: ['10.0.0.2'] })],
    );
    const second = compilePolicy(more, self, limits);
    expect(second.problems.map(({ message }) => message)).toEqual([
      "policies tell more than 1 kinds of peers apart on this node; restricted pods don't talk to peers beyond that until there are fewer",
    ]);
    expect(second.value.policyAddresses['pod shop/b']).toEqual({ identities: { '10.0.0.2': 17 } });
    expect(second.value.policyDecisions['1/17']?.rows[0]).toMatchObject({
      verdict: 'deny',
      origin: { kind: 'Node' },
    });
  });
});
