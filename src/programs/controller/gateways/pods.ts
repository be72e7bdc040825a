/** Pods of instances, as far as they matter to what is pushed to them; pure. */
import type { KubeObject } from '#api/object.ts';
import { instanceLabel } from './names.ts';

export type InstancePod = {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  /** Of the instance: `namespace/name`. */
  readonly instance: string;
  readonly address: string;
  /** Of the node that it is on. */
  readonly nodeAddresses?: readonly string[];
  /** Traffic is sent to it. */
  readonly isReady: boolean;
  /** Another one after a container was started again. */
  readonly epoch: string;
};

type PodStatus = {
  readonly phase?: string;
  readonly podIP?: string;
  readonly hostIP?: string;
  readonly hostIPs?: readonly { readonly ip?: string }[];
  readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  readonly containerStatuses?: readonly {
    readonly restartCount?: number;
    readonly started?: boolean;
    readonly containerID?: string;
  }[];
};

/** Undefined: nothing can be pushed to it. */
export function readInstancePod({ metadata, status }: KubeObject): InstancePod | undefined {
  const {
    phase,
    podIP = '',
    hostIP,
    hostIPs = [],
    conditions = [],
    containerStatuses = [],
  } = (status ?? {}) as PodStatus;
  if (podIP === '' || phase === 'Succeeded' || phase === 'Failed') return undefined;
  const { uid = '', namespace = '', name, labels, deletionTimestamp } = metadata;
  return {
    uid,
    namespace,
    name,
    instance: `${namespace}/${labels?.[instanceLabel] ?? ''}`,
    address: podIP,
    nodeAddresses: [...new Set([hostIP, ...hostIPs.map(({ ip }) => ip)])].flatMap((ip) => ip || []),
    isReady:
      deletionTimestamp === undefined &&
      conditions.some(({ type, status: is }) => type === 'Ready' && is === 'True'),
    epoch: containerStatuses
      .map(({ containerID = '', restartCount = 0, started }) => `${containerID}.${restartCount}.${started}`)
      .join(' '),
  };
}
