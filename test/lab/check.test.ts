/** The check is green on every kind of lab: both families alone and together, with and without a tunnel, and on the wire; else it names the node. */
import { afterEach, expect, test } from 'vitest';
import { namespaceType, podType } from '#api/core.ts';
import type { KubeObject } from '#api/object.ts';
import { labDown } from '#lab/lifecycle.ts';
import { runCheck } from '#programs/cli/check/connectivity.ts';
import { checkNamespace } from '#programs/cli/check/objects.ts';
import { resultTable } from '#programs/cli/check/table.ts';
import { isLong, labNameOf, type Shape, startCluster } from './cluster.ts';

type Pod = KubeObject & { readonly spec?: { readonly nodeName?: string } };

const topic = 'check';

afterEach(() => labDown(labNameOf(topic)));

const shapes: readonly (readonly [string, Shape])[] = [
  ['a dual-stack lab of three nodes', { nodes: 3 }],
  ['an IPv4 lab', { family: 'ipv4' }],
  ['an IPv6 lab', { family: 'ipv6' }],
  ['a dual-stack lab on plain routes', { mode: 'routed', nodes: 3 }],
  ['a dual-stack lab whose pods are on the physical network', { mode: 'underlay', nodes: 3 }],
];

test.each(shapes)('%s: all that must pass passes, and nothing else', async (_, shape) => {
  const cluster = await startCluster(topic, shape);
  const results = await runCheck({ lab: cluster.name, keep: false });
  cluster.client.close();
  expect(results.length).toBeGreaterThan(60);
  expect(results.some(({ ok }) => !ok) ? resultTable(results) : '').toBe('');
});

/** The API server takes a minute to miss it. */
test.runIf(isLong)(
  'a node that is cut off is one failed case, named; the others are checked, and nothing stays',
  async () => {
    const cluster = await startCluster(topic, { nodes: 2 });
    // Not the one that the cluster DNS is on, without which names are rightly told as failures.
    const { items } = await cluster.client.list<Pod>(podType, { labelSelector: 'k8s-app=kube-dns' });
    const cut = items[0]?.spec?.nodeName === 'node2' ? 'node1' : 'node2';
    await cluster.lab.cutCable(cut);
    const results = await runCheck({ lab: cluster.name, keep: false });
    const namespaces = await cluster.client.list(namespaceType);
    cluster.client.close();
    const [down, ...others] = results;
    expect(down).toMatchObject({
      group: 'node ready',
      title: cut,
      ok: false,
      detail: expect.stringContaining(`${cut} is NotReady: `),
    });
    expect(others.length).toBeGreaterThan(30);
    expect(others.some(({ ok }) => !ok) ? resultTable(others) : '').toBe('');
    expect(namespaces.items.map(({ metadata }) => metadata.name)).not.toContain(checkNamespace);
  },
);
