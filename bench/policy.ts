/** What policy costs a node: packets, changes, and pods that start, in clusters of more and more policies. */
import type { Bench } from '#programs/cli/bench/row.ts';
import { openGround } from './nodes.ts';
import { measurePolicyChanges } from './policy-changes.ts';
import { policyCompute } from './policy-compute.ts';
import { startPolicyNode } from './policy-node.ts';
import { measurePolicyStart } from './policy-start.ts';
import { measurePolicyTraffic } from './policy-traffic.ts';

export const policy: Bench = {
  name: 'policy',
  summary:
    'packets, changes and pod starts under 100, 1,000 and 10,000 policies, against none; what they cost to compute (policy-compute)',
  run: async (options) => {
    const ground = await openGround();
    try {
      const timer = await ground.compile('plugin-timer.c');
      const nodes = [];
      for (const [index, size] of sizesOf(options.quick).entries()) {
        const node = await startPolicyNode(ground, { name: `policy${index}`, size, timer });
        options.progress(
          `${size} policies, ${node.cluster.pods} pods: compiled in ${node.compiled.toFixed(0)} ms, loaded in ${node.loaded.toFixed(0)} ms`,
        );
        nodes.push(node);
      }
      const rows = await measurePolicyTraffic(ground, nodes, options);
      for (const node of nodes) {
        rows.push(...(await measurePolicyStart(ground, node, options)));
        rows.push(...(await measurePolicyChanges(ground, node, options)));
      }
      for (const node of nodes) node.close();
      return options.quick ? rows : [...rows, ...(await policyCompute.run(options))];
    } finally {
      await ground.close();
    }
  },
};

const sizesOf = (quick: boolean) => (quick ? [100, 1_000] : [100, 1_000, 10_000]);
