/** The nodes that a check is about, as their Node objects tell them. */
import { nodeType } from '#api/core.ts';
import type { KubeObject } from '#api/object.ts';
import type { Client } from '#kube/client.ts';
import type { CaseResult } from './run.ts';

export type CheckNode = {
  readonly name: string;
  readonly addresses: readonly string[];
  /** Why no pod can be expected to run there; missing: it is Ready. */
  readonly notReady?: string;
};

/** A node that no case can be made for, and why. */
export type LeftOut = { readonly name: string; readonly why: string };

type Node = KubeObject & {
  readonly status?: {
    readonly addresses?: readonly { readonly type: string; readonly address: string }[];
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly reason?: string;
      readonly message?: string;
    }[];
  };
};

export async function checkNodes(client: Client): Promise<readonly CheckNode[]> {
  const { items } = await client.list<Node>(nodeType);
  return items.map(checkNode);
}

/** One failed case for each: the check of the others says nothing about it. */
export function leftOutResults(nodes: readonly LeftOut[]): readonly CaseResult[] {
  return nodes.map(({ name, why }) => ({
    group: 'node ready',
    title: name,
    ok: false,
    detail: why,
    milliseconds: 0,
  }));
}

function checkNode({ metadata: { name }, status }: Node): CheckNode {
  const addresses = (status?.addresses ?? []).flatMap(({ type, address }) =>
    type === 'InternalIP' ? [address] : [],
  );
  const ready = status?.conditions?.find(({ type }) => type === 'Ready');
  if (ready?.status === 'True') return { name, addresses };
  return {
    name,
    addresses,
    notReady: `${name} is NotReady: ${(ready?.message ?? ready?.reason ?? 'it has no status yet').replace(/\.$/, '')}`,
  };
}
