/** `netloom lab load`. */
import { openLab } from '#lab/client.ts';
import { loadImage } from '#lab/load.ts';
import { exitCodes, type Invocation } from './command.ts';
import { labName } from './lab-options.ts';

export async function run(invocation: Invocation): Promise<number> {
  const [image = '', source = ''] = invocation.operands;
  const lab = await openLab(labName(invocation));
  const { warning } = await loadImage(lab.spec, image, source);
  if (warning !== undefined) invocation.progress(`warning: ${warning}`);
  invocation.out(`lab ${lab.spec.name} has image ${image}`);
  return exitCodes.ok;
}
