/** For tests: gateways led against the lab's API server, with pods that are objects there and a fake feed each. */
import { namespaceType, podType, secretType, serviceType } from '#api/core.ts';
import { crdOf } from '#api/crd.ts';
import { gatewayKind } from '#api/kinds/gateway.ts';
import { gatewayClassKind } from '#api/kinds/gatewayclass.ts';
import { httpRouteKind } from '#api/kinds/httproute.ts';
import { kinds } from '#api/kinds.ts';
import { apiVersionOf, type KubeObject, type ResourceType } from '#api/object.ts';
import { controllerName } from '#compile/gateway/types.ts';
import { type Client, createClient } from '#kube/client.ts';
import { type Kubectl, openKubectl } from '#lab/apiserver/testing-kubectl.ts';
import { silentLog } from '#telemetry/log.ts';
import { createRegistry, type Registry } from '#telemetry/metrics.ts';
import { createFakePod, type FakePod } from './fake.ts';
import { createGateways } from './gateways.ts';
import { configMapType, deploymentType } from './kinds.ts';
import { instanceComponent } from './names.ts';

export type Stage = {
  readonly kubectl: Kubectl;
  readonly client: Client;
  /** By address. */
  readonly pods: ReadonlyMap<string, FakePod>;
  /** Leads until it is stopped. */
  lead(): { readonly registry: Registry; stop(): Promise<void> };
  make(type: ResourceType, name: string, spec: object, more?: object): Promise<KubeObject>;
  read(type: ResourceType, name: string): Promise<KubeObject>;
  change(type: ResourceType, name: string, body: object): Promise<KubeObject>;
  /** A pod of an instance, ready. */
  addPod(instance: string, name: string, address: string): Promise<FakePod>;
  /** As if a load balancer had given it. */
  giveAddress(service: string, ip: string): Promise<void>;
  close(): Promise<void>;
};

/** All is in namespace `default`. */
export async function openStage(): Promise<Stage> {
  const kubectl = await openKubectl();
  const { authority, admin } = kubectl.api.server.pki;
  const newClient = (): Client =>
    createClient({
      server: kubectl.api.url,
      ca: authority.certificate,
      cert: admin.certificate,
      key: admin.key,
      requestsPerSecond: 5_000,
      burst: 5_000,
    });
  const client = newClient();
  for (const kind of kinds) await kubectl.apply(crdOf(kind));
  await kubectl.good('wait', '--for=condition=Established', 'crd', '--all', '--timeout=20s');
  const pods = new Map<string, FakePod>();
  const stops = new Set<() => Promise<void>>();
  const namespace = 'default';

  const stage: Stage = {
    kubectl,
    client,
    pods,
    lead() {
      const own = newClient();
      const registry = createRegistry();
      const stopped = new AbortController();
      const gateways = createGateways(
        {
          client: own,
          image: 'netloom/node',
          registry,
          log: silentLog,
          connect: ({ address }) => {
            const pod = pods.get(address);
            if (pod === undefined) throw new Error(`no pod has ${address}`);
            return { ...pod.client, close: () => {} };
          },
        },
        () => {},
      );
      const running = gateways.run(stopped.signal);
      const stop = async (): Promise<void> => {
        stopped.abort();
        await running;
        own.close();
        stops.delete(stop);
      };
      stops.add(stop);
      return { registry, stop };
    },
    make: (type, name, spec, more = {}) =>
      client.create(type, {
        apiVersion: apiVersionOf(type),
        kind: type.kind,
        metadata: { name, ...(type.namespaced ? { namespace } : {}) },
        ...(Object.keys(spec).length === 0 ? {} : { spec }),
        ...more,
      }),
    read: (type, name) => client.get(type, name, type.namespaced ? namespace : undefined),
    change: (type, name, body) => client.patch(type, { name, namespace }, { kind: 'merge', body }),
    async addPod(instance, name, address) {
      const labels = { ...instanceComponent, 'app.kubernetes.io/instance': instance };
      await client.create(podType, {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name, namespace, labels },
        spec: { containers: [{ name: 'nginx', image: 'x' }] },
      });
      const fake = createFakePod();
      pods.set(address, fake);
      const status = { phase: 'Running', podIP: address, conditions: [{ type: 'Ready', status: 'True' }] };
      await client.patch(
        podType,
        { name, namespace, subresource: 'status' },
        { kind: 'merge', body: { status } },
      );
      return fake;
    },
    async giveAddress(service, ip) {
      const body = { status: { loadBalancer: { ingress: [{ ip }] } } };
      await client.patch(
        serviceType,
        { name: service, namespace, subresource: 'status' },
        { kind: 'merge', body },
      );
    },
    async close() {
      await Promise.all(Array.from(stops, (stop) => stop()));
      client.close();
      await kubectl.close();
    },
  };
  await stage.make(gatewayClassKind, 'netloom', { controllerName });
  return stage;
}

export const types = {
  gateway: gatewayKind,
  class: gatewayClassKind,
  route: httpRouteKind,
  service: serviceType,
  secret: secretType,
  deployment: deploymentType,
  configMap: configMapType,
  pod: podType,
  namespace: namespaceType,
} as const;

export const listener = (name: string, port: number, more: object = {}): object => ({
  name,
  port,
  protocol: 'HTTP',
  ...more,
});

export const routeSpec = (gateway: string, path: string, backend = 'echo', port = 80): object => ({
  parentRefs: [{ name: gateway }],
  rules: [
    {
      matches: [{ path: { type: 'PathPrefix', value: path } }],
      backendRefs: [{ name: backend, port }],
    },
  ],
});

type WithConditions = {
  readonly conditions?: readonly { type: string; status: string; reason: string; message: string }[];
};

/** `Programmed=True/Programmed` by type. */
export function conditionsOf(object: {
  readonly [field: string]: unknown;
}): Readonly<Record<string, string>> {
  const { conditions = [] } = (object['status'] ?? object) as WithConditions;
  return Object.fromEntries(conditions.map(({ type, status, reason }) => [type, `${status}/${reason}`]));
}

export function messageOf(object: KubeObject, type: string): string {
  const { conditions = [] } = (object['status'] ?? {}) as WithConditions;
  return conditions.find((each) => each.type === type)?.message ?? '';
}
