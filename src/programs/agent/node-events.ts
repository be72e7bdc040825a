/** What `kubectl describe node` says of this node's datapath. */
import type { DatapathStatus } from '#intent/handover.ts';
import type { SelfIntent } from '#intent/node.ts';
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
