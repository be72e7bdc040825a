/** Writes a ServiceBGPStatus for each Service that this node announces: when one begins or ends, or a session comes or goes. */
import { createHash } from 'node:crypto';
import { metallbLabels } from '#api/kinds/metallbparts.ts';
import { type ServiceBGPStatus, serviceBGPStatusKind } from '#api/kinds/servicebgpstatus.ts';
import { apiVersionOf, type Condition, type KubeObject } from '#api/object.ts';
import type { SelfIntent } from '#intent/node.ts';
import { backoffDelay } from '#kube/backoff.ts';
import { type Client, isAlreadyExists, isNotFound } from '#kube/client.ts';
import { type NewCondition, setConditions } from '#kube/conditions.ts';
import type { Log } from '#telemetry/log.ts';
import { createThinned } from '#telemetry/thinned.ts';
import { systemNamespace } from '../node-lease.ts';
import type { ServicePeers, ServicePeersChanges } from './service-peers.ts';

export type ServiceStatusWriter = {
  /** Those that may be others than before. The first call is also when what an earlier process wrote is looked at. */
  change(services: ServicePeersChanges): void;
  stop(): void;
};

const lineEveryMs = 10_000;
/** What changes in so short a time is one write. */
const gatherMs = 200;

/** `self`: the node's own entry, undefined while there is no such Node. */
export function startServiceBGPStatus(
  client: Client,
  self: () => SelfIntent | undefined,
  node: string,
  log: Log,
): ServiceStatusWriter {
  /** What the API has, as far as is known; undefined before the first look. */
  let written: Map<string, string> | undefined;
  const wanted = new Map<string, ServicePeers>();
  /** Services that may have to be written, or taken away. */
  const due = new Set<string>();
  let isAsked = false;
  const failing = createThinned(lineEveryMs);
  let failures = 0;
  let running = false;
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;

  /** What a former process wrote; of what this one doesn't announce it must go. */
  const look = async (): Promise<Map<string, string>> => {
    const { items } = await client.list<ServiceBGPStatus>(serviceBGPStatusKind, {
      namespace: systemNamespace,
      labelSelector: `${metallbLabels.node}=${node}`,
    });
    return new Map(
      items.map(({ status }) => [`${status?.serviceNamespace ?? ''}/${status?.serviceName ?? ''}`, '']),
    );
  };
  const pass = async (): Promise<void> => {
    if (written === undefined) {
      written = wanted.size === 0 ? await look().catch(absent) : await look();
      for (const service of written.keys()) due.add(service);
    }
    // What goes first: it may be many that come.
    for (const service of due) if (!wanted.has(service)) await settle(service, written);
    for (const service of due) await settle(service, written);
  };
  const settle = async (service: string, known: Map<string, string>): Promise<void> => {
    const peers = wanted.get(service);
    if (peers !== undefined) {
      const text = JSON.stringify(peers);
      if (known.get(service) !== text) await write(client, node, self()?.nodeUID, service, peers);
      known.set(service, text);
    } else if (known.has(service)) {
      const name = nameOf(node, service);
      await client
        .delete(serviceBGPStatusKind, name, { namespace: systemNamespace })
        .catch((error: unknown) => {
          if (!isNotFound(error)) throw error;
        });
      known.delete(service);
    }
    // It may be another one again since it was written.
    if (wanted.get(service) === peers) due.delete(service);
  };
  const again = (milliseconds: number): void => {
    timer ??= setTimeout(() => {
      timer = undefined;
      run();
    }, milliseconds);
  };
  const run = (): void => {
    if (running || stopped) return;
    running = true;
    pass()
      .then(
        () => {
          failures = 0;
          failing.over();
        },
        (error: unknown) => {
          failing.happened((times) =>
            log.warn("whom Services are announced to can't be written", { error, times }),
          );
          again(backoffDelay(failures++, { maxMilliseconds: 10_000 }));
        },
      )
      .finally(() => {
        running = false;
        if (due.size > 0) again(gatherMs);
      });
  };

  return {
    change(services) {
      for (const [service, peers] of services) {
        if (peers === undefined) wanted.delete(service);
        else if (JSON.stringify(peers) !== JSON.stringify(wanted.get(service))) wanted.set(service, peers);
        due.add(service);
      }
      if (isAsked && due.size === 0) return;
      isAsked = true;
      again(gatherMs);
    },
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };
}

/** A cluster without the kind has nothing of ours. */
function absent(error: unknown): Map<string, string> {
  if (isNotFound(error)) return new Map();
  throw error;
}

/** The same for every process of the node: none is written twice. */
function nameOf(node: string, service: string): string {
  return `bgp-${createHash('sha256').update(`${node} ${service}`).digest('hex').slice(0, 16)}`;
}

async function write(
  client: Client,
  node: string,
  nodeUID: string | undefined,
  service: string,
  { peers, down }: ServicePeers,
): Promise<void> {
  const [namespace = '', name = ''] = service.split('/');
  const target = { name: nameOf(node, service), namespace: systemNamespace };
  const object: KubeObject = {
    apiVersion: apiVersionOf(serviceBGPStatusKind),
    kind: serviceBGPStatusKind.kind,
    metadata: {
      ...target,
      labels: {
        [metallbLabels.node]: node,
        [metallbLabels.serviceName]: name.slice(0, 63),
        [metallbLabels.serviceNamespace]: namespace,
      },
      // It goes with its node, should that go without a word.
      ...(nodeUID === undefined
        ? {}
        : { ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: node, uid: nodeUID }] }),
    },
  };
  const held = await client.create(serviceBGPStatusKind, object).catch(async (error: unknown) => {
    if (!isAlreadyExists(error)) throw error;
    return client.get<ServiceBGPStatus>(serviceBGPStatusKind, target.name, target.namespace);
  });
  const { conditions } = (held['status'] ?? {}) as { readonly conditions?: readonly Condition[] };
  const status = {
    node,
    serviceName: name,
    serviceNamespace: namespace,
    peers,
    conditions: setConditions(conditions, [conditionOf(peers, down)], new Date()),
  };
  await client.patch(
    serviceBGPStatusKind,
    { ...target, subresource: 'status' },
    { kind: 'merge', body: { status } },
  );
}

function conditionOf(peers: readonly string[], down: readonly string[]): NewCondition {
  const type = 'Announced';
  if (down.length === 0)
    return { type, status: 'True', reason: 'SessionsStand', message: `to ${peers.join(', ')}` };
  const message = `no session with ${down.join(', ')}`;
  if (peers.length === 0) return { type, status: 'False', reason: 'NoSession', message };
  return { type, status: 'True', reason: 'SessionsMissing', message };
}
