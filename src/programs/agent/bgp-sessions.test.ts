/** What a node tells of its sessions in the status of a BGPNeighbor. */
import { expect, test } from 'vitest';
import type { BGPSession } from '#intent/handover.ts';
import { sessionsByNeighbor } from './bgp-sessions.ts';

const session = (neighbor: string, extra: Partial<BGPSession> = {}): BGPSession => ({
  neighbor,
  address: '192.168.66.1',
  state: 'Established',
  since: '2026-01-01T00:00:00Z',
  received: 2,
  sent: 3,
  ...extra,
});

test('a mesh is as good as its worst session, and says which that is', () => {
  const down = { state: 'Active', since: undefined, address: 'fd66::12', message: 'Hold Timer Expired' };
  const told = sessionsByNeighbor([session('mesh/node2/4'), session('mesh/node2/6', down), session('tor')]);
  expect(told.get('mesh')).toEqual({
    state: 'Down',
    sessions: 2,
    established: 1,
    received: 4,
    sent: 6,
    message: 'fd66::12: Hold Timer Expired',
  });
  expect(told.get('tor')).toEqual({
    state: 'Established',
    since: '2026-01-01T00:00:00Z',
    sessions: 1,
    established: 1,
    received: 2,
    sent: 3,
  });
});

test('on the way to a session there are many states, and one thing to tell', () => {
  const states = ['Idle', 'Connect', 'Active', 'OpenSent', 'OpenConfirm'].map(
    (state) => sessionsByNeighbor([session('tor', { state })]).get('tor')?.state,
  );
  expect(new Set(states)).toEqual(new Set(['Down']));
  expect(sessionsByNeighbor([session('tor', { state: 'Unknown' })]).get('tor')?.state).toBe('Unknown');
});

test('a neighbor that the node has and does not use says why', () => {
  const object = { kind: 'BGPNeighbor', name: 'tor' };
  const problem = {
    object,
    field: 'spec.passwordSecretRef',
    code: 'PasswordMissing',
    message: 'Secret a/b: does not exist',
  } as const;
  expect(sessionsByNeighbor([], [problem]).get('tor')).toMatchObject({
    state: 'Refused',
    message: problem.message,
  });
});
