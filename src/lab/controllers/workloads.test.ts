/** How many pods there are, and which go first. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Pod } from '../objects/pod.ts';
import type { DaemonSet, Deployment, Job, ReplicaSet, StatefulSet } from '../objects/workload.ts';
import { planDaemons } from './daemonset.ts';
import { planJob } from './job.ts';
import { scaled, templateHash } from './pods.ts';
import { planReplicas } from './replicaset.ts';
import { planRollout } from './rollout.ts';
import { planStateful } from './statefulset.ts';
import { node, pod, readyStatus } from './testing.ts';

const template = { metadata: { labels: { app: 'x' } }, spec: { containers: [{ name: 'c' }] } };
const hash = templateHash(template);

test('equal templates have equal hashes, whatever the order of fields', () => {
  const other = { spec: { containers: [{ name: 'c' }] }, metadata: { labels: { app: 'x' } } };
  expect(templateHash(other)).toBe(hash);
  expect(templateHash({ ...template, metadata: {} })).not.toBe(hash);
  expect([
    scaled('25%', 10, 'up', 0),
    scaled('25%', 10, 'down', 0),
    scaled(undefined, 10, 'up', '10%'),
    scaled(3, 10, 'up', 0),
  ]).toEqual([3, 2, 1, 3]);
});

test('too many replicas: those that serve nobody go first', () => {
  const set = {
    metadata: { name: 's' },
    spec: { replicas: 1, template, selector: {} },
  } as unknown as ReplicaSet;
  const pods = [
    pod('good', { spec: { nodeName: 'a' }, status: readyStatus }),
    pod('unready', { spec: { nodeName: 'a' } }),
    pod('unplaced'),
  ];
  expect(planReplicas(set, pods).remove.map(({ metadata }) => metadata.name)).toEqual([
    'unplaced',
    'unready',
  ]);
  expect(planReplicas(set, [pod('over', { status: { phase: 'Failed' } })])).toEqual({
    create: 1,
    remove: [],
  });
});

/** Carries a rollout out step by step, pods becoming available in any order; gives the numbers of each step. */
test('a rolling update never has too few available pods nor too many pods, and ends', () => {
  const sizes = fc.record({
    replicas: fc.integer({ min: 0, max: 12 }),
    surge: fc.oneof(fc.integer({ min: 0, max: 4 }), fc.constantFrom('25%', '50%', '100%')),
    outage: fc.oneof(fc.integer({ min: 0, max: 4 }), fc.constantFrom('25%', '50%')),
    delays: fc.infiniteStream(fc.integer({ min: 0, max: 3 })),
  });
  fc.assert(
    fc.property(sizes, ({ replicas, surge, outage, delays }) => {
      const deployment = {
        metadata: { name: 'd' },
        spec: {
          replicas,
          template,
          selector: {},
          strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: surge, maxUnavailable: outage } },
        },
      } as unknown as Deployment;
      const allowedOut = Math.max(
        scaled(outage, replicas, 'down', 0),
        scaled(surge, replicas, 'up', 0) === 0 && scaled(outage, replicas, 'down', 0) === 0 ? 1 : 0,
      );
      const most = replicas + scaled(surge, replicas, 'up', 0);
      const state = { new: { size: 0, available: 0 }, old: { size: replicas, available: replicas } };
      const set = (name: 'new' | 'old'): ReplicaSet =>
        ({
          metadata: { name },
          spec: { replicas: state[name].size },
          status: { replicas: state[name].size, availableReplicas: state[name].available },
        }) as unknown as ReplicaSet;
      for (let step = 0; step < 200; step += 1) {
        const { scale } = planRollout(deployment, set('new'), [set('old')], true);
        for (const [name, size] of Object.entries(scale) as ['new' | 'old', number][]) {
          state[name] = { size, available: Math.min(size, state[name].available) };
        }
        expect(state.new.size + state.old.size).toBeLessThanOrEqual(most);
        expect(state.new.available + state.old.available).toBeGreaterThanOrEqual(
          replicas - Math.min(replicas, allowedOut),
        );
        if (state.new.available === replicas && state.new.size === replicas && state.old.size === 0) return;
        const arrived = Number(delays.next().value);
        state.new.available = Math.min(
          state.new.size,
          state.new.available + Math.max(Object.keys(scale).length === 0 ? 1 : 0, arrived),
        );
      }
      throw new Error('the rollout never ended');
    }),
  );
});

test('a stateful set goes in order', () => {
  const set = {
    metadata: { name: 'db' },
    spec: { replicas: 3, template, selector: {} },
  } as unknown as StatefulSet;
  const member = (ordinal: number, ready: boolean, label = hash) =>
    pod(`db-${ordinal}`, {
      metadata: { labels: { 'controller-revision-hash': label } },
      status: ready ? readyStatus : {},
    });
  expect(planStateful(set, [], 0)).toEqual({ create: [0], remove: [] });
  expect(planStateful(set, [member(0, false)], 0)).toEqual({ create: [], remove: [] });
  expect(planStateful(set, [member(0, true)], 0)).toEqual({ create: [1], remove: [] });
  const names = (pods: readonly Pod[]) =>
    planStateful(set, pods, 0).remove.map(({ metadata }) => metadata.name);
  expect(names([0, 1, 2, 3, 4].map((ordinal) => member(ordinal, true)))).toEqual(['db-4']);
  expect(names([0, 1, 2].map((ordinal) => member(ordinal, true, 'old')))).toEqual(['db-2']);
  expect(names([member(0, true, 'old'), member(1, true, 'old'), member(2, false)])).toEqual([]);
});

test('a daemon set fills the nodes that take it and replaces one pod at a time', () => {
  const set = { metadata: { name: 'd' }, spec: { template, selector: {} } } as unknown as DaemonSet;
  const nodes = [node('a'), node('b'), node('c', { spec: { taints: [{ key: 'x', effect: 'NoSchedule' }] } })];
  expect(planDaemons(set, [], nodes, 0).create).toEqual(['a', 'b']);
  const old = ['a', 'b'].map((name) =>
    pod(`d-${name}`, {
      metadata: { labels: { 'controller-revision-hash': 'old' } },
      spec: { nodeName: name },
      status: readyStatus,
    }),
  );
  expect(planDaemons(set, old, nodes, 0)).toMatchObject({
    create: [],
    remove: [{ metadata: { name: 'd-a' } }],
  });
  const leaving = pod('d-a', { metadata: { deletionTimestamp: 't' }, spec: { nodeName: 'a' } });
  expect(planDaemons(set, [leaving], [node('a')], 0)).toEqual({ create: [], remove: [] });
});

test('a job counts its ends', () => {
  const job = (spec: Record<string, unknown>) =>
    ({ metadata: { name: 'j' }, spec: { template, ...spec } }) as unknown as Job;
  const done = pod('p1', { status: { phase: 'Succeeded' } });
  const bad = pod('p2', { status: { phase: 'Failed' } });
  expect(planJob(job({ completions: 3, parallelism: 2 }), [done], 0).create).toBe(2);
  expect(planJob(job({ completions: 1 }), [done], 0).end?.type).toBe('Complete');
  expect(planJob(job({ completions: 1, backoffLimit: 0 }), [bad], 0).end).toMatchObject({
    type: 'Failed',
    reason: 'BackoffLimitExceeded',
  });
  expect(planJob(job({ completionMode: 'Indexed' }), [], 0).end).toMatchObject({
    reason: 'UnsupportedByLab',
  });
});
