/** The caches that all controllers share: one watch a kind. */
import { endpointSliceType, leaseType, namespaceType, nodeType, podType, serviceType } from '#api/core.ts';
import type { KubeObject } from '#api/object.ts';
import type { Client } from '#kube/client.ts';
import { type Informer, startInformer } from '#kube/informer.ts';
import type { Log } from '#telemetry/log.ts';
import type { LabNode, Lease } from '../objects/node.ts';
import type { Pod } from '../objects/pod.ts';
import { type EndpointSlice, type Endpoints, endpointsType, type Service } from '../objects/service.ts';
import {
  type DaemonSet,
  type Deployment,
  daemonSetType,
  deploymentType,
  type Job,
  jobType,
  type ReplicaSet,
  replicaSetType,
  type StatefulSet,
  statefulSetType,
} from '../objects/workload.ts';
import { controllerOf } from './pods.ts';

export type Informers = {
  readonly pods: Informer<Pod>;
  readonly nodes: Informer<LabNode>;
  readonly namespaces: Informer<KubeObject>;
  readonly services: Informer<Service>;
  readonly endpoints: Informer<Endpoints>;
  readonly slices: Informer<EndpointSlice>;
  readonly leases: Informer<Lease>;
  readonly deployments: Informer<Deployment>;
  readonly replicaSets: Informer<ReplicaSet>;
  readonly statefulSets: Informer<StatefulSet>;
  readonly daemonSets: Informer<DaemonSet>;
  readonly jobs: Informer<Job>;
  stop(): void;
};

const namespaceOf = ({ metadata }: KubeObject): readonly string[] => [metadata.namespace ?? ''];
const ownerOf = (object: KubeObject): readonly string[] => {
  const uid = controllerOf(object)?.uid;
  return uid === undefined ? [] : [uid];
};

export function startInformers(client: Client, log: Log): Informers {
  const informers = {
    pods: startInformer<Pod>(client, podType, {
      log,
      indexers: {
        namespace: namespaceOf,
        owner: ownerOf,
        node: ({ spec }) => (spec.nodeName === undefined ? [] : [spec.nodeName]),
      },
    }),
    nodes: startInformer<LabNode>(client, nodeType, { log }),
    namespaces: startInformer<KubeObject>(client, namespaceType, { log }),
    services: startInformer<Service>(client, serviceType, { log, indexers: { namespace: namespaceOf } }),
    endpoints: startInformer<Endpoints>(client, endpointsType, { log }),
    slices: startInformer<EndpointSlice>(client, endpointSliceType, {
      log,
      indexers: {
        service: ({ metadata }) => [
          `${metadata.namespace}/${metadata.labels?.['kubernetes.io/service-name'] ?? ''}`,
        ],
      },
    }),
    leases: startInformer<Lease>(client, leaseType, { log, namespace: 'kube-node-lease' }),
    deployments: startInformer<Deployment>(client, deploymentType, { log }),
    replicaSets: startInformer<ReplicaSet>(client, replicaSetType, { log, indexers: { owner: ownerOf } }),
    statefulSets: startInformer<StatefulSet>(client, statefulSetType, { log }),
    daemonSets: startInformer<DaemonSet>(client, daemonSetType, { log }),
    jobs: startInformer<Job>(client, jobType, { log }),
  };
  return {
    ...informers,
    stop() {
      for (const informer of Object.values(informers)) informer.stop();
    },
  };
}
