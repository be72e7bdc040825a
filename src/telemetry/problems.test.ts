/** One report: condition, event, log line, metric; once. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { catalogue } from './catalogue.ts';
import { createLog } from './log.ts';
import { createRegistry } from './metrics.ts';
import { conditionsOf, createReporter, type ProblemCondition, type ProblemEvent } from './problems.ts';

const subnet = { kind: 'Subnet', name: 's', generation: 4 };
const bad = { code: 'InvalidCIDR', field: 'spec.cidrs[0]', message: '"10.0.0.1/8" has host bits set' };
const full = { code: 'OutOfAddresses', field: '', message: 'no free block' };

function open() {
  const lines: string[] = [];
  const events: ProblemEvent[] = [];
  const told: (readonly ProblemCondition[])[] = [];
  const registry = createRegistry();
  const reporter = createReporter({
    log: createLog({ write: (line) => lines.push(line.slice(22)) }),
    registry,
    event: (event) => events.push(event),
    conditions: (_, conditions) => told.push(conditions),
  });
  return { reporter, registry, lines, events, told };
}

describe('a problem', () => {
  test('is told everywhere by one call, and once while it stands', () => {
    const { reporter, registry, lines, events, told } = open();
    for (let i = 0; i < 3; i += 1) reporter.report('InvalidCIDR', subnet, bad);
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
    const message = 'spec.cidrs[0]: "10.0.0.1/8" has host bits set';
    const failed = { status: 'False', reason: 'InvalidCIDR', message, observedGeneration: 4 };
    expect(told).toEqual([
      [
        { type: 'Accepted', ...failed },
        { type: 'Ready', ...failed },
      ],
    ]);
    expect(registry.text()).toContain('netloom_problems{code="InvalidCIDR",severity="error"} 1');
  });

  test('that is over turns the condition, and the others of the object stay', () => {
    const { reporter, registry, told } = open();
    reporter.settle(subnet, [bad, full]);
    reporter.settle(subnet, [full]);
    expect(told.at(-1)?.map(({ type, status, reason }) => `${type} ${status} ${reason}`)).toEqual([
      'Accepted True Accepted',
      'Ready False OutOfAddresses',
    ]);
    reporter.settle(subnet, []);
    expect(told.at(-1)?.map(({ status }) => status)).toEqual(['True', 'True']);
    expect(told).toHaveLength(3);
    expect(registry.text()).toContain('netloom_problems{code="InvalidCIDR",severity="error"} 0');
    expect(reporter.standing()).toEqual([]);
  });

  test('an object without any is told so once, and again for a new generation', () => {
    const { reporter, told } = open();
    reporter.settle(subnet, []);
    reporter.settle(subnet, []);
    reporter.settle({ ...subnet, generation: 5 }, []);
    expect(told.map((conditions) => conditions[1]?.observedGeneration)).toEqual([4, 5]);
  });

  test('of an object that is gone stands no more', () => {
    const { reporter, registry } = open();
    reporter.settle(subnet, [bad, full]);
    reporter.forget(subnet);
    expect(reporter.standing()).toEqual([]);
    expect(registry.text()).toContain('netloom_problems{code="OutOfAddresses",severity="error"} 0');
  });
});

test('a warning leaves the object ready and speaks through its reason', () => {
  const conditions = conditionsOf(subnet, [{ code: 'Ambiguous', field: '', message: 'two subnets' }]);
  expect(conditions.map(({ status, reason }) => `${status} ${reason}`)).toEqual([
    'True Accepted',
    'True Ambiguous',
  ]);
});

test('conditions do not depend on the order in which problems came', () => {
  expect(conditionsOf(subnet, [bad, full])).toEqual(conditionsOf(subnet, [full, bad]));
});

test('every code that the model and the compiler name is in the catalogue', () => {
  const source = join(import.meta.dirname, '..');
  const unknown = ['model', 'compile']
    .flatMap((folder) =>
      readdirSync(join(source, folder), { recursive: true, encoding: 'utf8' }).map((file) =>
        join(folder, file),
      ),
    )
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'))
    .flatMap((file) =>
      [...readFileSync(join(source, file), 'utf8').matchAll(/\bcode: '([A-Za-z]+)'/g)]
        .filter(([, code = '']) => !Object.hasOwn(catalogue, code))
        .map(([, code]) => `${file}: ${code}`),
    );
  expect(unknown).toEqual([]);
});
