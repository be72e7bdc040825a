/** Namespaces: named by a label, active from the start, held by a finalizer until they are empty. */
import type { KubeObject } from '#api/object.ts';
import { type Context, withMetadata } from '../context.ts';
import { badRequest, notFound } from '../errors.ts';
import type { Version } from '../storage/table.ts';
import { settle } from '../write.ts';
import type { Strategy } from './strategy.ts';

export const namespaceStrategy: Strategy = {
  keepsStatusOnCreate: true,
  prepare: (object) => {
    const labels = { ...object.metadata.labels, 'kubernetes.io/metadata.name': object.metadata.name };
    return withMetadata(object, { labels });
  },
  complete: (object, { old }) => {
    // Finalizers in the spec change only through /finalize.
    const finalizers = (old?.['spec'] as KubeObject | undefined)?.['finalizers'] ?? ['kubernetes'];
    const spec = { ...(object['spec'] as object | undefined), finalizers };
    const value = old === undefined ? { ...object, spec, status: { phase: 'Active' } } : { ...object, spec };
    return { value, problems: [] };
  },
};

/** PUT /finalize: sets `spec.finalizers`, and lets a deleted namespace go when none is left. */
export function finalizeNamespace(context: Context, name: string, value: Record<string, unknown>): Version {
  const live = context.store.table('/namespaces').get('', name);
  if (live === undefined) throw notFound({ group: '', plural: 'namespaces' }, name);
  const finalizers = ((value['spec'] ?? {}) as { readonly finalizers?: unknown }).finalizers ?? [];
  if (!Array.isArray(finalizers) || !finalizers.every((each) => typeof each === 'string')) {
    throw badRequest('spec.finalizers: must be a list of strings');
  }
  return settle(context, '/namespaces', {
    ...live.object,
    spec: { ...(live.object['spec'] as object), finalizers },
  });
}
