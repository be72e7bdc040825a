/** Everything that a container is started with, from its pod and what the pod names. */
import { readFileSync } from 'node:fs';
import { findImage } from '../images/store.ts';
import type { Container } from '../objects/container.ts';
import type { Pod } from '../objects/pod.ts';
import type { Service } from '../objects/service.ts';
import { capabilityNames } from './capabilities.ts';
import { type NodeContext, namespaceObjects } from './context.ts';
import { containerEnvironment } from './env.ts';
import { sandboxNamespaces } from './layout.ts';
import type { BindMount } from './mounts.ts';
import { containerConfig, type OciConfig } from './oci.ts';
import { probeRefusal } from './probe.ts';
import { containerBinds, type VolumePlans } from './volumefiles.ts';

/** What of the pod its containers need to know. */
export type PodSurroundings = {
  readonly pod: () => Pod;
  readonly node: NodeContext;
  readonly sandboxID: () => string | undefined;
  readonly podIPs: () => readonly string[];
  readonly plans: () => VolumePlans;
  /** Paths on the node of the pod's resolv.conf and hosts files. */
  readonly files: () => readonly BindMount[];
  /** Something changed: the pod must be looked at again. */
  readonly wake: () => void;
  /** What is known must be kept. */
  readonly save: () => void;
};

/** The OCI configuration (without the root's path) and the lower layer of the root, or why the container has to wait. */
export type PreparedContainer =
  | { readonly config: OciConfig; readonly lower: string }
  | { readonly reason: string; readonly message: string };

export function prepareContainer(spec: Container, around: PodSurroundings): PreparedContainer {
  const { node } = around;
  const { host, kubelet } = node;
  const pod = around.pod();
  const refused = (message: string) => ({ reason: 'CreateContainerConfigError', message });
  const refusal = probeRefusal(spec);
  if (refusal !== undefined) return refused(refusal);
  const image = findImage(spec.image ?? '', kubelet.config);
  if ('problem' in image) return { reason: 'ErrImagePull', message: image.problem };
  const sandboxID = around.sandboxID();
  const namespaces = sandboxID === undefined ? undefined : sandboxNamespaces(sandboxID);
  const environment = containerEnvironment(spec, {
    pod,
    podIPs: around.podIPs(),
    hostIPs: host.addresses,
    ...namespaceObjects(kubelet, pod),
    services: servicesFor(node, pod),
    image: {
      HOSTNAME: pod.spec.hostNetwork === true ? host.name : pod.metadata.name,
      ...image.value.config.env,
    },
  });
  const binds = containerBinds(host, pod, spec, around.plans());
  const config = containerConfig({
    pod,
    container: spec,
    image: image.value.config,
    env: environment.value,
    netns: namespaces?.network,
    uts: namespaces?.uts,
    ipc: namespaces?.ipc,
    binds: [...image.value.binds, ...around.files(), ...binds.value],
    available: ownCapabilities(),
  });
  const problems = [...environment.problems, ...binds.problems, ...config.problems];
  return problems.length > 0
    ? refused(problems.join('; '))
    : { config: config.value, lower: image.value.lower };
}

/** The API server that every pod is told of: the Service's address, or, in the node's network, the server's own. */
function servicesFor({ kubelet }: NodeContext, pod: Pod): readonly Service[] {
  const own = kubelet.services.byIndex('namespace', pod.metadata.namespace ?? '');
  const api = kubelet.services.get('default', 'kubernetes');
  if (api !== undefined && pod.spec.hostNetwork !== true)
    return [api, ...own.filter((service) => service !== api)];
  const { host, port } = kubelet.config.apiServer;
  const direct: Service = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'kubernetes', namespace: 'default' },
    spec: { clusterIP: host, ports: [{ name: 'https', port, protocol: 'TCP' }] },
  };
  return [direct, ...own.filter((service) => service !== api)];
}

/** Of this process, which started every container runtime of the lab. */
function ownCapabilities(): ReadonlySet<string> {
  const mask = /^CapBnd:\s*(\w+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
  return capabilityNames(mask ?? '0');
}
