/** Events on policies in audit mode: which connections they would drop, as this node's datapath saw. */
import { namespaceType } from '#api/core.ts';
import { apiVersionOf, type ResourceType } from '#api/object.ts';
import {
  adminNetworkPolicyType,
  baselineAdminNetworkPolicyType,
  clusterNetworkPolicyType,
  networkPolicyType,
} from '#api/policies.ts';
import type { DatapathStatus, FlowEnd, WouldDrop } from '#intent/handover.ts';
import type { Origin } from '#intent/origin.ts';
import { type Client, isNotFound } from '#kube/client.ts';
import type { Recorder } from '#kube/events.ts';
import type { Log } from '#telemetry/log.ts';
import { fieldOf, formatFlow, formatPolicy } from '../would-drop.ts';

/** What may be in audit mode; of a Namespace its posture. */
const types: readonly ResourceType[] = [
  networkPolicyType,
  clusterNetworkPolicyType,
  adminNetworkPolicyType,
  baselineAdminNetworkPolicyType,
  namespaceType,
];

/** Of one policy at most one event in so long, whichever connections the datapath tells of. */
const everyMs = 60_000;
/** The same words again only so often: within what keeps them one event that counts. */
const sameEveryMs = 5 * 60_000;
/** What the datapath saw longer ago a former agent has told. */
const staleMs = 2 * 60_000;

/**
 * For `Handover.onStatus`. `look` gives the object that a policy is, or undefined where there is none any more; `podAt` the pod of an
 * address that the datapath has no name for, since no rule speaks of it.
 */
export function tellOfAudit(
  recorder: Pick<Recorder, 'event'>,
  look: (type: ResourceType, policy: Origin) => Promise<{ readonly uid: string | undefined } | undefined>,
  podAt: (address: string) => string | undefined,
  now: () => number = Date.now,
): (status: Pick<DatapathStatus, 'wouldDrop'>) => void {
  const told = new Map<string, { readonly at: number; readonly note: string }>();

  const tell = async (type: ResourceType, policy: Origin, note: string): Promise<void> => {
    const found = await look(type, policy);
    if (found === undefined) return;
    const { name, namespace } = policy;
    recorder.event({
      regarding: { kind: type.kind, apiVersion: apiVersionOf(type), namespace, name, uid: found.uid },
      type: 'Normal',
      reason: 'WouldDrop',
      action: 'Audit',
      note,
    });
  };
  return ({ wouldDrop = [] }) => {
    const current = new Set(
      wouldDrop.map(({ policy }) => (policy === undefined ? '' : formatPolicy(policy))),
    );
    for (const key of told.keys()) if (!current.has(key)) told.delete(key);
    for (const one of wouldDrop) {
      const { policy } = one;
      const type = types.find(({ kind }) => kind === policy?.kind);
      if (policy === undefined || type === undefined || now() - Date.parse(one.at) > staleMs) continue;
      const key = formatPolicy(policy);
      const before = told.get(key);
      if (before !== undefined && now() - before.at < everyMs) continue;
      const named = (end: FlowEnd): FlowEnd => {
        const name = end.name ?? podAt(end.address);
        return name === undefined ? end : { ...end, name };
      };
      const note = noteOf({ ...one, pod: named(one.pod), peer: named(one.peer) }, policy);
      if (before?.note === note && now() - before.at < sameEveryMs) continue;
      told.set(key, { at: now(), note });
      void tell(type, policy, note);
    }
  };
}

/** Asks the API for the policy; where it doesn't answer the event comes without the UID, and `kubectl describe` doesn't show it. */
export function lookAt(client: Pick<Client, 'get'>, log: Log): Parameters<typeof tellOfAudit>[1] {
  return async (type, { name, namespace }) => {
    try {
      const { metadata } = await client.get(type, name, namespace, { timeoutSeconds: 10, retries: 0 });
      return { uid: metadata.uid };
    } catch (error) {
      if (isNotFound(error)) return undefined;
      log.debug('no answer about a policy in audit mode', { error });
      return { uid: undefined };
    }
  };
}

/** Without counts or times: what is the same is to be one event. */
function noteOf(flow: WouldDrop, policy: Origin): string {
  const whose = `${flow.direction} of ${flow.pod.name ?? flow.pod.address}`;
  const field = fieldOf(policy);
  const by = field === '' ? '' : ` by ${field}`;
  return `would drop ${formatFlow(flow)} (${whose})${by}; in audit mode it passes`;
}
