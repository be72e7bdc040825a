import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { GatewayChange } from '../../src/intent/gateway.ts';
import { applyChange, createTable, type RouterTable } from '../src/table.ts';
import { answer } from '../src/vectors.ts';
import { changes, request } from './arbitrary.ts';
import { oracle, stateAfter, streamOracle } from './oracle.ts';

test('the index decides as looking at every rule does', () => {
  fc.assert(
    fc.property(changes, fc.array(request, { minLength: 1, maxLength: 20 }), (list, requests) => {
      const state = stateAfter(list);
      const answers = answer({ call: 'match', input: { changes: list, requests } }).split('\n');
      expect(answers).toEqual(requests.map((one) => oracle(state, one)));
      const asked = requests.map(({ port, host }) => ({ port, host }));
      const streams = answer({ call: 'stream', input: { changes: list, asked } }).split('\n');
      expect(streams).toEqual(asked.map((one) => streamOracle(state, one)));
    }),
    { numRuns: 1000 },
  );
});

test('change by change comes to what all at once comes to', () => {
  fc.assert(
    fc.property(changes, (list) => {
      const { listeners, rules, streams } = stateAfter(list);
      const whole = {
        generation: list.length,
        after: 0,
        replace: true,
        put: {
          listeners: Object.fromEntries(listeners),
          rules: Object.fromEntries(rules),
          streams: Object.fromEntries(streams),
        },
        remove: {},
      };
      expect(tableOf(list)).toEqual(tableOf([whole]));
    }),
    { numRuns: 500 },
  );
});

test('a delta on another generation is refused and changes nothing', () => {
  const table = createTable();
  const change = { generation: 2, after: 1, replace: false, put: { rules: {} }, remove: {} };
  expect(applyChange(table, change)).toBe(false);
  expect(table.generation).toBe(0);
  expect(applyChange(table, { ...change, replace: true })).toBe(true);
  expect(table.generation).toBe(2);
});

test('listeners can change hostnames with each other', () => {
  const listener = (hostname: string) => ({
    origin: { kind: 'Gateway', name: 'g' },
    port: 'tcp/80',
    kind: 'http' as const,
    hostname,
  });
  const rule = (key: string) => ({
    listener: key,
    host: '',
    path: { type: 'prefix' as const, value: '/' },
    rank: '',
    action: 'a',
  });
  const first: GatewayChange = {
    generation: 1,
    after: 0,
    replace: true,
    put: {
      listeners: { one: listener('a.x'), two: listener('b.x') },
      rules: { r1: rule('one'), r2: rule('two') },
    },
    remove: {},
  };
  const second: GatewayChange = {
    generation: 2,
    after: 1,
    replace: false,
    put: { listeners: { one: listener('b.x'), two: listener('a.x') } },
    remove: {},
  };
  const requests = ['a.x', 'b.x'].map((host) => ({ port: 'tcp/80', host, path: '/', method: 'GET' }));
  expect(answer({ call: 'match', input: { changes: [first, second], requests } })).toBe('r2\nr1');
});

test('a listening socket keeps its port until another one takes it', () => {
  const port = (number: number, slot: number) => ({ port: number, kind: 'http' as const, slot });
  const table = createTable();
  const change = {
    generation: 1,
    after: 0,
    replace: true,
    put: { ports: { 'tcp/80': port(80, 3) } },
    remove: {},
  };
  applyChange(table, change);
  applyChange(table, { ...change, put: { ports: { 'tcp/80': port(80, 4) } } });
  expect(table.slots).toEqual({ 'http/3': 'tcp/80', 'http/4': 'tcp/80' });
  applyChange(table, { ...change, put: { ports: { 'tcp/81': port(81, 3) } } });
  expect(table.slots).toEqual({ 'http/3': 'tcp/81', 'http/4': 'tcp/80' });
});

function tableOf(list: readonly GatewayChange[]): RouterTable {
  const table = createTable();
  for (const change of list) applyChange(table, change);
  return table;
}
