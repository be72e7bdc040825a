/** What a BGPNeighbor says of itself. */
import { expect, test } from 'vitest';
import type { BGPNeighborModel } from '#model/bgpneighbor.ts';
import type { NodeModel } from '#model/node.ts';
import { neighborStatus } from './neighbor-status.ts';

const node = (name: string, rack = 'r1'): NodeModel => ({
  origin: { kind: 'Node', name },
  name,
  uid: name,
  addresses: ['192.168.66.11'],
  labels: { rack },
});
const neighbor: BGPNeighborModel = {
  origin: { kind: 'BGPNeighbor', name: 'tor' },
  name: 'tor',
  created: '',
  address: '192.168.66.1',
  nodeSelector: { matchLabels: { rack: 'r1' } },
  port: 179,
  localASN: 64_512,
  peerASN: 65_000,
  families: [4],
  bfd: undefined,
  timers: undefined,
  multiHop: false,
  importPrefixes: [],
};
const up = { state: 'Established', sessions: 1, established: 1 };
const of = (sessions: Parameters<typeof neighborStatus>[2], nodes: readonly NodeModel[]) =>
  neighborStatus('tor', neighbor, sessions, nodes, []);

test('is ready when every node that has it has its session', () => {
  expect(of({ a: up, b: up }, [node('a'), node('b'), node('c', 'r2')])).toEqual({
    summary: '2/2',
    stale: [],
    ready: { type: 'Ready', status: 'True', reason: 'Established', message: 'every session stands' },
  });
});

test('names the nodes without a session, and why', () => {
  const { summary, ready } = of({ a: up, b: { state: 'Down', message: 'Hold Timer Expired' } }, [
    node('a'),
    node('b'),
    node('c'),
  ]);
  expect(summary).toBe('1/3');
  expect(ready).toMatchObject({
    status: 'False',
    reason: 'SessionDown',
    message: 'no session on b (Down: Hold Timer Expired), c (not told of yet)',
  });
});

test('a node that refuses it is told of as that', () => {
  const { ready } = of({ a: { state: 'Refused', message: 'Secret x/y: does not exist' } }, [node('a')]);
  expect(ready).toMatchObject({
    reason: 'Refused',
    message: 'no session on a (Refused: Secret x/y: does not exist)',
  });
});

test('what nodes said that are gone, or have it no longer, goes', () => {
  expect(of({ a: up, gone: up, other: up }, [node('a'), node('other', 'r2')]).stale).toEqual([
    'gone',
    'other',
  ]);
});

test('with no node at all, or with anything wrong, it is not ready', () => {
  expect(of({}, [node('c', 'r2')]).ready).toMatchObject({ status: 'False', reason: 'NoNode' });
  const problem = {
    object: neighbor.origin,
    field: 'spec.asn',
    code: 'InvalidASN',
    message: 'AS 0 is reserved',
  } as const;
  const { ready, summary } = neighborStatus('tor', undefined, { a: up }, [node('a')], [problem]);
  expect(ready).toMatchObject({ reason: 'InvalidASN', message: 'spec.asn: AS 0 is reserved' });
  expect(summary).toBe('0/0');
});
