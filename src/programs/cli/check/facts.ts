/** What the matrix is made from: who is where, with which addresses. */
import type { SubnetMode } from '#intent/node.ts';

export type Family = 4 | 6;

/** Addresses of one thing, by family. */
export type Addresses = Readonly<Partial<Record<Family, string>>>;

export type PodFacts = { readonly name: string; readonly node: string; readonly addresses: Addresses };

export type NodeFacts = {
  readonly name: string;
  readonly addresses: Addresses;
  /** Sends from the pod network of this node. */
  readonly client: PodFacts;
  /** Answers from the pod network of this node. */
  readonly echo: PodFacts;
  /** Sends and answers from the node's own network. */
  readonly host: PodFacts;
};

/** Numbers of node ports. */
export type NodePortFacts = {
  /** All echo pods. */
  readonly open: { readonly http: number; readonly udp: number };
  /** All echo pods, externalTrafficPolicy Local. */
  readonly local: number;
  /** Only the echo pod of that node, externalTrafficPolicy Local. */
  readonly lonely: { readonly http: number; readonly node: string };
};

export type CheckFacts = {
  readonly families: readonly Family[];
  readonly nodes: readonly NodeFacts[];
  readonly services: {
    /** All echo pods. */
    readonly echo: Addresses;
    /** All echo pods, with ClientIP affinity. */
    readonly affinity: Addresses;
    /** No endpoint. */
    readonly empty: Addresses;
    /** By node name: only that node's echo pod. */
    readonly single: Readonly<Record<string, Addresses>>;
  };
  readonly nodePorts: NodePortFacts;
  /** Of the Subnet that the check's pods are in. */
  readonly mode: SubnetMode;
  /** Bytes that a packet between pods of two nodes may have. */
  readonly mtu: number;
  /** A machine outside the cluster that echoes, and the addresses it can be reached at. */
  readonly outside: Addresses | undefined;
};

/** Ports of everything that echoes. */
export const echoPorts = { http: 8080, udp: 8081, hostHttp: 18080, hostUdp: 18081 } as const;

/** Ports of the check's Services. */
export const servicePorts = { http: 80, udp: 81 } as const;
