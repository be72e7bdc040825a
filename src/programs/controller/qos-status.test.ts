/** What a QoSPolicy says of itself: whom it limits, and whom not for whose sake. */
import { expect, test } from 'vitest';
import type { PodModel } from '#model/pod.ts';
import type { QoSPolicyModel } from '#model/qospolicy.ts';
import { qosStatuses } from './qos-status.ts';

const pod = (name: string, labels = {}, annotations = {}): PodModel => ({
  origin: { kind: 'Pod', namespace: 'shop', name },
  namespace: 'shop',
  name,
  uid: name,
  labels,
  annotations,
  hostNetwork: name === 'host',
  ended: false,
  addresses: [],
  namedPorts: [],
});
const rate = { bitsPerSecond: 1e6 };
const policy = (name: string, extra: Partial<QoSPolicyModel> = {}) => ({
  value: {
    origin: { kind: 'QoSPolicy', namespace: 'shop', name },
    namespace: 'shop',
    name,
    podSelector: {},
    priority: 0,
    ...extra,
  },
  problems: [],
});
const statuses = (policies: readonly ReturnType<typeof policy>[], pods: readonly PodModel[]) =>
  qosStatuses(new Map(policies.map((each) => [each.value.name, each])), pods);

test('alone it limits every pod that has a network of its own', () => {
  expect(statuses([policy('q', { ingress: rate })], [pod('b'), pod('a'), pod('host')]).get('q')).toEqual({
    ready: { type: 'Ready', status: 'True', reason: 'Limiting', message: 'limits 2 pods: a, b' },
    selectedPods: 2,
    limitedPods: 2,
  });
});

test('it names what it lost, and to whom', () => {
  const annotations = { 'kubernetes.io/ingress-bandwidth': '1M' };
  const found = statuses(
    [
      policy('low', { ingress: rate, egress: rate }),
      policy('high', { egress: rate, priority: 5, podSelector: { matchLabels: { tier: 'gold' } } }),
    ],
    [pod('a'), pod('b', { tier: 'gold' }), pod('c', { tier: 'gold' }, annotations)],
  );
  expect(found.get('low')).toEqual({
    ready: {
      type: 'Ready',
      status: 'True',
      reason: 'PartlyOverruled',
      message:
        "limits 1 pod: a; egress of b, c is set by QoSPolicy high (priority 5); ingress of c is set by the pod's annotation",
    },
    selectedPods: 3,
    limitedPods: 1,
  });
  expect(found.get('high')).toMatchObject({ ready: { reason: 'Limiting', message: 'limits 2 pods: b, c' } });
});

test('one that lost everything is not Ready; one without pods is', () => {
  const found = statuses(
    [
      policy('a', { ingress: rate }),
      policy('b', { ingress: rate }),
      policy('c', { ingress: rate, podSelector: { matchLabels: { app: 'none' } } }),
    ],
    [pod('x')],
  );
  expect(found.get('b')?.ready).toEqual({
    type: 'Ready',
    status: 'False',
    reason: 'Overruled',
    message: 'ingress of x is set by QoSPolicy a (priority 0)',
  });
  expect(found.get('c')?.ready).toMatchObject({ status: 'True', reason: 'NoPods' });
});

test('one that is refused says why', () => {
  const object = { kind: 'QoSPolicy', namespace: 'shop', name: 'q' };
  const problem = { object, field: 'spec.ingress.rate', code: 'InvalidRate', message: 'is none' } as const;
  const found = qosStatuses(new Map([['q', { value: undefined, problems: [problem] }]]), [pod('a')]);
  expect(found.get('q')?.ready).toEqual({
    type: 'Ready',
    status: 'False',
    reason: 'InvalidRate',
    message: 'spec.ingress.rate: is none',
  });
});
