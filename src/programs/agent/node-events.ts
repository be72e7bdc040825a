/** What `kubectl describe node` says of this node's datapath, and of nodes that it found dead. */
import { nodeType } from '#api/core.ts';
import type { AbsentNode, DatapathStatus } from '#intent/handover.ts';
import type { SelfIntent } from '#intent/node.ts';
import { type Client, isNotFound } from '#kube/client.ts';
import type { Recorder } from '#kube/events.ts';

/** Servers keep an event for an hour. */
const remindEveryMs = 30 * 60_000;

/** An event when Services are left to kube-proxy, again while it lasts, and one when it is over. For `Handover.onStatus`. */
export function tellOfKubeProxy(
  recorder: Pick<Recorder, 'event'>,
  self: () => SelfIntent | undefined,
): (status: Pick<DatapathStatus, 'servicesWithheld'>) => void {
  let told: string | undefined;
  let toldAt = 0;
  return ({ servicesWithheld }) => {
    const node = self();
    const due = servicesWithheld !== undefined && Date.now() - toldAt > remindEveryMs;
    if (node === undefined || (servicesWithheld === told && !due)) return;
    told = servicesWithheld;
    toldAt = Date.now();
    recorder.event({
      regarding: { kind: 'Node', apiVersion: 'v1', name: node.node, uid: node.nodeUID },
      action: 'ServeServices',
      ...(servicesWithheld === undefined
        ? { type: 'Normal', reason: 'ServicesServed', note: "this node's Services are served by Netloom" }
        : { type: 'Warning', reason: 'KubeProxyPresent', note: servicesWithheld }),
    });
  };
}

const absentNotes = {
  dead: {
    reason: 'NodeUnreachable',
    note: 'the other nodes do not reach this node: Services send nothing to its pods until they do',
  },
  silent: {
    reason: 'DatapathSilent',
    note: "this node's netloom-datapath does not answer the other nodes: it answers for no balancer's address until it does",
  },
} as const;

/** `look` gives the UID of a Node, or undefined where there is none any more. */
export type LookAtNode = (name: string) => Promise<{ readonly uid: string | undefined } | undefined>;

/**
 * Events on nodes that were found dead or silent, and when they are back: by one of those that found it, as the datapath says. For
 * `Handover.onStatus`.
 */
export function tellOfAbsentNodes(
  recorder: Pick<Recorder, 'event'>,
  look: LookAtNode,
): (status: Pick<DatapathStatus, 'absent'>) => void {
  const told = new Map<string, AbsentNode['state']>();

  const tell = async (name: string, what: { readonly reason: string; readonly note: string }) => {
    const found = await look(name);
    if (found === undefined) return;
    recorder.event({
      regarding: { kind: 'Node', apiVersion: 'v1', name, uid: found.uid },
      action: 'WatchNodes',
      type: what.reason === 'NodeReachable' ? 'Normal' : 'Warning',
      reason: what.reason,
      note: what.note,
    });
  };
  return ({ absent = [] }) => {
    for (const { node, state, teller } of absent) {
      if (teller !== true || told.get(node) === state) continue;
      told.set(node, state);
      void tell(node, absentNotes[state]);
    }
    for (const node of told.keys()) {
      if (absent.some((one) => one.node === node)) continue;
      told.delete(node);
      void tell(node, { reason: 'NodeReachable', note: 'the other nodes reach this node again' });
    }
  };
}

/** Asks the API; where it doesn't answer the event comes without the UID. */
export function lookAtNode(client: Pick<Client, 'get'>): LookAtNode {
  return async (name) => {
    try {
      const { metadata } = await client.get(nodeType, name, undefined, { timeoutSeconds: 10, retries: 0 });
      return { uid: metadata.uid };
    } catch (error) {
      return isNotFound(error) ? undefined : { uid: undefined };
    }
  };
}
