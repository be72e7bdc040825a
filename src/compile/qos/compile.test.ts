/** Limits: who sets them for which pod, and that a change gives what a whole compile gives. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { PodModel } from '#model/pod.ts';
import type { QoSPolicyModel } from '#model/qospolicy.ts';
import { compileQos, createQosCompiler, type QosIntent } from './compile.ts';

const pod = (name: string, extra: Partial<PodModel> = {}): PodModel => ({
  origin: { kind: 'Pod', namespace: 'shop', name },
  namespace: 'shop',
  name,
  uid: `uid-${name}`,
  labels: { app: name },
  annotations: {},
  hostNetwork: false,
  ended: false,
  addresses: [],
  namedPorts: [],
  ...extra,
});

const policy = (name: string, extra: Partial<QoSPolicyModel> = {}): QoSPolicyModel => ({
  origin: { kind: 'QoSPolicy', namespace: 'shop', name },
  namespace: 'shop',
  name,
  podSelector: {},
  priority: 0,
  ...extra,
});

const keyed = <T extends { readonly namespace: string; readonly name: string }>(list: readonly T[]) =>
  new Map(list.map((each) => [`${each.namespace}/${each.name}`, each]));

const compile = (pods: readonly PodModel[], policies: readonly QoSPolicyModel[]) =>
  compileQos({ pods: keyed(pods), policies: keyed(policies) });

const mega = (bits: number) => ({ bitsPerSecond: bits * 1e6 });
const annotated = (direction: string, text: string) => ({ [`kubernetes.io/${direction}-bandwidth`]: text });

describe('compileQos', () => {
  test('an annotation is a limit in bits a second, with the pod as its origin', () => {
    const { value, problems } = compile(
      [pod('a', { annotations: annotated('ingress', '10M') }), pod('b')],
      [],
    );
    expect(problems).toEqual([]);
    expect(value).toEqual({
      'shop/a': {
        origin: { kind: 'Pod', namespace: 'shop', name: 'a' },
        uid: 'uid-a',
        ingress: {
          origin: {
            kind: 'Pod',
            namespace: 'shop',
            name: 'a',
            rule: 'metadata.annotations[kubernetes.io/ingress-bandwidth]',
          },
          bitsPerSecond: 10_000_000,
        },
      },
    });
  });

  test('an annotation wins over a policy in its own direction and leaves the other to it', () => {
    const { value } = compile(
      [pod('a', { annotations: annotated('egress', '1M') })],
      [policy('q', { ingress: { ...mega(5), burstBits: 8e6 }, egress: mega(7) })],
    );
    expect(value['shop/a']).toMatchObject({
      ingress: { bitsPerSecond: 5e6, burstBits: 8e6, origin: { name: 'q', rule: 'spec.ingress' } },
      egress: { bitsPerSecond: 1e6, origin: { kind: 'Pod' } },
    });
  });

  test('the higher priority wins, then the first name, for each direction by itself', () => {
    const { value } = compile(
      [pod('a')],
      [
        policy('c', { egress: mega(3) }),
        policy('b', { egress: mega(2) }),
        policy('z', { ingress: mega(9), priority: 10 }),
        policy('y', { ingress: mega(8), priority: -1 }),
      ],
    );
    expect(value['shop/a']).toMatchObject({ ingress: mega(9), egress: mega(2) });
  });

  test('a policy takes pods of its own namespace by label, none on the node’s network, none that ended', () => {
    const { value } = compile(
      [
        pod('a'),
        pod('b'),
        pod('host', { hostNetwork: true }),
        pod('done', { ended: true, annotations: annotated('ingress', '1M') }),
        pod('a', { namespace: 'bank' }),
      ],
      [
        policy('q', {
          ingress: mega(1),
          podSelector: { matchExpressions: [{ key: 'app', operator: 'NotIn', values: ['b'] }] },
        }),
      ],
    );
    expect(Object.keys(value)).toEqual(['shop/a']);
  });

  test('a bad annotation is a problem and counts as absent', () => {
    const annotations = { ...annotated('ingress', 'fast'), ...annotated('egress', '999') };
    const { value, problems } = compile([pod('a', { annotations })], [policy('q', { ingress: mega(5) })]);
    expect(problems.map(({ field, code, message }) => [field, code, message])).toEqual([
      [
        'metadata.annotations[kubernetes.io/ingress-bandwidth]',
        'InvalidRate',
        '"fast" is no quantity; give 1k to 1P bits a second, for example 10M',
      ],
      [
        'metadata.annotations[kubernetes.io/egress-bandwidth]',
        'InvalidRate',
        '999 is too small; give 1k to 1P bits a second',
      ],
    ]);
    expect(value['shop/a']).toMatchObject({ ingress: mega(5) });
    expect(value['shop/a']?.egress).toBeUndefined();
  });

  test('the mirror of a static pod is matched by name, since the runtime knows it by another uid', () => {
    const annotations = { ...annotated('ingress', '1M'), 'kubernetes.io/config.mirror': 'abc' };
    expect(compile([pod('a', { annotations })], []).value['shop/a']?.uid).toBe('');
  });
});

const rates = fc.option(fc.constantFrom(mega(1), mega(2), { ...mega(3), burstBits: 8e6 }), {
  nil: undefined,
});
const names = fc.constantFrom('a', 'b', 'c');
const namespaces = fc.constantFrom('shop', 'bank');
const pods = fc
  .record({
    name: names,
    namespace: namespaces,
    app: names,
    uid: names,
    text: fc.constantFrom('', '1M', '2M', 'bad'),
    hostNetwork: fc.boolean(),
    ended: fc.boolean(),
  })
  .map(({ name, namespace, app, text, ...rest }) =>
    pod(name, {
      namespace,
      labels: { app },
      annotations: text === '' ? {} : annotated('ingress', text),
      ...rest,
    }),
  );
const policies = fc
  .record({
    name: names,
    namespace: namespaces,
    app: names,
    priority: fc.nat(1),
    ingress: rates,
    egress: rates,
  })
  .map(({ name, app, ingress, egress, ...rest }) =>
    policy(name, {
      ...rest,
      podSelector: { matchLabels: { app } },
      ...(ingress === undefined ? {} : { ingress }),
      ...(egress === undefined ? {} : { egress }),
    }),
  );
const step = fc.oneof(
  fc.record({ kind: fc.constant('pod' as const), value: pods, gone: fc.boolean() }),
  fc.record({ kind: fc.constant('policy' as const), value: policies, gone: fc.boolean() }),
  fc.constant({ kind: 'flush' as const }),
);

test('any sequence of changes gives what one compile of the final state gives', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const compiler = createQosCompiler();
      const state = { pods: new Map<string, PodModel>(), policies: new Map<string, QoSPolicyModel>() };
      const folded: Record<string, QosIntent[string]> = {};
      for (const each of [...steps, { kind: 'flush' as const }]) {
        if (each.kind === 'flush') {
          const change = compiler.flush();
          for (const key of change?.remove.bandwidth ?? []) delete folded[key];
          Object.assign(folded, change?.put.bandwidth);
          continue;
        }
        const key = `${each.value.namespace}/${each.value.name}`;
        if (each.kind === 'pod') {
          if (each.gone) state.pods.delete(key);
          else state.pods.set(key, each.value);
          compiler.setPod(key, each.gone ? undefined : each.value);
        } else {
          if (each.gone) state.policies.delete(key);
          else state.policies.set(key, each.value);
          compiler.setPolicy(key, each.gone ? undefined : each.value);
        }
      }
      expect(folded).toEqual(compileQos(state).value);
      expect(compiler.flush()).toBeUndefined();
    }),
    { numRuns: 300 },
  );
});
