/** What the kubelet asks a CNI plugin for on behalf of a pod; pure. */
import type { Pod } from '../objects/pod.ts';
import type { Attachment } from './cni.ts';
import { quantity } from './downward.ts';

/**
 * What is wrong with a pod's bandwidth annotations, as containerd says it before it makes a sandbox (k8s.io/kubernetes
 * pkg/util/bandwidth); undefined: nothing.
 */
export function refusedBandwidth(pod: Pod): string | undefined {
  for (const direction of ['ingress', 'egress']) {
    const text = pod.metadata.annotations?.[`kubernetes.io/${direction}-bandwidth`];
    if (text === undefined) continue;
    const bits = quantity(text);
    const reading = 'reading pod bandwidth annotations: ';
    if (bits === undefined)
      return `${reading}quantities must match the regular expression: ${JSON.stringify(text)}`;
    if (bits < 1e3) return `${reading}resource is unreasonably small (< 1kbit): ${text}`;
    if (bits > 1e15) return `${reading}resource is unreasonably large (> 1Pbit): ${text}`;
  }
  return undefined;
}

/** The first (and only) interface of a pod. */
export const podInterface = 'eth0';

/** Arguments and capability values of a pod's sandbox, named as every runtime names them. */
export function podAttachment(pod: Pod, sandboxID: string, netns: string): Attachment {
  return {
    containerID: sandboxID,
    netns,
    interfaceName: podInterface,
    args: [
      ['IgnoreUnknown', '1'],
      ['K8S_POD_NAMESPACE', pod.metadata.namespace ?? ''],
      ['K8S_POD_NAME', pod.metadata.name],
      ['K8S_POD_INFRA_CONTAINER_ID', sandboxID],
      ['K8S_POD_UID', pod.metadata.uid ?? ''],
    ],
    capabilities: { portMappings: portMappings(pod), bandwidth: bandwidth(pod) },
  };
}

function portMappings(pod: Pod): readonly object[] | undefined {
  const mappings = pod.spec.containers
    .flatMap(({ ports }) => ports ?? [])
    .filter(({ hostPort }) => hostPort !== undefined && hostPort > 0)
    .map(({ hostPort, containerPort, protocol = 'TCP', hostIP }) => ({
      hostPort,
      containerPort,
      protocol: protocol.toLowerCase(),
      ...(hostIP === undefined || hostIP === '' ? {} : { hostIP }),
    }));
  return mappings.length === 0 ? undefined : mappings;
}

/** Rates in bits a second; bursts as large as kubelets ask for. */
function bandwidth(pod: Pod): object | undefined {
  const rate = (direction: string): number | undefined =>
    quantity(pod.metadata.annotations?.[`kubernetes.io/${direction}-bandwidth`] ?? '');
  const ingress = rate('ingress');
  const egress = rate('egress');
  if (ingress === undefined && egress === undefined) return undefined;
  return {
    ...(ingress === undefined ? {} : { ingressRate: ingress, ingressBurst: maxBurst }),
    ...(egress === undefined ? {} : { egressRate: egress, egressBurst: maxBurst }),
  };
}

const maxBurst = 2 ** 31 - 1;
