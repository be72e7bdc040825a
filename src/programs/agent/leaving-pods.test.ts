/** A pod that was deleted by force is let go when its interface is, and not before. */
import { expect, test } from 'vitest';
import type { EndpointStatus } from '#intent/handover.ts';
import { eventually } from '#lab/eventually.ts';
import { createLeavingPods } from './leaving-pods.ts';

const endpoint = (name: string, uid: string) =>
  ({ pod: { namespace: 'a', name, uid } }) as unknown as EndpointStatus;

test('it goes when the datapath has unplugged it, and stays while the datapath says nothing', async () => {
  let wired: readonly EndpointStatus[] | undefined = [endpoint('p', '1'), endpoint('q', '2')];
  let asked = 0;
  const gone: string[] = [];
  const pods = createLeavingPods(
    async () => {
      asked += 1;
      if (wired === undefined) throw new Error('away');
      return wired;
    },
    (key) => void gone.push(key),
  );
  const look = async () => {
    const before = asked;
    pods.look();
    await eventually(() => expect(asked).toBeGreaterThan(before));
  };
  pods.leave('a/p', '1');
  pods.leave('a/never', '3');
  await eventually(() => expect(gone).toEqual(['a/never']));
  wired = undefined;
  await look();
  expect(gone).toEqual(['a/never']);
  // Another pod of that name has come meanwhile.
  wired = [endpoint('p', '9')];
  await look();
  await eventually(() => expect(gone).toEqual(['a/never', 'a/p']));
});

test('one that is made again is not told of as gone', async () => {
  let answer: (found: readonly EndpointStatus[]) => void = () => {};
  const gone: string[] = [];
  const pods = createLeavingPods(
    () => new Promise((resolve) => (answer = resolve)),
    (key) => void gone.push(key),
  );
  pods.leave('a/p', '1');
  pods.returned('a/p');
  pods.leave('a/q', '2');
  answer([]);
  await eventually(() => {
    answer([]);
    expect(gone).toEqual(['a/q']);
  });
});
