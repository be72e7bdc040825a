/** At which addresses and ports a Service answers, and which of two Services has one that both want. */
import type { Place } from '#intent/node.ts';
import type { ServiceModel, ServicePort } from '#model/service.ts';

/** The kinds of frontend, in the order in which they win over each other: what the cluster allocates, before what a user writes. */
export const frontendKinds = ['cluster', 'nodePort', 'loadBalancer', 'external'] as const;
export type FrontendKind = (typeof frontendKinds)[number];

/** What only one Service can have: the same on every node, so that all nodes give it to the same one. */
export type Claim = {
  readonly kind: FrontendKind;
  readonly port: ServicePort;
  /** `10.96.0.7 tcp/80`; of a node port `* tcp/30080`. */
  readonly text: string;
  /** Where it answers; of a node port: at the node's addresses. */
  readonly place: Place;
};

/** A node port's address: each node has its own. */
export const anyNodeAddress = '*';

/** Without repeats: what is a load balancer's and an external address is the former. */
export function claimsOf(service: ServiceModel): readonly Claim[] {
  const { published } = service;
  const found = new Map<string, Claim>();
  const add = (kind: FrontendKind, port: ServicePort, address: string, number: number): void => {
    const text = `${address} ${port.protocol}/${number}`;
    if (!found.has(text)) found.set(text, { kind, port, text, place: { address, port: number } });
  };
  for (const port of service.ports) {
    for (const address of service.clusterIPs) add('cluster', port, address, port.port);
    if (port.nodePort !== undefined) add('nodePort', port, anyNodeAddress, port.nodePort);
    for (const address of published?.loadBalancer ?? []) add('loadBalancer', port, address, port.port);
    for (const address of published?.external ?? []) add('external', port, address, port.port);
  }
  return [...found.values()];
}

export type Contender = { readonly service: ServiceModel; readonly kind: FrontendKind };

/** The winner first: by kind, then the older one, then by name. */
export function compareContenders(a: Contender, b: Contender): number {
  const kind = frontendKinds.indexOf(a.kind) - frontendKinds.indexOf(b.kind);
  if (kind !== 0) return kind;
  if (a.service.created !== b.service.created) return a.service.created < b.service.created ? -1 : 1;
  return a.service.key < b.service.key ? -1 : a.service.key > b.service.key ? 1 : 0;
}
