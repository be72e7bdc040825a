/** What the kubelet's parts share: the cluster's objects as cached, and where to write. */
import type { Client } from '#kube/client.ts';
import type { Recorder } from '#kube/events.ts';
import type { Informer } from '#kube/informer.ts';
import type { Log } from '#telemetry/log.ts';
import type { KubeletConfig } from '../config.ts';
import type { LabNode } from '../objects/node.ts';
import type { Pod } from '../objects/pod.ts';
import type { Service } from '../objects/service.ts';
import type { ConfigMap, Secret } from '../objects/volume.ts';
import type { NetworkList } from './cni.ts';
import type { NodeHost } from './nodehost.ts';

export type Kubelet = {
  readonly config: Pick<
    KubeletConfig,
    'imageRoot' | 'imageInNode' | 'imagesDirectory' | 'dns' | 'apiServer' | 'family'
  >;
  readonly client: Client;
  readonly log: Log;
  readonly pods: Informer<Pod>;
  readonly configMaps: Informer<ConfigMap>;
  readonly secrets: Informer<Secret>;
  readonly services: Informer<Service>;
  readonly nodes: Informer<LabNode>;
};

/** One node of it. */
export type NodeContext = {
  readonly kubelet: Kubelet;
  readonly host: NodeHost;
  readonly recorder: Recorder;
  /** The network configuration to use for the next pod; undefined while there is none, with the reason. */
  readonly network: () => { readonly list: NetworkList | undefined; readonly reason: string };
};

/** Records an event about a pod. */
export function podEvent(
  { recorder }: NodeContext,
  pod: Pod,
  type: 'Normal' | 'Warning',
  reason: string,
  note: string,
): void {
  const { name, namespace, uid } = pod.metadata;
  recorder.event({
    regarding: { kind: 'Pod', apiVersion: 'v1', name, namespace, uid },
    type,
    reason,
    action: reason,
    note,
  });
}

/** ConfigMaps and Secrets of a pod's namespace, by name. */
export function namespaceObjects(
  { configMaps, secrets }: Kubelet,
  { metadata }: Pod,
): {
  readonly configMap: (name: string) => ConfigMap | undefined;
  readonly secret: (name: string) => Secret | undefined;
} {
  return {
    configMap: (name) => configMaps.get(metadata.namespace, name),
    secret: (name) => secrets.get(metadata.namespace, name),
  };
}
