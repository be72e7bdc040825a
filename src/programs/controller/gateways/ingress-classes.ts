/**
 * Makes the IngressClass that an ALB says it serves, keeps it as the ALB says, and takes it away with the ALB. An IngressClass is of the whole
 * cluster, so no object of a namespace can own it: an annotation says which ALB it was made for. Without that annotation, or with other
 * parameters than it names, it is somebody else's and left as it is.
 */
import { isDeepStrictEqual } from 'node:util';
import { ingressClassType } from '#api/core.ts';
import { group } from '#api/kind.ts';
import type { KubeObject } from '#api/object.ts';
import { olderFirst } from '#compile/gateway/age.ts';
import { type Client, isAlreadyExists, isConflict, isNotFound } from '#kube/client.ts';
import { createWorkQueue, runWorkers } from '#kube/workqueue.ts';
import type { ALBModel } from '#model/gateway/policy-types.ts';
import { type IngressClassModel, ingressController } from '#model/ingress/types.ts';
import type { Log } from '#telemetry/log.ts';

export type IngressClassesOptions = {
  readonly client: Client;
  /** As last heard; undefined: there is none of that name. */
  readonly known: (name: string) => IngressClassModel | undefined;
  readonly log: Log;
};

export type IngressClasses = {
  setALB(key: string, alb: ALBModel | undefined): void;
  /** An IngressClass came, went or is another one. */
  touch(name: string): void;
  /** All ALBs and classes are known now: until then nothing is made or taken away. */
  begin(): void;
  stop(): Promise<void>;
};

const madeFor = 'netloom.dev/made-for-alb';
const isDefaultClass = 'ingressclass.kubernetes.io/is-default-class';
const againMs = 500;

export function createIngressClasses({ client, known, log }: IngressClassesOptions): IngressClasses {
  const albs = new Map<string, ALBModel>();
  const names = new Set<string>();
  let hasBegun = false;
  const queue = createWorkQueue<string>({ name: 'ingress-classes' });

  /** Whom it was made for keeps it; else the oldest that asks for it has it. */
  const albOf = (name: string, before: string | undefined): ALBModel | undefined => {
    const asking = [...albs.values()].filter(({ ingressClass }) => ingressClass?.name === name);
    return asking.find(({ key }) => key === before) ?? asking.sort(olderFirst)[0];
  };
  const write = async (name: string, signal: AbortSignal): Promise<void> => {
    const seen = known(name);
    if (seen === undefined) {
      const alb = albOf(name, undefined);
      if (alb !== undefined) await client.create(ingressClassType, ingressClassObject(alb), { signal });
      return;
    }
    // Most are others'. What is ours is looked at as it is now: somebody may have taken it over meanwhile.
    if (seen.controller !== ingressController || seen.alb === undefined) return;
    const held = await client.get(ingressClassType, name, undefined, { signal });
    const before = madeForOf(held);
    if (before === undefined) return;
    const alb = albOf(name, before);
    const { uid, resourceVersion, annotations = {} } = held.metadata;
    if (alb === undefined) {
      await client.delete(ingressClassType, name, { uid, resourceVersion });
      return;
    }
    const wished = ingressClassObject(alb);
    const own = wished.metadata.annotations ?? {};
    if (alb.key === before && annotations[isDefaultClass] === own[isDefaultClass]) return;
    const body = {
      metadata: { resourceVersion, annotations: { [isDefaultClass]: null, ...own } },
      spec: { parameters: parametersOf(wished) },
    };
    await client.patch(ingressClassType, { name }, { kind: 'merge', body }, { signal });
  };
  const reconcile = async (name: string, signal: AbortSignal) => {
    if (!hasBegun) return undefined;
    try {
      await write(name, signal);
    } catch (error) {
      if (isConflict(error) || isAlreadyExists(error)) return { requeueAfter: againMs };
      if (!isNotFound(error)) throw error;
    }
    return undefined;
  };
  const workers = runWorkers(queue, 1, reconcile, { log });
  const touch = (name: string | undefined): void => {
    if (name === undefined) return;
    if (!hasBegun) names.add(name);
    queue.add(name);
  };
  return {
    setALB(key, alb) {
      const before = albs.get(key)?.ingressClass?.name;
      if (alb === undefined) albs.delete(key);
      else albs.set(key, alb);
      for (const name of new Set([before, alb?.ingressClass?.name])) touch(name);
    },
    touch,
    begin() {
      hasBegun = true;
      for (const name of names) queue.add(name);
      names.clear();
    },
    stop: () => workers.stop(),
  };
}

/** Of an ALB that says which class it serves. */
export function ingressClassObject({ key, namespace, name, ingressClass }: ALBModel): KubeObject {
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'IngressClass',
    metadata: {
      name: ingressClass?.name ?? name,
      annotations: {
        [madeFor]: key,
        ...(ingressClass?.isDefault === true ? { [isDefaultClass]: 'true' } : {}),
      },
    },
    spec: {
      controller: ingressController,
      parameters: { apiGroup: group, kind: 'ALB', scope: 'Namespace', namespace, name },
    },
  };
}

/** The ALB (`namespace/name`) that it was made for; undefined: it is somebody else's. */
function madeForOf(held: KubeObject): string | undefined {
  const key = held.metadata.annotations?.[madeFor];
  if (key === undefined) return undefined;
  const [namespace = '', name = ''] = key.split('/');
  const wished = { apiGroup: group, kind: 'ALB', scope: 'Namespace', namespace, name };
  return isDeepStrictEqual(parametersOf(held), wished) ? key : undefined;
}

function parametersOf(object: KubeObject): unknown {
  return (object['spec'] as { readonly parameters?: unknown } | undefined)?.parameters;
}
