/** The pods of this node: what ADD, CHECK, DEL and GC do to addresses, links and engines, in which order. */
import type { Assignment } from '#compile/ipam/state.ts';
import {
  checkPodLink,
  createPodLink,
  deletePodLink,
  type FoundPodLink,
  type PodLink,
  podDeviceName,
  podMacOf,
} from '#engines/netlink/pod.ts';
import type { EndpointStatus, SubnetDemand } from '#intent/handover.ts';
import type { EndpointIntent, SubnetMode } from '#intent/node.ts';
import { SystemError } from '#system/libc.ts';
import type { Log } from '#telemetry/log.ts';
import type { Addresses } from './addresses.ts';
import { CniError, errorCode } from './cni/error.ts';
import type { AddRequest, Attachment, CheckRequest, GcRequest } from './cni/request.ts';
import { formatResult } from './cni/result.ts';
import type { EngineSet } from './engines.ts';
import type { IntentHolder } from './intent.ts';
import { createSerializer, type Signal } from './signal.ts';
import { createWaiting } from './waiting.ts';
import type { Wire } from './wire/wire.ts';

export type Pods = {
  add(request: AddRequest): Promise<string>;
  check(request: CheckRequest): Promise<string>;
  del(attachment: Attachment): Promise<string>;
  gc(request: GcRequest): Promise<string>;
  /** Takes over an interface that was there when the datapath started. */
  adopt(found: FoundPodLink, assignment: Assignment): void;
  endpoints(): readonly EndpointStatus[];
  demand(): readonly SubnetDemand[];
  /** Sends away the ADDs that wait, and waits until links that DEL left to the kernel are gone. */
  stop(): Promise<void>;
};

export function createPods(options: {
  readonly addresses: Addresses;
  readonly engines: EngineSet;
  readonly holder: IntentHolder;
  readonly signal: Signal;
  /** Why no pod can be wired yet, whatever its addresses. */
  readonly notReady: () => string | undefined;
  /** Throws while the node has no underlay device. */
  readonly mtuOf: (mode: SubnetMode) => number;
  readonly wire: Wire;
  /** Milliseconds until an ADD had addresses. */
  readonly onWaited: (milliseconds: number) => void;
  readonly log: Log;
}): Pods {
  const { addresses, engines, holder, signal, notReady, mtuOf, wire, onWaited, log } = options;
  const oneAtATime = createSerializer();
  const adding = new Set<string>();
  const deletions = new Map<string, Promise<void>>();
  const waiting = createWaiting({ addresses, holder, signal, notReady, wire, onWaited, log });

  const mtuInTime = (mode: SubnetMode): number => {
    try {
      return mtuOf(mode);
    } catch (error) {
      throw new CniError(errorCode.tryAgainLater, (error as Error).message);
    }
  };

  const add = async (request: AddRequest): Promise<string> => {
    const isNew = !addresses.state.assignments.has(request.key);
    const { assignment, durable } = await waiting.assign(request);
    // Handled below with the rest; meanwhile a failure must not count as unhandled.
    durable.catch(() => {});
    const device = podDeviceName(request.containerID, request.interface);
    try {
      await deletions.get(device);
      const mtu = mtuInTime(assignment.mode);
      const { addresses: own, mac } = assignment;
      const link = makeLink(request, { device, mtu, addresses: own, mac });
      const change = holder.putEndpoint(
        request.key,
        endpointOf(assignment, device, link.ifindex, link.podMac),
      );
      const [outcome] = await Promise.all([engines.apply(change), durable]);
      const wrong = [
        ...outcome.failed,
        ...outcome.problems.filter(({ entry }) => entry.includes(request.key)),
      ][0];
      if (wrong !== undefined) {
        throw new CniError(errorCode.tryAgainLater, `${wrong.engine} can't hold the pod: ${wrong.reason}`);
      }
      if (assignment.mode === 'underlay') {
        wire.keep(request.key, assignment.addresses);
        wire.announce(request.key);
      }
      signal.notify();
      return formatResult(request, { device, ...link, mtu, addresses: assignment.addresses });
    } catch (error) {
      // A pod that was wired before this call keeps what it has.
      if (isNew) await remove(request.key, device);
      throw error instanceof CniError
        ? error
        : new CniError(errorCode.ioFailure, `can't wire the pod: ${(error as Error).message}`);
    }
  };

  /**
   * The engines forget the pod first, so nothing reaches an address that isn't its own any more. The kernel then takes its time
   * with the link; should the datapath die meanwhile, the journal no longer has the pod and the next start removes the link.
   */
  const remove = async (key: string, device: string): Promise<void> => {
    wire.forget(key);
    const known = holder.intent.endpoints[key] !== undefined;
    const change = holder.removeEndpoint(key);
    // Before the first intent the engines hold nothing; they learn of the endpoints that are there then.
    const forgotten = known && holder.generation > 0 ? engines.apply(change) : undefined;
    const gone = deletePodLink({ hostName: device }).catch((error: unknown) =>
      log.error('a pod link stays behind', { device, error }),
    );
    deletions.set(device, gone);
    void gone.then(() => {
      if (deletions.get(device) === gone) deletions.delete(device);
    });
    await forgotten;
    await addresses.release(key);
    signal.notify();
  };

  const del = async ({ key, containerID, interface: name }: Attachment): Promise<string> => {
    await remove(key, podDeviceName(containerID, name));
    return '';
  };

  const check = async (request: CheckRequest): Promise<string> => {
    const assignment = addresses.state.assignments.get(request.key);
    if (assignment === undefined) {
      throw new CniError(
        errorCode.unknownContainer,
        `container ${request.containerID} has no ${request.interface} here`,
      );
    }
    const device = podDeviceName(request.containerID, request.interface);
    const missing = assignment.addresses.filter((address) => !request.addresses.includes(address));
    const wrong = missing.map((address) => `prevResult lacks ${address}`);
    if (holder.intent.endpoints[request.key] === undefined)
      wrong.push('the node does not know the interface');
    try {
      const mtu = mtuInTime(assignment.mode);
      const spec = { podNamespace: request.netns, hostName: device, ifName: request.interface, mtu };
      const { addresses: own, mac } = assignment;
      wrong.push(...checkPodLink({ ...spec, addresses: own, mac }));
    } catch (error) {
      wrong.push((error as Error).message);
    }
    if (wrong.length > 0)
      throw new CniError(errorCode.notAsAdded, wrong[0]!, wrong.slice(1).join('; ') || undefined);
    return '';
  };

  const inTurn = <R extends Attachment>(work: (request: R) => Promise<string>) => {
    return (request: R) => oneAtATime(request.key, () => work(request));
  };
  const delInTurn = inTurn(del);
  return {
    add: async (request) => {
      adding.add(request.key);
      try {
        return await inTurn(add)(request);
      } finally {
        adding.delete(request.key);
      }
    },
    check: inTurn(check),
    del: delInTurn,
    async gc({ network, valid }) {
      for (const { key, pod, network: owner } of addresses.state.assignments.values()) {
        // An ADD that runs now may be younger than the runtime's list.
        // One without a network was found when the journal was lost.
        const isOther = owner !== undefined && owner !== network;
        if (pod === undefined || isOther || valid.has(key) || adding.has(key)) continue;
        log.info('removing a pod interface that the runtime no longer knows', {
          key,
          pod: `${pod.namespace}/${pod.name}`,
        });
        await delInTurn(attachmentOf(key));
      }
      return '';
    },
    adopt(found, assignment) {
      const mac = found.mac ?? podMacOf(found.name);
      holder.putEndpoint(assignment.key, endpointOf(assignment, found.name, found.ifindex, mac));
      if (assignment.mode === 'underlay') wire.keep(assignment.key, assignment.addresses);
    },
    endpoints: () =>
      Object.entries(holder.intent.endpoints).flatMap(([key, endpoint]) => {
        const assignment = addresses.state.assignments.get(key);
        if (assignment?.pod === undefined) return [];
        const since = new Date(assignment.since).toISOString();
        return [{ ...endpoint, ...attachmentOf(key), pod: assignment.pod, since }];
      }),
    demand: () => waiting.demand(),
    async stop() {
      waiting.stop();
      await Promise.all(deletions.values());
    },
  };
}

/** What the engines must know of a pod interface. */
export function endpointOf(
  assignment: Assignment,
  device: string,
  ifindex: number,
  mac: string,
): EndpointIntent {
  const { pod, addresses, subnet, mode } = assignment;
  const origin = { kind: 'Pod', namespace: pod?.namespace ?? '', name: pod?.name ?? '' };
  const podUID = pod === undefined || pod.uid === '' ? {} : { podUID: pod.uid };
  return { origin, ...podUID, device, ifindex, mac, addresses, subnet, mode };
}

function attachmentOf(key: string): Attachment {
  const slash = key.indexOf('/');
  return { key, containerID: key.slice(0, slash), interface: key.slice(slash + 1) };
}

function makeLink(
  request: AddRequest,
  wanted: {
    readonly device: string;
    readonly mtu: number;
    readonly addresses: readonly string[];
    readonly mac: string | undefined;
  },
): PodLink {
  try {
    return createPodLink({
      podNamespace: request.netns,
      hostName: wanted.device,
      ifName: request.interface,
      mtu: wanted.mtu,
      addresses: wanted.addresses,
      mac: wanted.mac,
    });
  } catch (error) {
    const code = error instanceof SystemError ? error.code : (error as NodeJS.ErrnoException).code;
    if (code === 'EEXIST') {
      throw new CniError(
        errorCode.invalidEnvironment,
        `CNI_IFNAME: the container has an interface ${request.interface} already`,
      );
    }
    if (code === 'ENOENT' || code === 'EINVAL' || code === 'ENOTDIR') {
      const message = `CNI_NETNS: ${request.netns} is not a network namespace that the datapath can see`;
      throw new CniError(errorCode.invalidEnvironment, message, (error as Error).message);
    }
    throw error;
  }
}
