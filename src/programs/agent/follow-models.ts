/** Objects of one kind as models, told one by one. */
import type { KubeObject, ResourceType } from '#api/object.ts';
import type { Client } from '#kube/client.ts';
import { type Informer, startInformer } from '#kube/informer.ts';
import type { Read } from '#model/problem.ts';
import type { Log } from '#telemetry/log.ts';
import { logProblem } from './policies.ts';

/** `mayBeAbsent`: the cluster may not serve the kind. An object in which only the status is another is no news. */
export function followModels<Raw extends KubeObject, M extends object>(
  { client, log, mayBeAbsent }: { readonly client: Client; readonly log: Log; readonly mayBeAbsent: boolean },
  type: ResourceType,
  read: (object: Raw) => Read<M>,
  set: (key: string, model: M | undefined) => void,
): Informer<M> {
  const informer = startInformer<Raw, M>(client, type, {
    log,
    mayBeAbsent,
    equal: (a, b) => JSON.stringify(a, readable) === JSON.stringify(b, readable),
    transform: (object) => {
      const { value, problems } = read(object);
      for (const problem of problems) logProblem(log, problem);
      return value;
    },
  });
  informer.onChange(({ key, new: model }) => set(key, model));
  return informer;
}

/** Ranges are numbers, and names of communities a map, that JSON has no word for. */
function readable(_: string, value: unknown): unknown {
  if (typeof value === 'bigint') return String(value);
  return value instanceof Map ? [...value] : value;
}
