/** Whose a tunnel's address is: of the node that claims the block now, and of nobody when claim or node are gone. */
import { expect, test } from 'vitest';
import type { BlockClaimModel } from '#model/blockclaim.ts';
import type { NodeModel } from '#model/node.ts';
import { createNodeTunnels } from './node-tunnels.ts';

const claim = (node: string, nodeUID: string, ...nodeAddresses: readonly string[]) =>
  ({ node, nodeUID, nodeAddresses }) as unknown as BlockClaimModel;
const node = (uid: string) => ({ uid }) as NodeModel;

test('claims and nodes come and go in any order', () => {
  const known = new Map<string, readonly string[]>();
  const tunnels = createNodeTunnels((name, addresses) => {
    if (addresses === undefined) known.delete(name);
    else known.set(name, addresses);
  });
  tunnels.setClaim('b1', claim('n1', 'u1', '10.244.0.1'));
  expect([...known]).toEqual([]);
  tunnels.setNode('n1', node('u1'));
  tunnels.setClaim('b2', claim('n1', 'u1', 'fd00::1'));
  expect([...known]).toEqual([['n1', ['10.244.0.1', 'fd00::1']]]);
  // The block passes to another node.
  tunnels.setNode('n2', node('u2'));
  tunnels.setClaim('b1', claim('n2', 'u2', '10.244.0.1'));
  expect(new Map(known)).toEqual(
    new Map([
      ['n1', ['fd00::1']],
      ['n2', ['10.244.0.1']],
    ]),
  );
  // A node that is made again has to claim anew.
  tunnels.setNode('n2', node('u3'));
  tunnels.setClaim('b2', undefined);
  expect([...known]).toEqual([]);
});
