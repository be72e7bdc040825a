/** What makes pods: Deployments and their like. */
import type { KubeObject, LabelSelector } from '#api/object.ts';
import { kind } from './kind.ts';
import type { PodCondition, PodTemplate } from './pod.ts';

export const deploymentType = kind('apps', 'Deployment', 'deployments');

export const replicaSetType = kind('apps', 'ReplicaSet', 'replicasets');

export const statefulSetType = kind('apps', 'StatefulSet', 'statefulsets');

export const daemonSetType = kind('apps', 'DaemonSet', 'daemonsets');

export const controllerRevisionType = kind('apps', 'ControllerRevision', 'controllerrevisions');

export const jobType = kind('batch', 'Job', 'jobs');

type Workload<Spec> = KubeObject & {
  readonly spec: { readonly selector: LabelSelector; readonly template: PodTemplate } & Spec;
  readonly status?: Readonly<Record<string, unknown>>;
};

export type Deployment = Workload<{
  readonly replicas?: number;
  readonly paused?: boolean;
  readonly minReadySeconds?: number;
  readonly progressDeadlineSeconds?: number;
  readonly revisionHistoryLimit?: number;
  readonly strategy?: {
    readonly type?: 'RollingUpdate' | 'Recreate';
    readonly rollingUpdate?: {
      readonly maxSurge?: number | string;
      readonly maxUnavailable?: number | string;
    };
  };
}>;

export type ReplicaSet = Workload<{ readonly replicas?: number; readonly minReadySeconds?: number }> & {
  readonly status?: {
    readonly replicas?: number;
    readonly fullyLabeledReplicas?: number;
    readonly readyReplicas?: number;
    readonly availableReplicas?: number;
    readonly observedGeneration?: number;
  };
};

export type StatefulSet = Workload<{
  readonly replicas?: number;
  readonly serviceName?: string;
  readonly podManagementPolicy?: 'OrderedReady' | 'Parallel';
  readonly minReadySeconds?: number;
  readonly ordinals?: { readonly start?: number };
  readonly updateStrategy?: {
    readonly type?: 'RollingUpdate' | 'OnDelete';
    readonly rollingUpdate?: { readonly partition?: number };
  };
  readonly volumeClaimTemplates?: readonly unknown[];
}>;

export type DaemonSet = Workload<{
  readonly minReadySeconds?: number;
  readonly updateStrategy?: {
    readonly type?: 'RollingUpdate' | 'OnDelete';
    readonly rollingUpdate?: {
      readonly maxUnavailable?: number | string;
      readonly maxSurge?: number | string;
    };
  };
}>;

export type Job = KubeObject & {
  readonly spec: {
    readonly parallelism?: number;
    readonly completions?: number;
    readonly backoffLimit?: number;
    readonly suspend?: boolean;
    readonly completionMode?: 'NonIndexed' | 'Indexed';
    readonly activeDeadlineSeconds?: number;
    readonly ttlSecondsAfterFinished?: number;
    readonly selector?: LabelSelector;
    readonly manualSelector?: boolean;
    readonly template: PodTemplate;
  };
  readonly status?: {
    readonly startTime?: string;
    readonly conditions?: readonly PodCondition[];
    readonly [field: string]: unknown;
  };
};
