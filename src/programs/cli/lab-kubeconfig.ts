/** `netloom lab kubeconfig`. */
import { readFile } from 'node:fs/promises';
import { openLab } from '#lab/client.ts';
import { exitCodes, type Invocation } from './command.ts';
import { labName } from './lab-options.ts';

export async function run(invocation: Invocation): Promise<number> {
  const { kubeconfigPath } = await openLab(labName(invocation));
  invocation.out(
    invocation.values.raw === true ? (await readFile(kubeconfigPath, 'utf8')).trim() : kubeconfigPath,
  );
  return exitCodes.ok;
}
