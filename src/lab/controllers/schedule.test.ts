/** Where pods go, and why not. */
import { expect, test } from 'vitest';
import type { LabNode, Taint } from '../objects/node.ts';
import type { Pod } from '../objects/pod.ts';
import { schedule } from './schedule.ts';
import { node, pod } from './testing.ts';

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
    place(pod('y', { ...labelled, spec }), [node('a')], [pod('x', { ...labelled, spec: { nodeName: 'a' } })]),
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
