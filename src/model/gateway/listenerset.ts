/** Reads ListenerSets. */
import type { KubeObject } from '#api/object.ts';
import { collectProblems, type Read } from '../problem.ts';
import { gatewayObject, readRaw, readReference } from './fields.ts';
import { gatewayGroup, readListeners } from './listeners.ts';
import type { ListenerSetModel } from './types.ts';

/** One that names no parent has no value. */
export function readListenerSet(object: KubeObject): Read<ListenerSetModel> {
  const head = gatewayObject(object);
  const { problems, refuse } = collectProblems(head.origin);
  const spec = readRaw(object['spec'], 'spec', refuse);
  const { namespace } = head;
  const field = 'spec.parentRef';
  const parent = readReference(
    { raw: readRaw(spec['parentRef'], field, refuse), field },
    { group: gatewayGroup, kind: 'Gateway', namespace },
    refuse,
  );
  if (parent.name === '') return { value: undefined, problems };
  const listeners = readListeners(spec['listeners'], 'spec.listeners', namespace, refuse);
  return { value: { ...head, parent, listeners }, problems };
}
