/** Whether the pod is to end: the kubelet's preStop leaves a file (programs/controller/gateways/instance-pods.ts). */

let closing = false;

export function isClosing(): boolean {
  return closing;
}

/** `directory` is nginx's prefix and ends in a slash. */
export function lookWhetherClosing(directory: string): void {
  const [file] = io.open(`${directory}closing`, 'r');
  closing = file !== undefined;
  if (file !== undefined) file.close();
}
