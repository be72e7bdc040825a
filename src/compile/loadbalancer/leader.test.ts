import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { everybodyLives, type Liveness } from '#intent/liveness.ts';
import type { VirtualAddressIntent } from '#intent/loadbalancer.ts';
import { heldHere, leaderOf } from './leader.ts';

const entry = (...candidates: string[]): VirtualAddressIntent => ({
  origin: { kind: 'Service', namespace: 'shop', name: 'web' },
  candidates,
});
const nodes = ['n1', 'n2', 'n3', 'n4'];
const some = fc.subarray(nodes);

describe('the leader of an address', () => {
  it.each<[string, string[], Partial<Liveness>, string, string | undefined]>([
    ['the first candidate', ['n1', 'n2'], {}, 'n3', 'n1'],
    ['the second when the first is dead', ['n1', 'n2'], { dead: new Set(['n1']) }, 'n3', 'n2'],
    ['the second when the first is silent', ['n1', 'n2'], { silent: new Set(['n1']) }, 'n2', 'n2'],
    ['nobody when all are gone', ['n1'], { dead: new Set(['n1']) }, 'n3', undefined],
    ['nobody without candidates', [], {}, 'n1', undefined],
    ['nobody for a node that is cut off', ['n1', 'n2'], { isolated: true }, 'n1', undefined],
    ['itself, whatever it hears of itself', ['n1', 'n2'], { silent: new Set(['n1']) }, 'n1', 'n1'],
  ])('is %s', (_, candidates, liveness, self, leader) => {
    expect(leaderOf(entry(...candidates), { ...everybodyLives, ...liveness }, self)).toBe(leader);
  });

  it('is exactly one of the nodes that live and agree on who does', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray(nodes), some, some, (candidates, dead, silent) => {
        const liveness = { dead: new Set(dead), silent: new Set(silent), isolated: false };
        const living = nodes.filter((node) => !dead.includes(node) && !silent.includes(node));
        const holders = living.filter((node) => heldHere(entry(...candidates), liveness, node));
        expect(holders).toHaveLength(candidates.some((node) => living.includes(node)) ? 1 : 0);
      }),
    );
  });
});
