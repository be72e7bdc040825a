/** When UDP flows are forgotten: at once, a little later, many by one look, and one look at a time. */
import { describe, expect, it, vi } from 'vitest';
import type { Conntrack, StaleFlow } from './conntrack.ts';
import { createForgetter } from './forgetter.ts';

const flow = (port: number, backend?: StaleFlow['backend']): StaleFlow => ({
  address: '10.96.0.1',
  port,
  backend,
});

/** Looks end when they are let go. */
function fresh(refuse = false) {
  const looks: (readonly StaleFlow[] | 'prune')[] = [];
  const held: (() => void)[] = [];
  const errors: Error[] = [];
  let atOnce = 0;
  const look = async (what: readonly StaleFlow[] | 'prune') => {
    atOnce += 1;
    expect(atOnce).toBe(1);
    looks.push(what);
    await new Promise<void>((resolve) => held.push(resolve));
    atOnce -= 1;
    if (refuse) throw new Error('no memory');
  };
  const close = vi.fn();
  const conntrack: Conntrack = { forget: look, prune: () => look('prune'), close };
  const forgetter = createForgetter(conntrack, (error) => errors.push(error));
  return { looks, held, errors, close, forgetter };
}

describe('what is stale', () => {
  it('is looked for at once where a backend is gone, and later where a frontend came or went', async () => {
    const { looks, held, forgetter } = fresh();
    forgetter.ask({ now: [], later: [flow(1)] });
    forgetter.ask({ now: [flow(2)], later: [] });
    forgetter.ask({ now: [], later: [flow(3)] });
    await vi.waitFor(() => expect(looks).toEqual([[flow(2)]]));
    held.shift()?.();
    await vi.waitFor(() => expect(looks).toEqual([[flow(2)], [flow(1), flow(3)]]));
    held.shift()?.();
    await forgetter.close();
  });

  it('is looked for by one look, however many changes came during another one', async () => {
    const { looks, held, forgetter } = fresh();
    for (let port = 1; port <= 4; port++) forgetter.ask({ now: [flow(port)], later: [] });
    const pruned = forgetter.prune(() => undefined);
    await vi.waitFor(() => expect(looks).toHaveLength(1));
    held.shift()?.();
    await vi.waitFor(() => expect(looks).toEqual([[flow(1)], 'prune']));
    held.shift()?.();
    await pruned;
    await vi.waitFor(() => expect(looks[2]).toEqual([flow(2), flow(3), flow(4)]));
    held.shift()?.();
    await forgetter.close();
  });

  it('tells what failed and goes on', async () => {
    const { looks, held, errors, forgetter } = fresh(true);
    forgetter.ask({ now: [flow(1)], later: [] });
    await vi.waitFor(() => expect(looks).toHaveLength(1));
    held.shift()?.();
    await vi.waitFor(() => expect(errors.map(({ message }) => message)).toEqual(['no memory']));
    forgetter.ask({ now: [flow(2)], later: [] });
    await vi.waitFor(() => expect(looks[1]).toEqual([flow(2)]));
    held.shift()?.();
    await forgetter.close();
  });

  it('is dropped at the end, once the look under way is over', async () => {
    const { looks, held, close, forgetter } = fresh();
    forgetter.ask({ now: [flow(1)], later: [flow(2)] });
    await vi.waitFor(() => expect(looks).toHaveLength(1));
    const closed = forgetter.close();
    expect(close).not.toHaveBeenCalled();
    held.shift()?.();
    await closed;
    forgetter.ask({ now: [flow(3)], later: [] });
    expect(close).toHaveBeenCalledOnce();
    expect(looks).toEqual([[flow(1)]]);
  });
});
