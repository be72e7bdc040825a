/** One report: event, log line, metric; once. And the conditions that follow. */
import { describe, expect, test } from 'vitest';
import { createLog } from './log.ts';
import { createRegistry } from './metrics.ts';
import { conditionsOf, createReporter, type ProblemEvent } from './problems.ts';

const subnet = { kind: 'Subnet', name: 's', uid: 'u', generation: 4 };
const bad = { code: 'InvalidCIDR', field: 'spec.cidrs[0]', message: '"10.0.0.1/8" has host bits set' };
const full = { code: 'BlockOutside', field: '', message: 'a block is outside' };

function open() {
  const lines: string[] = [];
  const events: ProblemEvent[] = [];
  const registry = createRegistry();
  const reporter = createReporter({
    log: createLog({ write: (line) => lines.push(line.slice(22)) }),
    registry,
    event: (event) => events.push(event),
  });
  return { reporter, registry, lines, events };
}

describe('a problem', () => {
  test('is told everywhere by one call, and once while it stands', () => {
    const { reporter, registry, lines, events } = open();
    for (let i = 0; i < 3; i += 1) reporter.settle(subnet, [bad]);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain('problem="InvalidCIDR" kind="Subnet" object="s" field="spec.cidrs[0]"');
    expect(events).toEqual([
      {
        regarding: subnet,
        type: 'Warning',
        reason: 'InvalidCIDR',
        action: 'Reconcile',
        note: 'spec.cidrs[0]: "10.0.0.1/8" has host bits set',
      },
    ]);
    expect(registry.text()).toContain('netloom_problems{code="InvalidCIDR",severity="error"} 1');
  });

  test('that is over is told as over, and the others of the object stay', () => {
    const { reporter, registry, events } = open();
    reporter.settle(subnet, [bad, full]);
    reporter.settle(subnet, [full]);
    expect(events.at(-1)).toMatchObject({
      type: 'Normal',
      reason: 'ProblemOver',
      note: 'spec.cidrs[0]: InvalidCIDR',
    });
    expect(reporter.standing()).toMatchObject([full]);
    reporter.settle(subnet, []);
    expect(events).toHaveLength(4);
    expect(registry.text()).toContain('netloom_problems{code="InvalidCIDR",severity="error"} 0');
    expect(reporter.standing()).toEqual([]);
  });

  test('that only says something else is told anew, not as over', () => {
    const { reporter, events } = open();
    reporter.settle(subnet, [full]);
    reporter.settle(subnet, [{ ...full, message: 'two blocks are outside' }]);
    expect(events.map(({ type, note }) => [type, note])).toEqual([
      ['Warning', 'a block is outside'],
      ['Warning', 'two blocks are outside'],
    ]);
    expect(reporter.standing()).toHaveLength(1);
  });

  test('of an object that was deleted and made again is told of the new one', () => {
    const { reporter, events } = open();
    reporter.settle(subnet, [full]);
    reporter.forget(subnet);
    reporter.settle({ ...subnet, uid: 'v' }, [full]);
    expect(events.map(({ regarding }) => regarding.uid)).toEqual(['u', 'v']);
    expect(reporter.standing()).toHaveLength(1);
  });

  test('of an object that is gone stands no more', () => {
    const { reporter, registry } = open();
    reporter.settle(subnet, [bad, full]);
    reporter.forget(subnet);
    expect(reporter.standing()).toEqual([]);
    expect(registry.text()).toContain('netloom_problems{code="BlockOutside",severity="error"} 0');
  });

  test('is told again to those who come later, and not at all once another process reports', () => {
    const { reporter, registry, events, lines } = open();
    reporter.settle(subnet, [full]);
    reporter.remind();
    expect(events).toHaveLength(2);
    expect(lines).toHaveLength(1);
    reporter.clear();
    reporter.remind();
    expect(events).toHaveLength(2);
    expect(lines).toHaveLength(1);
    expect(registry.text()).toContain('netloom_problems{code="BlockOutside",severity="error"} 0');
  });
});

test('what is refused turns Accepted and Ready, what became of it only Ready', () => {
  const failed = { status: 'False', observedGeneration: 4 };
  expect(conditionsOf(subnet, [bad])).toMatchObject([
    {
      type: 'Accepted',
      reason: 'InvalidCIDR',
      message: 'spec.cidrs[0]: "10.0.0.1/8" has host bits set',
      ...failed,
    },
    { type: 'Ready', reason: 'InvalidCIDR', ...failed },
  ]);
  expect(conditionsOf(subnet, [full])).toMatchObject([
    { type: 'Accepted', status: 'True' },
    { type: 'Ready', reason: 'BlockOutside', ...failed },
  ]);
});

test('a warning leaves the object ready and speaks through its reason', () => {
  const conditions = conditionsOf(subnet, [{ code: 'NoFreeBlock', field: '', message: 'all are taken' }]);
  expect(conditions.map(({ status, reason }) => `${status} ${reason}`)).toEqual([
    'True Accepted',
    'True NoFreeBlock',
  ]);
});

test('conditions do not depend on the order in which problems came', () => {
  expect(conditionsOf(subnet, [bad, full])).toEqual(conditionsOf(subnet, [full, bad]));
});
