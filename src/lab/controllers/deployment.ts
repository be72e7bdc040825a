/** Deployment: ReplicaSets of its template's versions, scaled against each other so that enough pods are available. */
import { isAlreadyExists, isNotFound } from '#kube/client.ts';
import type { PodCondition } from '../objects/pod.ts';
import { type Deployment, deploymentType, type ReplicaSet, replicaSetType } from '../objects/workload.ts';
import {
  type Controller,
  type ControllerContext,
  eventFor,
  keyOfObject,
  splitKey,
  startController,
  untilSeen,
} from './controller.ts';
import type { Informers } from './informers.ts';
import { controllerOf, isActive, isTerminating, ownerReference, templateHash } from './pods.ts';
import { deploymentStatus, planRollout, revisionKey, revisionOf } from './rollout.ts';
import { writeStatus } from './status.ts';

export function deploymentController(context: ControllerContext, informers: Informers): Controller {
  const { client } = context;
  const { deployments, replicaSets, pods } = informers;

  const reconcile = async (key: string) => {
    const deployment = deployments.get(...splitKey(key));
    if (deployment === undefined || isTerminating(deployment)) return;
    const owned = replicaSets.byIndex('owner', deployment.metadata.uid ?? '');
    const current = await ensureCurrent(deployment, owned);
    const old = owned.filter(({ metadata }) => metadata.name !== current.metadata.name);
    const left = old.some((set) =>
      pods.byIndex('owner', set.metadata.uid ?? '').some((pod) => isActive(pod) || isTerminating(pod)),
    );
    const plan = planRollout(deployment, current, old, left);
    for (const [name, replicas] of Object.entries(plan.scale)) await resize(deployment, name, replicas);
    for (const name of plan.remove) {
      await client
        .delete(replicaSetType, name, { namespace: deployment.metadata.namespace })
        .catch(ignoreMissing);
    }
    const all = replicaSets.byIndex('owner', deployment.metadata.uid ?? '');
    const fresh = all.find(({ metadata }) => metadata.name === current.metadata.name) ?? current;
    const status = deploymentStatus(deployment, fresh, all, new Date());
    await writeStatus(context, deploymentType, deployment, status);
    const done = (status.conditions as readonly PodCondition[]).find(
      ({ type }) => type === 'Progressing',
    )?.reason;
    return done === 'ReplicaSetUpdated'
      ? { requeueAfter: (deployment.spec.progressDeadlineSeconds ?? 600) * 1000 + 1000 }
      : undefined;
  };
  const ensureCurrent = async (deployment: Deployment, owned: readonly ReplicaSet[]): Promise<ReplicaSet> => {
    const hash = templateHash(deployment.spec.template);
    const name = `${deployment.metadata.name}-${hash}`;
    const latest = Math.max(0, ...owned.map(revisionOf));
    const found = owned.find(({ metadata }) => metadata.name === name);
    if (found === undefined) {
      const set = newReplicaSet(deployment, name, hash, latest + 1);
      const made = await client.create<ReplicaSet>(replicaSetType, set).catch(async (error: unknown) => {
        if (!isAlreadyExists(error)) throw error;
        const other = await client.get<ReplicaSet>(replicaSetType, name, deployment.metadata.namespace);
        if (controllerOf(other)?.uid !== deployment.metadata.uid) throw error;
        return other;
      });
      eventFor(context, deployment, 'Normal', 'ScalingReplicaSet', `Created ReplicaSet ${name}`);
      const { namespace, resourceVersion } = made.metadata;
      await untilSeen(replicaSets, () => replicaSets.get(namespace, name) !== undefined, resourceVersion);
      await annotate(deployment, latest + 1);
      return made;
    }
    // Rolled back: the old version is the newest again.
    if (revisionOf(found) < latest) {
      const body = { metadata: { annotations: { [revisionKey]: String(latest + 1) } } };
      const { namespace } = found.metadata;
      await client.patch(replicaSetType, { name, namespace }, { kind: 'merge', body });
      await untilSeen(replicaSets, () => revisionOf(replicaSets.get(namespace, name) ?? found) > latest);
      await annotate(deployment, latest + 1);
      return replicaSets.get(namespace, name) ?? found;
    }
    await annotate(deployment, revisionOf(found));
    return found;
  };
  const annotate = async (deployment: Deployment, revision: number): Promise<void> => {
    if (deployment.metadata.annotations?.[revisionKey] === String(revision)) return;
    const { name, namespace } = deployment.metadata;
    const body = { metadata: { annotations: { [revisionKey]: String(revision) } } };
    await client.patch(deploymentType, { name, namespace }, { kind: 'merge', body });
  };
  const resize = async (deployment: Deployment, name: string, replicas: number): Promise<void> => {
    const { namespace } = deployment.metadata;
    await client.patch(replicaSetType, { name, namespace }, { kind: 'merge', body: { spec: { replicas } } });
    eventFor(context, deployment, 'Normal', 'ScalingReplicaSet', `Scaled ReplicaSet ${name} to ${replicas}`);
    await untilSeen(
      replicaSets,
      () => (replicaSets.get(namespace, name)?.spec.replicas ?? replicas) === replicas,
    );
  };
  return startController(context, {
    name: 'deployment',
    sources: [
      { informer: deployments, keys: (deployment) => [keyOfObject(deployment)] },
      { informer: replicaSets, keys: deploymentOf },
      // A Recreate waits for the last old pod's end, which changes no ReplicaSet.
      {
        informer: pods,
        keys: (pod) => {
          const owner = controllerOf(pod);
          const set =
            owner?.kind === 'ReplicaSet' ? replicaSets.get(pod.metadata.namespace, owner.name) : undefined;
          return set !== undefined && isTerminating(pod) ? deploymentOf(set) : [];
        },
      },
    ],
    reconcile,
  });
}

function deploymentOf(set: ReplicaSet): readonly string[] {
  const owner = controllerOf(set);
  return owner?.kind === 'Deployment' ? [`${set.metadata.namespace}/${owner.name}`] : [];
}

function newReplicaSet(deployment: Deployment, name: string, hash: string, revision: number): ReplicaSet {
  const { template, selector, minReadySeconds } = deployment.spec;
  const label = { 'pod-template-hash': hash };
  const labels = { ...template.metadata?.labels, ...label };
  return {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: {
      name,
      namespace: deployment.metadata.namespace ?? '',
      labels,
      annotations: { [revisionKey]: String(revision) },
      ownerReferences: [ownerReference(deployment)],
    },
    spec: {
      replicas: 0,
      ...(minReadySeconds === undefined ? {} : { minReadySeconds }),
      selector: { ...selector, matchLabels: { ...selector.matchLabels, ...label } },
      template: { ...template, metadata: { ...template.metadata, labels } },
    },
  };
}

function ignoreMissing(error: unknown): void {
  if (!isNotFound(error)) throw error;
}
