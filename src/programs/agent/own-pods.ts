/** The pods of this node, as model data: one watch for whatever the agent must know of them. */
import { podType } from '#api/core.ts';
import type { KubeObject } from '#api/object.ts';
import type { Client } from '#kube/client.ts';
import { type Informer, startInformer } from '#kube/informer.ts';
import { type PodModel, readPod } from '#model/pod.ts';
import type { Log } from '#telemetry/log.ts';

/** Keys are `namespace/name`. A pod made anew under its name is told as gone, then as new. */
export type OwnPods = Informer<PodModel>;

/** Told is what of a pod's identity, labels or annotations changed, and that it ended; no other change of its status. Never writes. */
export function startOwnPods(client: Client, node: string, log: Log): OwnPods {
  return startInformer<KubeObject, PodModel>(client, podType, {
    fieldSelector: `spec.nodeName=${node}`,
    log,
    equal: (a, b) => JSON.stringify(a) === JSON.stringify(b),
    transform: readPod,
  });
}
