/** Watches what instances are made of: by their labels, so that nothing else of the cluster is heard of. */
import { podType, secretType, serviceType } from '#api/core.ts';
import type { KubeObject, ResourceType } from '#api/object.ts';
import { instanceOfObject } from '#compile/gateway/instances/origin.ts';
import type { Client } from '#kube/client.ts';
import { type Informer, startInformer, withoutManagedFields } from '#kube/informer.ts';
import type { Log } from '#telemetry/log.ts';
import { deploymentType, disruptionBudgetType, serviceAccountType } from './kinds.ts';
import { instanceSelector } from './names.ts';
import { type InstancePod, readInstancePod } from './pods.ts';

export type InstanceCaches = {
  readonly synced: Promise<unknown>;
  get(type: ResourceType, namespace: string, name: string): KubeObject | undefined;
  /** Those that the object with this uid owns. */
  ownedBy(uid: string): readonly { readonly type: ResourceType; readonly object: KubeObject }[];
  /** Pods of an instance, by its `namespace/name`. */
  pods(instance: string): readonly InstancePod[];
  stop(): void;
};

const types = [serviceAccountType, secretType, deploymentType, disruptionBudgetType, serviceType];

/** `onObject` is told the key of the instance that what changed is of, `onPods` the name of the instance. */
export function startInstanceCaches(
  client: Client,
  log: Log,
  onObject: (instance: string) => void,
  onPods: (instance: string) => void,
): InstanceCaches {
  const options = { log, labelSelector: instanceSelector };
  const objects = new Map<ResourceType, Informer<KubeObject>>();
  for (const type of types) {
    const informer = startInformer<KubeObject>(client, type, {
      ...options,
      mayBeAbsent: true,
      transform: withoutManagedFields,
      indexers: { owner: ({ metadata }) => metadata.ownerReferences?.map(({ uid }) => uid) ?? [] },
    });
    objects.set(type, informer);
    informer.onChange(({ old, new: object }) => {
      const { namespace, ownerReferences = [] } = (object ?? old)?.metadata ?? {};
      for (const { kind, name } of ownerReferences) {
        const instance = instanceOfObject(kind, namespace ?? '', name);
        if (instance !== undefined) onObject(instance);
      }
    });
  }
  const pods = startInformer<KubeObject, InstancePod>(client, podType, {
    ...options,
    transform: readInstancePod,
    equal: (a, b) => JSON.stringify(a) === JSON.stringify(b),
    indexers: { instance: ({ instance }) => [instance] },
  });
  pods.onChange(({ old, new: pod }) => onPods((pod ?? old)?.instance ?? ''));

  return {
    synced: Promise.all([...objects.values(), pods].map(({ synced }) => synced)),
    get: (type, namespace, name) => objects.get(type)?.get(namespace, name),
    ownedBy: (uid) =>
      [...objects].flatMap(([type, informer]) =>
        informer.byIndex('owner', uid).map((object) => ({ type, object })),
      ),
    pods: (instance) => pods.byIndex('instance', instance),
    stop() {
      for (const informer of [...objects.values(), pods]) informer.stop();
    },
  };
}
