/** Where the kubelet keeps what, in one place. Paths below a node's disk are relative: the kubelet and the node see it in different places. */

/** A file each for what containers did: `<id>.pid` once started, `<id>.exit` with the exit code. */
export const eventsDirectory = 'events';

export const podsDirectory = 'pods';

export function podDirectory(uid: string): string {
  return `${podsDirectory}/${uid}`;
}

/** What must survive the kubelet: which sandbox and containers a pod has. */
export function podStateFile(uid: string): string {
  return `${podDirectory(uid)}/state.json`;
}

export function volumeDirectory(uid: string, volume: string): string {
  return `${podDirectory(uid)}/volumes/${volume}`;
}

/** OCI bundle, overlay layers and pipes of one container. */
export function bundleDirectory(uid: string, containerID: string): string {
  return `${podDirectory(uid)}/containers/${containerID}`;
}

/** A pod's namespaces, by the sandbox ID, which is also CNI_CONTAINERID. Paths in the node's memory: gone with its namespaces. */
export function sandboxNamespaces(sandboxID: string): {
  readonly network: string;
  readonly uts: string;
  readonly ipc: string;
} {
  return {
    network: `/run/netns/${sandboxID}`,
    uts: `/run/netloom-lab/uts/${sandboxID}`,
    ipc: `/run/netloom-lab/ipc/${sandboxID}`,
  };
}

/** In the node, as a real kubelet lays logs out, so that log collectors find them. */
export function containerLogFile(
  pod: { readonly namespace: string; readonly name: string; readonly uid: string },
  container: string,
  attempt: number,
): string {
  return `/var/log/pods/${pod.namespace}_${pod.name}_${pod.uid}/${container}/${attempt}.log`;
}

export function podLogDirectory(pod: {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}): string {
  return `/var/log/pods/${pod.namespace}_${pod.name}_${pod.uid}`;
}
