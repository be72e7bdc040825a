/** Port numbers and protocol names, as Kubernetes objects write them. */
import type { Protocol } from '#intent/node.ts';

/** The intent's word for a Kubernetes protocol name. */
export function protocolOf(name: unknown): Protocol | undefined {
  if (name === 'TCP') return 'tcp';
  if (name === 'UDP') return 'udp';
  return name === 'SCTP' ? 'sctp' : undefined;
}

export function isPort(port: unknown): port is number {
  return Number.isInteger(port) && (port as number) > 0 && (port as number) < 65_536;
}
