/** The agent as a process, between the lab's API server and a datapath of its own: what it does without a Node, and without the server. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { nodeType } from '#api/core.ts';
import type { KubeObject } from '#api/object.ts';
import type { SelfIntent } from '#intent/node.ts';
import { eventually } from '#lab/eventually.ts';
import { startAgent, type TestedAgent } from './testing.ts';

let agent: TestedAgent;

beforeAll(async () => {
  agent = await startAgent();
}, 60_000);

afterAll(() => agent?.close());

const lastSelf = (): SelfIntent => {
  const found = agent.changes.flatMap((change) => change.put.self?.['n1'] ?? []).at(-1);
  if (found === undefined) throw new Error(`nothing handed over\n${agent.log()}`);
  return found;
};

test('without a Node of its name it hands nothing over, and begins when there is one', async () => {
  await eventually(async () => expect(await agent.ready('synced?verbose')).toContain('[+]synced ok'));
  expect(await agent.ready('node')).toContain('there is no Node of this name');
  expect(agent.changes).toEqual([]);
  const node = await agent.client.create(nodeType, { metadata: { name: 'n1' } } as KubeObject);
  const addresses = [{ type: 'InternalIP', address: '192.168.66.11' }];
  await agent.client.updateStatus(nodeType, { ...node, status: { addresses } } as KubeObject);
  await eventually(() => expect(lastSelf().blocks).toHaveLength(1));
  expect(agent.changes[0]?.put.subnets).toHaveProperty('default');
  expect(await agent.ready('node')).toBe('ok');
});

test('while the API server is away its lease runs out and nothing else changes; it recovers by itself', async () => {
  await eventually(() => expect(lastSelf().assignUntil).toBeGreaterThan(Date.now()));
  await agent.api.kill();
  const { blocks } = lastSelf();
  await eventually(async () => expect(await agent.ready('lease')).toContain('has run out'));
  expect(lastSelf().assignUntil).toBeLessThan(Date.now());
  expect(lastSelf().blocks).toEqual(blocks);
  await eventually(() => expect(agent.log()).toContain('the lease could not be renewed'));
  await agent.api.start();
  await eventually(() => expect(lastSelf().assignUntil).toBeGreaterThan(Date.now()));
  expect(await agent.ready('lease')).toBe('ok');
  expect(lastSelf().blocks).toEqual(blocks);
  expect(agent.log().match(/the lease could not be renewed/g)).toHaveLength(1);
  expect(agent.log()).toContain('the lease can be renewed again');
});
