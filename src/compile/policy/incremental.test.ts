/** Change by change is the same as all at once, and touches what it must and no more. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { PodModel } from '#model/pod.ts';
import type { PolicyModel, PolicyPeer } from '#model/policy.ts';
import { parsePrefix } from '#net/prefix.ts';
import {
  locals,
  names,
  namespace,
  node,
  nodeNames,
  pod,
  policy,
  subnetPrefixes,
  toldAddresses,
  tunnels,
} from './arbitrary.ts';
import {
  compilePolicy,
  createPolicyCompiler,
  type PolicyChange,
  type PolicyCompiler,
  type PolicyDomain,
  type PolicyIntent,
} from './compile.ts';
import { policyLimits } from './limits.ts';
import { lookoutOf, ownedAddresses } from './owned.ts';
import type { PolicySnapshot } from './snapshot.ts';
import { classify } from './subjects.ts';

const self = 'n1';

type State = { [K in keyof Required<PolicySnapshot>]: Map<string, unknown> };
type Change = (state: State, compiler: PolicyCompiler) => void;

/** One change, made to the state and told to the compiler. */
function change<T>(
  part: keyof State,
  tell: (compiler: PolicyCompiler) => (key: string, value: T | undefined) => void,
  entry: fc.Arbitrary<readonly [string, T]>,
): fc.Arbitrary<Change> {
  return fc.tuple(entry, fc.boolean(), fc.boolean()).map(
    ([[key, value], a, b]): Change =>
      (state, compiler) => {
        const gone = a && b;
        if (gone) state[part].delete(key);
        else state[part].set(key, value);
        tell(compiler)(key, gone ? undefined : value);
      },
  );
}

const changes: readonly fc.Arbitrary<Change>[] = [
  change(
    'policies',
    (c) => c.setPolicy,
    policy.map((each) => [each.key, each] as const),
  ),
  change(
    'pods',
    (c) => c.setPod,
    pod.map((each) => [`${each.namespace}/${each.name}`, each] as const),
  ),
  change(
    'namespaces',
    (c) => c.setNamespace,
    namespace.map((each) => [each.name, each] as const),
  ),
  change(
    'nodes',
    (c) => c.setNode,
    node.map((each) => [each.name, each] as const),
  ),
  change('tunnelAddresses', (c) => c.setTunnelAddresses, fc.tuple(fc.constantFrom(...nodeNames), tunnels)),
  change('localAddresses', (c) => c.setLocalAddresses, fc.tuple(fc.constantFrom(...nodeNames), locals)),
  change('names', (c) => c.setName, fc.tuple(names, toldAddresses)),
  change('podPrefixes', (c) => c.setPodPrefixes, fc.tuple(fc.constant('default'), subnetPrefixes)),
];
const step = fc.oneof(
  { weight: 8, arbitrary: changes[0]! },
  { weight: 8, arbitrary: changes[1]! },
  ...changes.slice(2).map((arbitrary) => ({ weight: 2, arbitrary })),
  { weight: 6, arbitrary: fc.constant('flush' as const) },
);

const emptyState = (): State => ({
  policies: new Map(),
  pods: new Map(),
  namespaces: new Map(),
  nodes: new Map(),
  tunnelAddresses: new Map(),
  localAddresses: new Map(),
  names: new Map(),
  podPrefixes: new Map(),
});

type Folded = { -readonly [D in PolicyDomain]: Record<string, PolicyIntent[D][string]> };

const emptyFold = (): Folded => ({
  policySubjects: {},
  policyDecisions: {},
  policyAddresses: {},
  policyPrefixes: {},
});

function fold(into: Folded, given: PolicyChange | undefined): void {
  for (const domain of Object.keys(into) as PolicyDomain[]) {
    for (const key of given?.remove[domain] ?? []) {
      expect(into[domain]).toHaveProperty([key]);
      delete into[domain][key];
    }
    Object.assign(into[domain], given?.put[domain]);
  }
}

/** By what numbers stand for: a class is its direction and pods, an identity its addresses and prefixes. */
function canonical(intent: PolicyIntent): unknown {
  const members = new Map<string, string[]>();
  const note = (name: string, member: string) => members.set(name, [...(members.get(name) ?? []), member]);
  for (const [key, { ingress, egress }] of Object.entries(intent.policySubjects)) {
    if (ingress !== undefined) note(`class ${ingress}`, `ingress ${key}`);
    if (egress !== undefined) note(`class ${egress}`, `egress ${key}`);
  }
  for (const { identities } of Object.values(intent.policyAddresses))
    for (const [address, identity] of Object.entries(identities)) note(`identity ${identity}`, address);
  for (const [prefix, { identity }] of Object.entries(intent.policyPrefixes))
    note(`identity ${identity}`, prefix);
  const meaning = (name: string) => members.get(name)?.sort().join() ?? name;
  const map = <T, U>(record: Readonly<Record<string, T>>, to: (value: T) => U) =>
    Object.fromEntries(Object.entries(record).map(([key, value]) => [key, to(value)]));
  const decisions = Object.entries(intent.policyDecisions).map(([key, decision]) => {
    const [own, identity] = key.split('/');
    return [`${meaning(`class ${own}`)} / ${meaning(`identity ${identity}`)}`, decision] as const;
  });
  expect(new Set(decisions.map(([key]) => key)).size).toBe(decisions.length);
  return {
    subjects: map(intent.policySubjects, ({ ingress, egress, ...rest }) => ({
      ...rest,
      ingress: ingress === undefined ? undefined : meaning(`class ${ingress}`),
      egress: egress === undefined ? undefined : meaning(`class ${egress}`),
    })),
    decisions: Object.fromEntries(decisions),
    addresses: map(intent.policyAddresses, ({ identities }) =>
      map(identities, (identity) => meaning(`identity ${identity}`)),
    ),
    prefixes: map(intent.policyPrefixes, ({ identity }) => meaning(`identity ${identity}`)),
  };
}

/** What the addresses with an entry have, by address. */
function featuresOf(state: PolicySnapshot): Map<string, string> {
  const lookout = lookoutOf(classify(state, self, policyLimits).classes.values());
  return new Map(
    ownedAddresses(state, self, lookout).map(({ address, features }) => [address, features.join()]),
  );
}

function numbersOf({ policyAddresses }: PolicyIntent): Map<string, number> {
  return new Map(Object.values(policyAddresses).flatMap(({ identities }) => Object.entries(identities)));
}

test('a number stays while what it stands for is there, and is not given to others within one flush', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30, size: 'max' }), (steps) => {
      const compiler = createPolicyCompiler(self);
      const state = emptyState();
      const folded = emptyFold();
      let before = { features: new Map<string, string>(), numbers: new Map<string, number>() };
      for (const each of [...steps, 'flush' as const]) {
        if (each !== 'flush') {
          each(state, compiler);
          continue;
        }
        fold(folded, compiler.flush());
        const now = { features: featuresOf(state as unknown as PolicySnapshot), numbers: numbersOf(folded) };
        const meaning = new Map(
          [...before.numbers].map(([key, number]) => [number, before.features.get(key)]),
        );
        const number = new Map([...before.numbers].map(([key, own]) => [before.features.get(key), own]));
        for (const [address, own] of now.numbers) {
          const features = now.features.get(address);
          if (meaning.has(own)) expect(meaning.get(own)).toBe(features);
          if (number.has(features)) expect(own).toBe(number.get(features));
        }
        before = now;
      }
    }),
    { numRuns: Number(process.env['RUNS'] ?? 100) },
  );
});

test('any sequence of changes gives what one compile of the final state gives, up to numbers', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40, size: 'max' }), (steps) => {
      const compiler = createPolicyCompiler(self);
      const state = emptyState();
      const folded = emptyFold();
      for (const each of [...steps, 'flush' as const]) {
        if (each !== 'flush') {
          each(state, compiler);
          continue;
        }
        fold(folded, compiler.flush());
        const whole = compilePolicy(state as unknown as PolicySnapshot, self);
        expect(canonical(folded)).toEqual(canonical(whole.value));
        expect(compiler.problems()).toEqual(whole.problems);
      }
      expect(compiler.flush()).toBeUndefined();
    }),
    { numRuns: Number(process.env['RUNS'] ?? 150) },
  );
});

const podOf = (key: string, extra: Partial<PodModel> = {}): [string, PodModel] => {
  const [inside = '', name = ''] = key.split('/');
  const value: PodModel = {
    origin: { kind: 'Pod', namespace: inside, name },
    namespace: inside,
    name,
    uid: `uid-${name}`,
    labels: { app: name },
    annotations: {},
    hostNetwork: false,
    ended: false,
    node: 'n2',
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
const policyOf = (name: string, peers: readonly PolicyPeer[], subject = 'shop'): [string, PolicyModel] => [
  name,
  {
    origin: { kind: 'NetworkPolicy', namespace: subject, name },
    key: name,
    tier: 'network',
    priority: 0,
    audit: false,
    subject: { namespaces: subject },
    ingress: peers.map((peer, index) => ({
      field: `spec.ingress[${index}]`,
      action: 'accept',
      peers: [peer],
    })),
  },
];

describe('a change', () => {
  const start = (...peers: readonly PolicyPeer[]) => {
    const compiler = createPolicyCompiler(self);
    const folded = emptyFold();
    compiler.setPod(...podOf('shop/own', { node: self, addresses: ['10.0.0.1'] }));
    compiler.setPolicy(...policyOf('p', peers));
    compiler.setPod(...podOf('far/a', { addresses: ['10.1.0.1'] }));
    compiler.setPod(...podOf('far/b', { addresses: ['10.1.0.2'] }));
    fold(folded, compiler.flush());
    return { compiler, folded };
  };

  test('of a pod touches its own entry only where its identity is there', () => {
    const { compiler } = start(app('a'));
    compiler.setPod(...podOf('else/where', { labels: { app: 'a' }, addresses: ['10.1.0.9'] }));
    expect(compiler.flush()).toEqual({
      put: { policyAddresses: { 'pod else/where': { identities: { '10.1.0.9': 16 } } } },
      remove: {},
    });
    compiler.setPod('else/where', undefined);
    expect(compiler.flush()).toEqual({ put: {}, remove: { policyAddresses: ['pod else/where'] } });
  });

  test('that nothing here asks of is none', () => {
    const { compiler } = start(app('a'));
    compiler.setPod(...podOf('far/c', { addresses: ['10.1.0.3'] }));
    compiler.setPolicy(...policyOf('elsewhere', [app('c')], 'far'));
    compiler.setPod(...podOf('far/a', { addresses: ['10.1.0.1'], labels: { app: 'a', more: 'x' } }));
    expect(compiler.flush()).toBeUndefined();
  });

  test('of a policy renumbers only those whose features change', () => {
    const { compiler, folded } = start(app('a'), app('b'));
    expect(folded.policyAddresses).toMatchObject({
      'pod far/a': { identities: { '10.1.0.1': 16 } },
      'pod far/b': { identities: { '10.1.0.2': 17 } },
    });
    compiler.setPolicy(
      ...policyOf('p', [app('b'), { kind: 'cidr', prefix: parsePrefix('10.2.0.0/16')!, except: [] }]),
    );
    const changed = compiler.flush();
    expect(changed?.put.policyAddresses).toBeUndefined();
    expect(changed?.remove.policyAddresses).toEqual(['pod far/a']);
    // 16 was somebody's until this very change.
    expect(changed?.put.policyPrefixes).toEqual({ '10.2.0.0/16': { identity: 18 } });
    compiler.setPolicy(...policyOf('p', [app('b'), app('own')]));
    expect(compiler.flush()?.put.policyAddresses).toEqual({
      'pod shop/own': { identities: { '10.0.0.1': 16 } },
    });
  });

  test('of an address that two pods say to have gives it to one of them', () => {
    const { compiler, folded } = start(app('a'), app('b'));
    compiler.setPod(...podOf('far/b', { addresses: ['10.1.0.1'] }));
    fold(folded, compiler.flush());
    expect(folded.policyAddresses).toEqual({ 'pod far/b': { identities: { '10.1.0.1': 17 } } });
    compiler.setPod(...podOf('far/b', { addresses: ['10.1.0.1'], ended: true }));
    fold(folded, compiler.flush());
    expect(folded.policyAddresses).toEqual({ 'pod far/a': { identities: { '10.1.0.1': 16 } } });
  });

  test('of a prefix that was all that was known of a pod leaves the pod known, where unknown ones are denied', () => {
    const compiler = createPolicyCompiler(self);
    const folded = emptyFold();
    const network: PolicyPeer = { kind: 'cidr', prefix: parsePrefix('10.1.0.0/16')!, except: [] };
    const [key, given] = policyOf('p', [app('nobody'), network]);
    const rules = given.ingress!.map((rule) => ({ ...rule, action: 'deny' as const }));
    compiler.setPod(...podOf('shop/own', { node: self }));
    compiler.setPod(...podOf('far/a', { addresses: ['10.1.0.1'] }));
    compiler.setPolicy(key, { ...given, tier: 'admin', ingress: rules });
    fold(folded, compiler.flush());
    expect(folded.policyAddresses).toEqual({});
    compiler.setPolicy(key, { ...given, tier: 'admin', ingress: rules.slice(0, 1) });
    fold(folded, compiler.flush());
    expect(folded.policyAddresses).toEqual({ 'pod far/a': { identities: { '10.1.0.1': 17 } } });
  });

  test('with many selectors at once finds what each of them takes', () => {
    const compiler = createPolicyCompiler(self);
    const folded = emptyFold();
    const apps = Array.from({ length: 40 }, (_, index) => `app-${index}`);
    const inside = (name: string): PolicyPeer => ({
      kind: 'pods',
      select: { namespaces: 'far', pods: { matchLabels: { app: name } } },
    });
    const pods = [
      podOf('shop/own', { node: self }),
      ...apps.flatMap((name, index) => [
        podOf(`far/${name}`, { addresses: [`10.1.0.${index}`] }),
        podOf(`else/${name}`, { addresses: [`10.2.0.${index}`] }),
      ]),
    ];
    for (const each of pods) compiler.setPod(...each);
    fold(folded, compiler.flush());
    const policy = policyOf('p', [...apps.map(inside), ...apps.slice(0, 20).map(app)]);
    compiler.setPolicy(...policy);
    fold(folded, compiler.flush());
    expect(Object.keys(folded.policyAddresses)).toHaveLength(60);
    const whole = compilePolicy(
      { policies: new Map([policy]), pods: new Map(pods), namespaces: new Map(), nodes: new Map() },
      self,
    );
    expect(canonical(folded)).toEqual(canonical(whole.value));
  });

  test('that leaves room gives numbers to those that were refused', () => {
    const compiler = createPolicyCompiler(self, { lastClass: 3, firstIdentity: 16, lastIdentity: 17 });
    const folded = emptyFold();
    compiler.setPod(...podOf('shop/own', { node: self, addresses: ['10.0.0.1'] }));
    compiler.setPod(...podOf('far/own', { node: self, addresses: ['10.0.0.2'] }));
    compiler.setPolicy(...policyOf('p', [app('a'), app('b')]));
    compiler.setPolicy(...policyOf('q', [app('a')], 'far'));
    compiler.setPod(...podOf('far/a', { addresses: ['10.1.0.1'] }));
    compiler.setPod(...podOf('far/b', { addresses: ['10.1.0.2'] }));
    fold(folded, compiler.flush());
    expect(compiler.problems().map(({ code }) => code)).toEqual(['LimitExceeded', 'LimitExceeded']);
    const refused = Object.values(folded.policyDecisions).filter(
      ({ rows }) => rows[0]?.origin?.kind === 'Node',
    );
    expect(refused).toHaveLength(2);
    compiler.setPod('shop/own', undefined);
    fold(folded, compiler.flush());
    fold(folded, compiler.flush());
    expect(compiler.problems()).toEqual([]);
    expect(folded.policySubjects).toMatchObject({ 'far/own': { ingress: 1 } });
    expect(JSON.stringify(folded.policyDecisions)).not.toContain('"Node"');
  });
});
