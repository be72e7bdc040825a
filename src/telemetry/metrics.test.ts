/** The metrics as Prometheus reads them. */
import { expect, test } from 'vitest';
import { createRegistry } from './metrics.ts';
import { registerProcessMetrics } from './process.ts';

test('the text format, with what needs escaping escaped', () => {
  const registry = createRegistry();
  const adds = registry.counter({ name: 'adds_total', help: 'Adds\nof "things".', labels: ['result'] });
  adds.inc({ result: 'a "b"\n\\' });
  adds.inc({ result: 'ok' }, 2);
  adds.inc({ result: 'ok' }, -5);
  registry.gauge({ name: 'depth', help: 'Depth.' }).set(-1.5);
  const times = registry.histogram({ name: 'seconds', help: 'Time.', buckets: [0.1, 1] });
  for (const value of [0.05, 0.1, 0.5, 7]) times.observe(value);
  expect(registry.text()).toBe(`# HELP adds_total Adds\\nof "things".
# TYPE adds_total counter
adds_total{result="a \\"b\\"\\n\\\\"} 1
adds_total{result="ok"} 2
# HELP depth Depth.
# TYPE depth gauge
depth -1.5
# HELP seconds Time.
# TYPE seconds histogram
seconds_bucket{le="0.1"} 2
seconds_bucket{le="1"} 3
seconds_bucket{le="+Inf"} 4
seconds_sum 7.65
seconds_count 4
`);
});

test('labels without end are counted together', () => {
  const registry = createRegistry();
  const counter = registry.counter({ name: 'c_total', help: 'C.', labels: ['name'], maxSeries: 3 });
  for (let i = 0; i < 100; i += 1) counter.inc({ name: `n${i}` });
  counter.inc({ name: 'n1' });
  const lines = registry
    .text()
    .split('\n')
    .filter((line) => line.startsWith('c_total'));
  expect(lines).toEqual([
    'c_total{name="n0"} 1',
    'c_total{name="n1"} 2',
    'c_total{name="n2"} 1',
    'c_total{name="other"} 97',
  ]);
});

test('asking again gives the same metric; asking for another under its name is a mistake', () => {
  const registry = createRegistry();
  registry.counter({ name: 'c_total', help: 'C.' }).inc();
  registry.counter({ name: 'c_total', help: 'C.' }).inc();
  expect(registry.text()).toContain('c_total 2');
  expect(() => registry.gauge({ name: 'c_total', help: 'C.' })).toThrow('exists as another kind');
  expect(() => registry.counter({ name: 'c_total', help: 'C.' }).inc({ who: 'x' })).toThrow('no label who');
  expect(() => registry.counter({ name: 'c total', help: 'C.' })).toThrow('metric name');
});

test('what is no more has no series', () => {
  const registry = createRegistry();
  const gauge = registry.gauge({ name: 'g', help: 'G.', labels: ['peer'] });
  gauge.set(1, { peer: 'a' });
  gauge.set(1, { peer: 'b' });
  gauge.remove({ peer: 'a' });
  expect(registry.text()).not.toContain('peer="a"');
});

test("the process's own figures are real", () => {
  const registry = createRegistry();
  registerProcessMetrics(registry, { program: 'agent', version: '0.1.0', stalls: true });
  const text = registry.text();
  const value = (name: string): number => Number(new RegExp(`^${name} (.*)$`, 'm').exec(text)?.[1]);
  expect(value('process_resident_memory_bytes')).toBeGreaterThan(1e7);
  expect(value('process_open_fds')).toBeGreaterThan(2);
  expect(value('process_max_fds')).toBeGreaterThan(value('process_open_fds'));
  expect(value('process_cpu_seconds_total')).toBeGreaterThan(0);
  expect(value('process_event_loop_stall_seconds')).toBeGreaterThanOrEqual(0);
  expect(text).toContain(`netloom_build_info{program="agent",version="0.1.0",node="${process.version}"} 1`);
});
