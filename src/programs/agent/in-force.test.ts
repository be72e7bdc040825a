/** How far a node's kernel is: never further than the datapath has said, in whatever order it says it. */
import { expect, test } from 'vitest';
import type { EngineProblem } from '#intent/handover.ts';
import { eventually } from '#lab/eventually.ts';
import { createInForce } from './in-force.ts';

const versions = (version: string) => new Map([['NetworkPolicy', version]]);
const engine = (generation: number, problems = 0, name = 'nftables') => ({ name, generation, problems });

function open(problems: () => readonly EngineProblem[] = () => []) {
  const seconds: number[] = [];
  const inForce = createInForce(
    async () => problems(),
    (each) => void seconds.push(each),
  );
  return { inForce, seconds, reached: () => inForce.reach()?.versions.get('NetworkPolicy') };
}

test('what was handed over counts when the datapath holds the message that carried it', () => {
  const { inForce, seconds, reached } = open();
  inForce.handedOver(1, versions('10'));
  expect(inForce.reach()).toBeUndefined();
  inForce.answered({ generation: 1, problems: [] });
  expect(reached()).toBe('10');
  inForce.handedOver(2, versions('11'), performance.now());
  inForce.handedOver(3, versions('12'), performance.now());
  inForce.handedOver(3, versions('13'));
  expect(reached()).toBe('10');
  inForce.answered({ generation: 2, problems: [] });
  expect(reached()).toBe('11');
  expect(seconds).toHaveLength(1);
  inForce.answered({ generation: 3, problems: [] });
  expect(reached()).toBe('13');
  expect(seconds).toHaveLength(2);
  // Versions that changed nothing, after the last message.
  inForce.handedOver(3, versions('20'));
  expect(reached()).toBe('20');
  expect(seconds).toHaveLength(2);
});

test('what a datapath tells of the agent before us is none of ours', () => {
  const { inForce, reached } = open();
  inForce.handedOver(1, versions('10'));
  inForce.setStatus({ generation: 500, engines: [engine(500)] });
  expect(reached()).toBeUndefined();
  inForce.answered({ generation: 1, problems: [{ engine: 'nftables', entry: '', reason: 'busy' }] });
  inForce.setStatus({ generation: 500, engines: [engine(500)] });
  expect(reached()).toBeUndefined();
});

test('an engine that failed counts when it has caught up', () => {
  const { inForce, reached } = open();
  inForce.handedOver(1, versions('10'));
  inForce.answered({ generation: 1, problems: [{ engine: 'nftables', entry: '', reason: 'busy' }] });
  expect(reached()).toBeUndefined();
  inForce.setStatus({ generation: 1, engines: [engine(0), engine(1, 0, 'frr')] });
  expect(reached()).toBeUndefined();
  inForce.setStatus({ generation: 1, engines: [engine(1), engine(0, 0, 'frr')] });
  expect(reached()).toBe('10');
  // One that has nothing to do with policy is not waited for.
  inForce.handedOver(2, versions('11'));
  inForce.answered({ generation: 2, problems: [{ engine: 'frr', entry: '', reason: 'busy' }] });
  expect(reached()).toBe('11');
});

test('while the kernel refuses something of policy nothing new is in force', async () => {
  let standing: readonly EngineProblem[] = [];
  const { inForce, reached } = open(() => standing);
  inForce.handedOver(1, versions('10'));
  inForce.answered({ generation: 1, problems: [] });
  standing = [{ engine: 'nftables', entry: 'policyDecisions/1/16', reason: 'no space' }];
  inForce.handedOver(2, versions('11'));
  inForce.answered({ generation: 2, problems: standing });
  expect(inForce.reach()).toEqual({ versions: versions('10'), refused: 1 });
  standing = [{ engine: 'tc', entry: 'bandwidth/a/b', reason: 'no space' }];
  inForce.setStatus({ generation: 2, engines: [engine(2, 1)] });
  await eventually(() => expect(reached()).toBe('11'));
  expect(inForce.reach()?.refused).toBe(0);
});
