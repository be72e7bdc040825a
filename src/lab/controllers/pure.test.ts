import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { LabNode, Taint } from '../objects/node.ts';
import type { Pod } from '../objects/pod.ts';
import type { Endpoint, EndpointSlice, Service } from '../objects/service.ts';
import type { DaemonSet, Deployment, Job, ReplicaSet, StatefulSet } from '../objects/workload.ts';
import { planDaemons } from './daemonset.ts';
import { planJob } from './job.ts';
import { evictionDelay, wantedTaints } from './nodelife.ts';
import { scaled, templateHash } from './pods.ts';
import { planReplicas } from './replicaset.ts';
import { planRollout } from './rollout.ts';
import { schedule } from './schedule.ts';
import { managedBy, planSlices, serviceGroups } from './slices.ts';
import { planStateful } from './statefulset.ts';

const node = (
  name: string,
  more: Record<string, unknown> = {},
  labels: Record<string, string> = {},
): LabNode =>
  ({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels: { 'kubernetes.io/hostname': name, ...labels } },
    ...more,
  }) as unknown as LabNode;
const pod = (name: string, more: Record<string, unknown> = {}): Pod => {
  const { metadata = {}, spec = {}, status = {} } = more as Record<string, Record<string, unknown>>;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: 'default',
      uid: `uid-${name}`,
      creationTimestamp: '2026-01-01T00:00:00Z',
      ...metadata,
    },
    spec: { containers: [{ name: 'c' }], ...spec },
    status: { phase: 'Running', ...status },
  } as unknown as Pod;
};
const readyStatus = { conditions: [{ type: 'Ready', status: 'True' }] };

describe('scheduling', () => {
  const place = (wanted: Pod, nodes: readonly LabNode[], placed: readonly Pod[] = []) =>
    schedule(wanted, { nodes, placed, namespaceLabels: () => ({}) });
  const taint: Taint = { key: 'dedicated', value: 'db', effect: 'NoSchedule' };

  test('every node that will not do is counted under its reason', () => {
    const nodes = [
      node('a', { spec: { taints: [taint] } }),
      node('b', { spec: { unschedulable: true } }),
      node('c'),
    ];
    const wanted = pod('p', { spec: { nodeSelector: { disk: 'ssd' } } });
    expect(place(wanted, nodes)).toEqual({
      reason:
        "0/3 nodes are available: 1 node(s) didn't match Pod's node affinity/selector, 1 node(s) had untolerated taint {dedicated: db}, 1 node(s) were unschedulable.",
    });
    expect(
      place(pod('p', { spec: { tolerations: [{ key: 'dedicated', value: 'db' }] } }), nodes.slice(0, 1)),
    ).toEqual({ node: 'a' });
  });

  test('siblings are spread, and host ports are taken once a node', () => {
    const owner = { metadata: { ownerReferences: [{ uid: 'o' }] } };
    const placed = [pod('x', { ...owner, spec: { nodeName: 'a' } })];
    expect(place(pod('y', owner), [node('a'), node('b')], placed)).toEqual({ node: 'b' });
    const port = { containers: [{ name: 'c', ports: [{ containerPort: 80, hostPort: 80 }] }] };
    const here = [pod('x', { spec: { ...port, nodeName: 'a' } })];
    expect(place(pod('y', { spec: port }), [node('a')], here)).toEqual({
      reason: "0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports.",
    });
  });

  test('anti-affinity keeps pods apart in both directions', () => {
    const term = { labelSelector: { matchLabels: { app: 'x' } }, topologyKey: 'kubernetes.io/hostname' };
    const spec = {
      affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term] } },
    };
    const labelled = { metadata: { labels: { app: 'x' } } };
    expect(
      place(
        pod('y', { ...labelled, spec }),
        [node('a')],
        [pod('x', { ...labelled, spec: { nodeName: 'a' } })],
      ),
    ).toHaveProperty('reason');
    expect(
      place(pod('y', labelled), [node('a')], [pod('x', { ...labelled, spec: { ...spec, nodeName: 'a' } })]),
    ).toHaveProperty('reason');
  });

  test('a spread constraint keeps the skew', () => {
    const labels = { app: 'x' };
    const spec = {
      topologySpreadConstraints: [
        {
          maxSkew: 1,
          topologyKey: 'zone',
          whenUnsatisfiable: 'DoNotSchedule',
          labelSelector: { matchLabels: labels },
        },
      ],
    };
    const nodes = [node('a', {}, { zone: '1' }), node('b', {}, { zone: '2' })];
    const placed = [pod('x', { metadata: { labels }, spec: { nodeName: 'a' } })];
    expect(place(pod('y', { metadata: { labels }, spec }), nodes, placed)).toEqual({ node: 'b' });
  });
});

describe('workloads', () => {
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
    const nodes = [
      node('a'),
      node('b'),
      node('c', { spec: { taints: [{ key: 'x', effect: 'NoSchedule' }] } }),
    ];
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
});

describe('nodes', () => {
  test('taints follow the condition, foreign ones stay', () => {
    const foreign: Taint = { key: 'mine', effect: 'NoSchedule' };
    const of = (status: string) =>
      wantedTaints(
        node('a', { spec: { taints: [foreign] }, status: { conditions: [{ type: 'Ready', status }] } }),
        'now',
      ).map(({ key }) => key);
    expect(of('True')).toEqual(['mine']);
    expect(of('False')).toEqual(['mine', 'node.kubernetes.io/not-ready', 'node.kubernetes.io/not-ready']);
    expect(of('Unknown')).toContain('node.kubernetes.io/unreachable');
  });
  test('pods leave a lost node when their toleration ends', () => {
    const lost: readonly Taint[] = [
      { key: 'node.kubernetes.io/unreachable', effect: 'NoExecute', timeAdded: new Date(0).toISOString() },
    ];
    expect(evictionDelay(pod('p'), lost, 100_000)).toBe(200_000);
    expect(
      evictionDelay(pod('p', { spec: { tolerations: [{ operator: 'Exists' }] } }), lost, 100_000),
    ).toBeUndefined();
    expect(
      evictionDelay(
        pod('p', { spec: { tolerations: [{ operator: 'Exists', tolerationSeconds: 10 }] } }),
        lost,
        100_000,
      ),
    ).toBe(0);
  });
});

describe('endpoint slices', () => {
  const service = (spec: Record<string, unknown> = {}): Service =>
    ({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 's', namespace: 'default', uid: 'us' },
      spec: {
        selector: { app: 'x' },
        ipFamilies: ['IPv4'],
        ports: [{ name: 'http', port: 80, targetPort: 'web' }],
        ...spec,
      },
    }) as unknown as Service;
  const backend = (name: string, more: Record<string, unknown> = {}) =>
    pod(name, {
      ...more,
      spec: { nodeName: 'a', containers: [{ name: 'c', ports: [{ name: 'web', containerPort: 8080 }] }] },
      status: {
        podIPs: [{ ip: '10.0.0.1' }, { ip: 'fd00::1' }],
        ...readyStatus,
        ...(more.status as object | undefined),
      },
    });

  test('conditions tell what a backend is good for', () => {
    const conditions = (more: Record<string, unknown>, spec: Record<string, unknown> = {}) =>
      serviceGroups(service(spec), [backend('p', more)], () => undefined)[0]?.endpoints[0]?.conditions;
    expect(conditions({})).toEqual({ ready: true, serving: true, terminating: false });
    expect(conditions({ metadata: { deletionTimestamp: 't' } })).toEqual({
      ready: false,
      serving: true,
      terminating: true,
    });
    expect(conditions({ status: { conditions: [] } })).toEqual({
      ready: false,
      serving: false,
      terminating: false,
    });
    expect(conditions({ status: { conditions: [] } }, { publishNotReadyAddresses: true })).toEqual({
      ready: true,
      serving: true,
      terminating: false,
    });
  });

  test('families, named ports, node and zone', () => {
    const zoned = node('a', {}, { 'topology.kubernetes.io/zone': 'z' });
    const groups = serviceGroups(service({ ipFamilies: ['IPv6', 'IPv4'] }), [backend('p')], () => zoned);
    expect(
      groups.map(({ addressType, ports, endpoints }) => [
        addressType,
        ports,
        endpoints[0]?.addresses,
        endpoints[0]?.zone,
      ]),
    ).toEqual([
      ['IPv6', [{ name: 'http', port: 8080, protocol: 'TCP' }], ['fd00::1'], 'z'],
      ['IPv4', [{ name: 'http', port: 8080, protocol: 'TCP' }], ['10.0.0.1'], 'z'],
    ]);
  });

  test('a plan carried out is what was wanted, and a second one does nothing', () => {
    const endpoints = fc.uniqueArray(fc.integer({ min: 0, max: 400 }), { maxLength: 350 }).map((numbers) =>
      numbers.map(
        (number): Endpoint => ({
          addresses: [`10.0.${number >> 8}.${number & 255}`],
          conditions: { ready: true },
        }),
      ),
    );
    fc.assert(
      fc.property(fc.array(endpoints, { minLength: 1, maxLength: 5 }), (rounds) => {
        let held: readonly EndpointSlice[] = [];
        let names = 0;
        for (const wanted of rounds) {
          const groups = [
            { addressType: 'IPv4' as const, ports: [{ name: 'http', port: 80 }], endpoints: wanted },
          ];
          const { create, update, remove } = planSlices(service(), groups, held);
          held = [
            ...held
              .filter((slice) => !remove.includes(slice))
              .map((slice) => update.find(({ metadata }) => metadata.name === slice.metadata.name) ?? slice),
            ...create.map((slice) => ({
              ...slice,
              metadata: { ...slice.metadata, name: `slice${names++}` },
            })),
          ];
          const addresses = held.flatMap((slice) =>
            (slice.endpoints ?? []).flatMap((endpoint) => endpoint.addresses),
          );
          expect(addresses.toSorted()).toEqual(wanted.flatMap((endpoint) => endpoint.addresses).toSorted());
          expect(held.every((slice) => (slice.endpoints ?? []).length <= 100)).toBe(true);
          expect(planSlices(service(), groups, held)).toEqual({ create: [], update: [], remove: [] });
        }
      }),
      { numRuns: 50 },
    );
  });

  test('slices of others are left alone', () => {
    const foreign = {
      metadata: { name: 'f', labels: { 'endpointslice.kubernetes.io/managed-by': 'me' } },
      addressType: 'IPv4',
      endpoints: [],
    } as unknown as EndpointSlice;
    expect(planSlices(service(), [], [foreign])).toEqual({ create: [], update: [], remove: [] });
    expect(managedBy.mirror).not.toBe(managedBy.pods);
  });
});
