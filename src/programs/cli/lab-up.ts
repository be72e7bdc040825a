/** `netloom lab up`. */
import { clusterUp, withElapsed } from './cluster.ts';
import { exitCodes, type Invocation } from './command.ts';
import { labShape } from './lab-options.ts';

export async function run(invocation: Invocation): Promise<number> {
  const start = performance.now();
  const shape = labShape(invocation);
  const lab = await clusterUp({
    ...shape,
    bare: invocation.values.bare === true,
    progress: withElapsed(invocation.progress),
  });
  const named = shape.name === 'default' ? '' : ` --name ${shape.name}`;
  invocation.out(`lab ${shape.name} is up (${((performance.now() - start) / 1000).toFixed(1)} s)`);
  invocation.out(`  ./netloom kubectl${named} get pods -A -o wide`);
  invocation.out(`  export KUBECONFIG=${lab.kubeconfigPath}`);
  return exitCodes.ok;
}
