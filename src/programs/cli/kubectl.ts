/** `netloom kubectl`: the host's kubectl, else the node image's through its own ELF loader, with the lab's kubeconfig. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { openLab } from '#lab/client.ts';
import type { Invocation } from './command.ts';
import { labName } from './lab-options.ts';
import { passThrough } from './passthrough.ts';

export async function run(invocation: Invocation): Promise<number> {
  const lab = await openLab(labName(invocation));
  const program = hostKubectl(process.env.PATH ?? '') ?? imageKubectl(lab.spec.imageRoot);
  return passThrough([...program, ...invocation.operands], {
    ...process.env,
    KUBECONFIG: lab.kubeconfigPath,
  });
}

function hostKubectl(path: string): string[] | undefined {
  const found = path
    .split(':')
    .map((directory) => join(directory, 'kubectl'))
    .find((file) => existsSync(file));
  return found === undefined ? undefined : [found];
}

/** Not by chroot: files and working directory that the user names are the host's. */
export function imageKubectl(imageRoot: string): string[] {
  const loader = readdirSync(join(imageRoot, 'lib64'), { withFileTypes: true })
    .concat(
      existsSync(join(imageRoot, 'lib')) ? readdirSync(join(imageRoot, 'lib'), { withFileTypes: true }) : [],
    )
    .find(({ name }) => /^ld-linux.*\.so\.\d+$/.test(name));
  if (loader === undefined) throw new Error(`${imageRoot} has no ELF loader`);
  const libraries = readdirSync(join(imageRoot, 'usr/lib'))
    .filter((name) => name.endsWith('-linux-gnu'))
    .map((name) => join(imageRoot, 'usr/lib', name));
  // The loader's own link is absolute and would lead to the host's.
  const interpreter = libraries
    .map((directory) => join(directory, loader.name))
    .find((file) => existsSync(file));
  return [
    interpreter ?? join(loader.parentPath, loader.name),
    '--library-path',
    libraries.join(':'),
    join(imageRoot, 'usr/bin/kubectl'),
  ];
}
