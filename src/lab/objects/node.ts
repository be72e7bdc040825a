/** Nodes, and the leases by which they show that they live. */
import type { KubeObject } from '#api/object.ts';
import type { PodCondition } from './pod.ts';

export type Taint = {
  readonly key: string;
  readonly value?: string;
  readonly effect: 'NoSchedule' | 'PreferNoSchedule' | 'NoExecute';
  readonly timeAdded?: string;
};

export type LabNode = KubeObject & {
  readonly spec?: { readonly taints?: readonly Taint[]; readonly unschedulable?: boolean };
  readonly status?: {
    readonly addresses?: readonly { readonly type: string; readonly address: string }[];
    readonly capacity?: Readonly<Record<string, string>>;
    readonly allocatable?: Readonly<Record<string, string>>;
    readonly conditions?: readonly (PodCondition & { readonly lastHeartbeatTime?: string })[];
    readonly nodeInfo?: Readonly<Record<string, string>>;
  };
};

export type Lease = KubeObject & {
  readonly spec?: {
    readonly holderIdentity?: string;
    readonly leaseDurationSeconds?: number;
    readonly renewTime?: string;
    readonly acquireTime?: string;
  };
};
