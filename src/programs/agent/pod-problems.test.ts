/** What the agent tells of pods: a bad annotation, and a limit that the node does not hold; each once, and its end. */
import { expect, test } from 'vitest';
import type { EngineProblem } from '#intent/handover.ts';
import type { Change } from '#kube/informer.ts';
import { eventually } from '#lab/eventually.ts';
import type { PodModel } from '#model/pod.ts';
import { silentLog } from '#telemetry/log.ts';
import { createRegistry } from '#telemetry/metrics.ts';
import type { ProblemEvent } from '#telemetry/problems.ts';
import { reportPods } from './pod-problems.ts';

const pod = (rate: string): PodModel => ({
  origin: { kind: 'Pod', namespace: 'shop', name: 'web' },
  namespace: 'shop',
  name: 'web',
  uid: 'u1',
  labels: {},
  annotations: { 'kubernetes.io/ingress-bandwidth': rate },
  hostNetwork: false,
  ended: false,
  addresses: [],
  namedPorts: [],
});

test('events name the pod, what is wrong and that it is over', async () => {
  const events: ProblemEvent[] = [];
  const seen = () =>
    events.splice(0).map(({ regarding, type, reason, note }) => [regarding.uid, type, reason, note]);
  let tell: (change: Change<PodModel>) => void = () => {};
  let current = pod('10M');
  let problems: EngineProblem[] = [];
  const pods = {
    list: () => [current],
    onChange: (handler: (change: Change<PodModel>) => void) => {
      tell = handler;
      return () => {};
    },
  };
  const change = (next: PodModel): void => {
    tell({ key: 'shop/web', old: current, new: next });
    current = next;
  };
  const datapath = { problems: async () => problems };
  const recorder = { event: (event: ProblemEvent) => void events.push(event) };
  const reporting = reportPods(pods, datapath, recorder, createRegistry(), silentLog);
  const setStatus = () =>
    reporting.setStatus({ engines: [{ name: 'tc', generation: 1, problems: problems.length }] });

  change(pod('10Mbit'));
  change(pod('10Mbit'));
  const field = 'metadata.annotations[kubernetes.io/ingress-bandwidth]';
  expect(seen()).toEqual([
    [
      'u1',
      'Warning',
      'InvalidRate',
      `${field}: "10Mbit" is no quantity; give 1k to 1P bits a second, for example 10M`,
    ],
  ]);
  change(pod('10M'));
  expect(seen()).toEqual([['u1', 'Normal', 'ProblemOver', `${field}: InvalidRate`]]);

  problems = [{ engine: 'tc', entry: 'bandwidth/shop/web', reason: 'somebody else limits it' }];
  setStatus();
  await eventually(() =>
    expect(seen()).toEqual([
      ['u1', 'Warning', 'LimitNotHeld', 'its limit is not in force: somebody else limits it'],
    ]),
  );
  problems = [];
  setStatus();
  await eventually(() => expect(seen()).toEqual([['u1', 'Normal', 'ProblemOver', 'LimitNotHeld']]));
  reporting.stop();
});
