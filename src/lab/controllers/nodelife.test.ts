/** Nodes that are not well, and their pods. */
import { expect, test } from 'vitest';
import type { Taint } from '../objects/node.ts';
import { evictionDelay, wantedTaints } from './nodelife.ts';
import { node, pod } from './testing.ts';

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
