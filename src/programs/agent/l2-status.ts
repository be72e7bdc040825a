/** Tells which Services this node answers for by ARP and NDP: a ServiceL2Status each, an event when that begins, and metrics. */
import { createHash } from 'node:crypto';
import { metallbGroup, metallbLabels } from '#api/kinds/metallbparts.ts';
import { type ServiceL2Status, serviceL2StatusKind } from '#api/kinds/servicel2status.ts';
import type { AnsweredAddress } from '#intent/handover.ts';
import { backoffDelay } from '#kube/backoff.ts';
import { type Client, isAlreadyExists, isNotFound } from '#kube/client.ts';
import type { Recorder } from '#kube/events.ts';
import type { LoadBalancerModel } from '#model/loadbalancer.ts';
import type { Log } from '#telemetry/log.ts';
import type { Registry } from '#telemetry/metrics.ts';
import { createThinned } from '#telemetry/thinned.ts';
import { systemNamespace } from '../node-lease.ts';

export type L2Status = {
  /**
   * What the datapath answers for now. The first call is also when what an earlier process wrote is looked at. `isAnyAbsent`: some node was
   * found dead or silent, so that what comes here may have been told by one that can't take it back.
   */
  set(answering: readonly AnsweredAddress[], isAnyAbsent: boolean): void;
  /** Other Services may have the addresses by now. */
  servicesChanged(): void;
  stop(): void;
};

export type L2StatusOptions = {
  readonly client: Client;
  readonly node: string;
  /** Services that have an address. */
  readonly servicesAt: (address: string) => readonly LoadBalancerModel[];
  readonly recorder: Pick<Recorder, 'event'>;
  readonly registry: Registry;
  readonly log: Log;
};

/** A Service that is answered for here; `interfaces` sorted. */
type Told = { readonly service: LoadBalancerModel; readonly interfaces: readonly string[] };

/** By the name of its ServiceL2Status. */
type Wanted = ReadonlyMap<string, Told>;

const lineEveryMs = 10_000;
const mostNames = 20_000;

export function startL2Status(options: L2StatusOptions): L2Status {
  const { client, node, servicesAt, recorder, registry, log } = options;
  /** Names of what the API has of this node; unknown until it was listed. */
  let written: Map<string, string> | undefined;
  let wanted: Wanted = new Map();
  let answering: readonly AnsweredAddress[] | undefined;
  let isAnyAbsent = false;
  let known: ReadonlySet<string> = new Set();
  const nameOfStatus = createStatusNames(node);
  const failing = createThinned(lineEveryMs);
  let failures = 0;
  let running = false;
  let due = false;
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;

  const announced = registry.gauge({
    name: 'metallb_speaker_announced',
    help: 'Services being announced from this node: 1 for each address.',
    labels: ['protocol', 'service', 'node', 'ip'],
    maxSeries: 2_000,
  });
  let series: readonly Record<'protocol' | 'service' | 'node' | 'ip', string>[] = [];
  registry.onCollect(() => {
    for (const each of series) announced.remove(each);
    series = (answering ?? []).flatMap(({ address }) =>
      servicesAt(address).map(({ key }) => ({ protocol: 'layer2', service: key, node, ip: address })),
    );
    for (const each of series) announced.set(1, each);
  });

  const tell = (): void => {
    for (const [name, { service }] of wanted) {
      if (known.has(name)) continue;
      recorder.event({
        regarding: { kind: 'Service', apiVersion: 'v1', ...nameOf(service), uid: service.uid },
        type: 'Normal',
        reason: 'nodeAssigned',
        action: 'Announce',
        note: `announcing from node "${node}" with protocol "layer2"`,
      });
    }
    known = new Set(wanted.keys());
  };

  const pass = async (): Promise<void> => {
    if (written === undefined) {
      written = await listOwn(client, node);
      // Of what the process before this one told nothing is news.
      known = new Set([...known, ...written.keys()]);
    }
    tell();
    for (const name of written.keys()) {
      if (wanted.has(name)) continue;
      await remove(client, name);
      written.delete(name);
    }
    for (const [name, { service, interfaces }] of wanted) {
      const text = JSON.stringify(interfaces);
      if (written.get(name) === text) continue;
      const isThere = written.has(name);
      await write(client, { name, node, service, interfaces, isThere });
      if (!isThere && isAnyAbsent) await removeOthers(client, node, service);
      written.set(name, text);
    }
  };
  const run = (): void => {
    due = true;
    if (running || stopped) return;
    running = true;
    due = false;
    pass()
      .then(
        () => {
          failures = 0;
          failing.over();
        },
        (error: unknown) => {
          failing.happened((times) => log.warn("a ServiceL2Status can't be written", { error, times }));
          written = undefined;
          timer ??= setTimeout(
            () => {
              timer = undefined;
              run();
            },
            backoffDelay(failures++, { maxMilliseconds: 10_000 }),
          );
        },
      )
      .finally(() => {
        running = false;
        if (due) run();
      });
  };

  const look = (): void => {
    // Before the datapath's first word nothing is known to be over.
    if (answering === undefined) return;
    const now = toldBy(answering, servicesAt, nameOfStatus);
    const isNews = written === undefined || !isSame(now, wanted);
    wanted = now;
    if (isNews) run();
  };

  return {
    set(now, isAbsent) {
      answering = now;
      isAnyAbsent = isAbsent;
      look();
    },
    servicesChanged: look,
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };
}

function toldBy(
  answering: readonly AnsweredAddress[],
  servicesAt: L2StatusOptions['servicesAt'],
  nameOfStatus: (key: string) => string,
): Wanted {
  const told = new Map<string, Told>();
  for (const { address, interfaces } of answering) {
    for (const service of servicesAt(address)) {
      const name = nameOfStatus(service.key);
      const before = told.get(name)?.interfaces ?? [];
      told.set(name, { service, interfaces: [...new Set([...before, ...interfaces])].sort() });
    }
  }
  return told;
}

/** Models are never changed, so the same one says the same. */
function isSame(one: Wanted, other: Wanted): boolean {
  if (one.size !== other.size) return false;
  for (const [name, { service, interfaces }] of one) {
    const each = other.get(name);
    if (each?.service !== service || each.interfaces.join() !== interfaces.join()) return false;
  }
  return true;
}

const nameOf = ({ namespace, origin: { name } }: LoadBalancerModel) => ({ namespace, name });

/** Of one length, whatever the names are; the same for every process of the node. */
function createStatusNames(node: string): (key: string) => string {
  const names = new Map<string, string>();
  return (key) => {
    const known = names.get(key);
    if (known !== undefined) return known;
    const name = `l2-${createHash('sha256').update(`${node} ${key}`).digest('hex').slice(0, 10)}`;
    // Services come and go for as long as this process lives.
    if (names.size >= mostNames) names.clear();
    names.set(key, name);
    return name;
  };
}

/** What this node's processes have written, by name, and the interfaces that it says. */
async function listOwn(client: Client, node: string): Promise<Map<string, string>> {
  try {
    const labelSelector = `${metallbLabels.node}=${node}`;
    const { items } = await client.list<ServiceL2Status>(serviceL2StatusKind, {
      namespace: systemNamespace,
      labelSelector,
    });
    return new Map(items.map(({ metadata, status }) => [metadata.name, JSON.stringify(namesOf(status))]));
  } catch (error) {
    if (isNotFound(error)) return new Map();
    throw error;
  }
}

const namesOf = (status: ServiceL2Status['status']): readonly string[] =>
  (status?.interfaces ?? []).map(({ name = '' }) => name);

async function write(
  client: Client,
  {
    name,
    service,
    node,
    interfaces,
    isThere,
  }: Told & { readonly name: string; readonly node: string; readonly isThere: boolean },
): Promise<void> {
  const { namespace, name: serviceName } = nameOf(service);
  const labels = {
    [metallbLabels.node]: node,
    [metallbLabels.serviceName]: serviceName,
    [metallbLabels.serviceNamespace]: namespace,
  };
  const metadata = { name, namespace: systemNamespace, labels };
  const { kind, version } = serviceL2StatusKind;
  if (!isThere) {
    const object = { apiVersion: `${metallbGroup}/${version}`, kind, metadata, spec: {} };
    await client.create(serviceL2StatusKind, object).catch((error: unknown) => {
      if (!isAlreadyExists(error)) throw error;
    });
  }
  const status = {
    node,
    serviceName,
    serviceNamespace: namespace,
    interfaces: interfaces.map((each) => ({ name: each })),
  };
  const target = { name, namespace: systemNamespace, subresource: 'status' } as const;
  await client.patch(serviceL2StatusKind, target, { kind: 'merge', body: { status } });
}

/** Of a node that is dead nobody else takes it back, and one answers at a time. A list of all of them: nothing for every change. */
async function removeOthers(client: Client, node: string, service: LoadBalancerModel): Promise<void> {
  const { namespace, name } = nameOf(service);
  const labels = [
    `${metallbLabels.serviceName}=${name}`,
    `${metallbLabels.serviceNamespace}=${namespace}`,
    `${metallbLabels.node}!=${node}`,
  ];
  const { items } = await client.list(serviceL2StatusKind, {
    namespace: systemNamespace,
    labelSelector: labels.join(','),
  });
  for (const { metadata } of items) await remove(client, metadata.name);
}

async function remove(client: Client, name: string): Promise<void> {
  await client.delete(serviceL2StatusKind, name, { namespace: systemNamespace }).catch((error: unknown) => {
    if (!isNotFound(error)) throw error;
  });
}
