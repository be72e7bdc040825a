/** Makes the IngressClass that an ALB says it serves, where there is none of the name; one that is there is left as it is. */
import { ingressClassType } from '#api/core.ts';
import { group } from '#api/kind.ts';
import type { KubeObject } from '#api/object.ts';
import { type Client, isAlreadyExists } from '#kube/client.ts';
import { createWorkQueue, runWorkers } from '#kube/workqueue.ts';
import type { ALBModel } from '#model/gateway/policy-types.ts';
import { ingressController } from '#model/ingress/types.ts';
import type { Log } from '#telemetry/log.ts';

export type IngressClassesOptions = {
  readonly client: Client;
  /** Whether there is an IngressClass of that name. */
  readonly exists: (name: string) => boolean;
  readonly log: Log;
};

export type IngressClasses = {
  setALB(key: string, alb: ALBModel | undefined): void;
  /** An IngressClass came or went. */
  touch(name: string): void;
  /** What there is is known now: until then nothing is made. */
  begin(): void;
  stop(): Promise<void>;
};

export function createIngressClasses({ client, exists, log }: IngressClassesOptions): IngressClasses {
  const albs = new Map<string, ALBModel>();
  let hasBegun = false;
  const queue = createWorkQueue<string>({ name: 'ingress-classes' });
  const make = async (name: string, signal: AbortSignal): Promise<undefined> => {
    const alb = [...albs.values()]
      .filter(({ ingressClass }) => ingressClass?.name === name)
      .sort((a, b) => (a.created < b.created ? -1 : a.created > b.created ? 1 : a.key < b.key ? -1 : 1))[0];
    if (!hasBegun || alb === undefined || exists(name)) return undefined;
    try {
      await client.create(ingressClassType, ingressClassObject(alb), { signal });
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
    }
    return undefined;
  };
  const workers = runWorkers(queue, 1, make, { log });
  return {
    setALB(key, alb) {
      const before = albs.get(key)?.ingressClass?.name;
      if (alb === undefined) albs.delete(key);
      else albs.set(key, alb);
      for (const name of new Set([before, alb?.ingressClass?.name])) if (name !== undefined) queue.add(name);
    },
    touch: (name) => queue.add(name),
    begin() {
      hasBegun = true;
      for (const { ingressClass } of albs.values())
        if (ingressClass !== undefined) queue.add(ingressClass.name);
    },
    stop: () => workers.stop(),
  };
}

/** Of an ALB that says which class it serves. */
export function ingressClassObject({ namespace, name, ingressClass }: ALBModel): KubeObject {
  const annotations = { 'ingressclass.kubernetes.io/is-default-class': 'true' };
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'IngressClass',
    metadata: {
      name: ingressClass?.name ?? name,
      ...(ingressClass?.isDefault === true ? { annotations } : {}),
    },
    spec: {
      controller: ingressController,
      parameters: { apiGroup: group, kind: 'ALB', scope: 'Namespace', namespace, name },
    },
  };
}
