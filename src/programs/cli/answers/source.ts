/** Which cluster a question is about: a lab, or that of the kubeconfig. */
import type { KubeObject } from '#api/object.ts';
import { formatOrigin } from '#intent/origin.ts';
import { createClient } from '#kube/client.ts';
import { loadKubeconfig } from '#kube/kubeconfig.ts';
import { type Lab, openLab } from '#lab/client.ts';
import type { Problem } from '#model/problem.ts';
import type { Invocation } from '../command.ts';
import { labName } from '../lab-options.ts';
import { objectsOf } from './objects.ts';

export type Source = {
  readonly objects: readonly KubeObject[];
  /** Absent: a cluster that is no lab of this machine. */
  readonly lab?: Lab;
};

/** Of the lab that is asked for; undefined: $KUBECONFIG says which cluster. */
export async function kubeconfigPath(invocation: Invocation): Promise<string | undefined> {
  return (await labAsked(invocation))?.kubeconfigPath;
}

/** Undefined: the cluster of the kubeconfig. */
export async function labAsked(invocation: Invocation): Promise<Lab | undefined> {
  const { name } = invocation.values;
  if (name === undefined && (process.env.KUBECONFIG ?? '') !== '') return undefined;
  return openLab(name === undefined ? 'default' : labName(invocation));
}

export async function clusterSource(invocation: Invocation): Promise<Source> {
  const lab = await labAsked(invocation);
  const config = await loadKubeconfig(lab === undefined ? {} : { path: lab.kubeconfigPath });
  const client = createClient(config);
  try {
    const objects = await objectsOf(client);
    return { objects, ...(lab === undefined ? {} : { lab }) };
  } finally {
    client.close();
  }
}

export function problemLine({ object, field, message }: Problem): string {
  return `${formatOrigin(object)}: ${field === '' ? '' : `${field} `}${message}`;
}
