/** For tests: nodes and pods as the controllers see them. */
import type { LabNode } from '../objects/node.ts';
import type { Pod } from '../objects/pod.ts';

export const node = (
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

export const pod = (name: string, more: Record<string, unknown> = {}): Pod => {
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

export const readyStatus = { conditions: [{ type: 'Ready', status: 'True' }] };
