/** Balancers' addresses against the lab's API server: what a user sees, and that processes that race never double or steal one. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { namespaceType, serviceType } from '#api/core.ts';
import { crdOf } from '#api/crd.ts';
import { configurationStateKind } from '#api/kinds/configurationstate.ts';
import { type IPAddressPool, ipAddressPoolKind } from '#api/kinds/ipaddresspool.ts';
import { kinds } from '#api/kinds.ts';
import { apiVersionOf, type KubeObject } from '#api/object.ts';
import { type Client, createClient, isAlreadyExists, isNotFound } from '#kube/client.ts';
import { createRecorder } from '#kube/events.ts';
import { type Kubectl, openKubectl } from '#lab/apiserver/testing-kubectl.ts';
import { eventually } from '#lab/eventually.ts';
import { silentLog } from '#telemetry/log.ts';
import { createRegistry, type Registry } from '#telemetry/metrics.ts';
import { systemNamespace } from '../../node-lease.ts';
import { startCaches } from '../caches.ts';
import { startController } from '../controller.ts';

const from = 'metallb.io/ip-allocated-from-pool';
let kubectl: Kubectl;
let client: Client;
const stops: (() => Promise<void>)[] = [];

beforeAll(async () => {
  kubectl = await openKubectl();
  client = newClient();
  await client.create(namespaceType, {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: systemNamespace },
  });
  for (const kind of kinds) expect(await kubectl.apply(crdOf(kind))).toMatchObject({ code: 0 });
  await kubectl.good('wait', '--for=condition=Established', 'crd', '--all', '--timeout=20s');
}, 60_000);

afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
  for (const { metadata } of (await client.list(serviceType, { namespace: 'default' })).items)
    await client.delete(serviceType, metadata.name, { namespace: 'default' });
  for (const { metadata } of (await client.list(ipAddressPoolKind, { namespace: 'default' })).items)
    await client.delete(ipAddressPoolKind, metadata.name, { namespace: 'default' });
});

afterAll(async () => {
  client?.close();
  await kubectl?.close();
});

function newClient(): Client {
  const { authority, admin } = kubectl.api.server.pki;
  return createClient({
    server: kubectl.api.url,
    ca: authority.certificate,
    cert: admin.certificate,
    key: admin.key,
    requestsPerSecond: 5_000,
    burst: 5_000,
  });
}

type Running = { readonly registry: Registry; stop(): Promise<void> };

/** As if it had won an election, whoever else thinks so, too. */
async function lead(choice: 'serve' | 'off' = 'serve', slow = (client: Client) => client): Promise<Running> {
  const served = choice === 'serve' ? {} : undefined;
  const own = newClient();
  const caches = startCaches(own, silentLog, { loadBalancers: served });
  await Promise.all(Object.values(caches).map((cache) => cache.synced));
  const registry = createRegistry();
  const recorder = createRecorder(own, {
    controller: 'netloom.dev/controller',
    instance: 'test',
    log: silentLog,
  });
  const stopped = new AbortController();
  const leaseTimes = { defaultDurationMs: 600_000, marginMs: 600_000 };
  const options = {
    client: slow(own),
    caches,
    recorder,
    registry,
    leaseTimes,
    externalIPs: false,
    log: silentLog,
  };
  const running = startController({ ...options, loadBalancers: served }).lead(stopped.signal);
  const stop = async (): Promise<void> => {
    stopped.abort();
    await running;
    for (const cache of Object.values(caches)) cache.stop();
    await recorder.stop();
    own.close();
  };
  stops.push(stop);
  return { registry, stop };
}

const pool = (name: string, addresses: readonly string[], spec: object = {}): KubeObject => ({
  apiVersion: apiVersionOf(ipAddressPoolKind),
  kind: 'IPAddressPool',
  metadata: { name, namespace: 'default' },
  spec: { addresses, ...spec },
});
const service = (name: string, spec: object = {}, annotations: object = {}): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace: 'default', annotations: annotations as Record<string, string> },
  spec: { type: 'LoadBalancer', selector: { app: name }, ports: [{ port: 80 }], ...spec },
});
const make = (object: KubeObject) =>
  client.create(object.kind === 'Service' ? serviceType : ipAddressPoolKind, object);
const read = (name: string) => client.get<KubeObject>(serviceType, name, 'default');
const ingressOf = (object: KubeObject) =>
  (object as { status?: { loadBalancer?: { ingress?: { ip: string; ipMode: string }[] } } }).status
    ?.loadBalancer?.ingress ?? [];
const addressesOf = async (name: string) => ingressOf(await read(name)).map(({ ip }) => ip);
const has = (name: string, ...addresses: readonly string[]) =>
  eventually(async () => expect(await addressesOf(name)).toEqual(addresses));
const change = (name: string, body: object) =>
  client.patch(serviceType, { name, namespace: 'default' }, { kind: 'merge', body });
const changePool = (name: string, body: object) =>
  client.patch(ipAddressPoolKind, { name, namespace: 'default' }, { kind: 'merge', body });

describe('one controller', () => {
  test('a Service gets an address with its pool, and loses both when it is no load balancer any more', async () => {
    const { registry } = await lead();
    await make(pool('p', ['203.0.113.1-203.0.113.2']));
    await make(service('web'));
    await has('web', '203.0.113.1');
    const given = await read('web');
    expect(ingressOf(given)).toEqual([{ ip: '203.0.113.1', ipMode: 'VIP' }]);
    expect(given.metadata.annotations?.[from]).toBe('p');
    await eventually(async () =>
      expect(await kubectl.good('describe', 'service', 'web')).toMatch(
        /Normal\s+IPAllocated .*203\.0\.113\.1 of IPAddressPool p/,
      ),
    );
    await eventually(() =>
      expect(registry.text()).toContain('metallb_allocator_addresses_in_use_total{pool="p"} 1'),
    );
    expect(registry.text()).toContain('metallb_allocator_addresses_total{pool="p"} 2');
    expect(registry.text()).toContain('metallb_k8s_client_config_loaded_bool 1');
    await eventually(async () =>
      expect(await kubectl.good('get', 'ipaddresspools')).toMatch(
        /p\s+true\s+\["203.0.113.1-203.0.113.2"\]\s+1\s+1\s+0\s+True/,
      ),
    );
    await change('web', { spec: { type: 'ClusterIP' } });
    await has('web');
    await eventually(async () => expect((await read('web')).metadata.annotations?.[from]).toBeUndefined());
    await make(service('next'));
    await has('next', '203.0.113.1');
  });

  test('who waits says why, gets what comes free, and the pool says how full it is', async () => {
    const { registry } = await lead();
    await make(pool('p', ['203.0.113.1/32']));
    await make(service('a'));
    await has('a', '203.0.113.1');
    await make(service('b'));
    await eventually(async () =>
      expect(await kubectl.good('describe', 'service', 'b')).toMatch(
        /Warning\s+AllocationFailed .*no free IPv4 address in IPAddressPool p/,
      ),
    );
    await eventually(async () => {
      const text = await kubectl.good('describe', 'ipaddresspool', 'p');
      expect(text).toMatch(/Message:\s+all 1 IPv4 addresses are held; 1 Service waits/);
      expect(text).toMatch(/Warning\s+NoFreeAddress .*no address that they can have is free for 1 Service/);
    });
    expect(registry.text()).toContain('netloom_allocator_services_waiting{pool="p"} 1');
    await eventually(async () =>
      expect((await read('b'))['status']).toMatchObject({
        conditions: [
          {
            type: 'netloom.dev/AddressAllocated',
            status: 'False',
            reason: 'AllocationFailed',
            message: 'no free IPv4 address in IPAddressPool p',
          },
        ],
      }),
    );
    await make(service('c'));
    await eventually(async () => expect((await read('c'))['status']).toHaveProperty('conditions'));
    await change('c', { spec: { type: 'ClusterIP' } });
    await eventually(async () => expect((await read('c'))['status']).not.toHaveProperty('conditions'));
    await client.delete(serviceType, 'a', { namespace: 'default' });
    await has('b', '203.0.113.1');
    await eventually(async () =>
      expect(await kubectl.good('describe', 'service', 'b')).toMatch(
        /Normal\s+ProblemOver .*AllocationFailed/,
      ),
    );
  });

  test('a pool that is taken away under a Service leaves it what it has, and both say so', async () => {
    await lead();
    await make(pool('p', ['203.0.113.1-203.0.113.2']));
    await make(service('a'));
    await make(service('b'));
    await has('b', '203.0.113.2');
    await changePool('p', { spec: { addresses: ['203.0.113.2/32'] } });
    await eventually(async () => {
      expect(await kubectl.good('describe', 'service', 'a')).toMatch(
        /Warning\s+AddressKept .*203\.0\.113\.1 is no longer in IPAddressPool p/,
      );
      expect(await kubectl.good('describe', 'ipaddresspool', 'p')).toMatch(/Reason:\s+AddressKept/);
      const { conditions } = (await read('a'))['status'] as {
        conditions?: { type: string; status: string }[];
      };
      expect(conditions).toMatchObject([
        { type: 'netloom.dev/AddressInPool', status: 'False', reason: 'AddressKept' },
      ]);
    });
    await client.delete(ipAddressPoolKind, 'p', { namespace: 'default' });
    await eventually(async () =>
      expect(await kubectl.good('describe', 'service', 'b')).toMatch(
        /Warning\s+AddressKept .*203\.0\.113\.2 is no longer in/,
      ),
    );
    await make(pool('q', ['203.0.113.3/32']));
    await make(service('c'));
    await has('c', '203.0.113.3');
    await has('a', '203.0.113.1');
    await has('b', '203.0.113.2');
    await changePool('q', { spec: { addresses: ['203.0.113.0/29'] } });
    await eventually(async () => {
      const { conditions } = (await read('a'))['status'] as { conditions?: unknown[] };
      expect(conditions ?? []).toEqual([]);
    });
    await has('a', '203.0.113.1');
  });

  test('a Service whose annotations can not be read keeps what it has; a bad pool is told in ConfigurationState', async () => {
    const { registry } = await lead();
    await make(pool('p', ['203.0.113.1/32']));
    await make(pool('z-bad', ['198.51.100.0/30', 'x']));
    await make(service('a'));
    await has('a', '203.0.113.1');
    await change('a', { metadata: { annotations: { 'metallb.io/loadBalancerIPs': 'somewhere' } } });
    await eventually(async () =>
      expect(await kubectl.good('describe', 'service', 'a')).toMatch(
        /Warning\s+InvalidAddress .*"somewhere" is not an IP address/,
      ),
    );
    await has('a', '203.0.113.1');
    await eventually(async () => {
      const state = (await client.get(
        configurationStateKind,
        'controller',
        systemNamespace,
      )) as KubeObject & { status?: object };
      expect(state.status).toMatchObject({
        result: 'Invalid',
        errorSummary: expect.stringContaining(
          'IPAddressPool default/z-bad: spec.addresses[1]: "x" is no prefix, range a-b, or address',
        ),
      });
    });
    expect(registry.text()).toContain('metallb_k8s_client_config_stale_bool 1');
  });

  test('what is not ours is not touched: without a pool, and of another class', async () => {
    const { registry } = await lead();
    const made = await make(service('a', {}, { 'metallb.io/loadBalancerIPs': 'x' }));
    await make(service('other', { loadBalancerClass: 'example.com/other' }));
    const body = { status: { loadBalancer: { ingress: [{ ip: '198.51.100.0' }] } } };
    const target = { name: 'other', namespace: 'default', subresource: 'status' };
    const other = await client.patch<KubeObject>(serviceType, target, { kind: 'merge', body });
    // By the time that the rest of the controller tells of a Service that came later, nothing was written on this one.
    await make(service('late', { externalIPs: ['240.0.0.1'] }));
    await eventually(() =>
      expect(registry.text()).toMatch(/problems\{code="ForbiddenAddress",severity="error"\} 1/),
    );
    expect((await read('a')).metadata.resourceVersion).toBe(made.metadata.resourceVersion);
    expect(registry.text()).not.toContain('InvalidAddress');
    await make(pool('p', ['198.51.100.0/29']));
    await has('late', '198.51.100.0');
    await eventually(() =>
      expect(registry.text()).toMatch(/problems\{code="InvalidAddress",severity="error"\} 1/),
    );
    expect((await read('other')).metadata.resourceVersion).toBe(other.metadata.resourceVersion);
  });

  test('what another implementation gave stays until there is something to replace it', async () => {
    await lead();
    await make(service('a'));
    const body = { status: { loadBalancer: { ingress: [{ hostname: 'lb.example' }] } } };
    await client.patch(
      serviceType,
      { name: 'a', namespace: 'default', subresource: 'status' },
      { kind: 'merge', body },
    );
    await make(pool('p', ['203.0.113.1/32'], { autoAssign: false }));
    await make(service('b', {}, { 'metallb.io/address-pool': 'p' }));
    await has('b', '203.0.113.1');
    expect(ingressOf(await read('a'))).toEqual([{ hostname: 'lb.example' }]);
    await changePool('p', { spec: { addresses: ['203.0.113.1-203.0.113.2'], autoAssign: true } });
    await eventually(async () =>
      expect(ingressOf(await read('a'))).toEqual([{ ip: '203.0.113.2', ipMode: 'VIP' }]),
    );
  });

  test('with --load-balancer=off nothing is written', async () => {
    const { registry } = await lead('off');
    await make(pool('p', ['198.51.100.0/29']));
    await make(service('a', {}, { 'metallb.io/loadBalancerIPs': 'x' }));
    // The rest of the controller tells of another Service meanwhile, and not of this one's annotation.
    await make(service('b', { externalIPs: ['240.0.0.1'] }));
    await eventually(() =>
      expect(registry.text()).toContain('netloom_problems{code="ForbiddenAddress",severity="error"} 1'),
    );
    expect(registry.text()).not.toContain('InvalidAddress');
    expect(await addressesOf('b')).toEqual([]);
    expect(registry.text()).not.toContain('metallb_allocator_addresses_total{');
  });

  test('an address passes from one Service to another without being shown twice', async () => {
    await lead();
    await make(pool('p', ['203.0.113.1-203.0.113.2']));
    await make(service('a'));
    await make(service('b'));
    await has('b', '203.0.113.2');
    const watched = watchDoubled();
    const ask = (address: string) => ({
      metadata: { annotations: { 'metallb.io/loadBalancerIPs': address } },
    });
    await change('a', ask('203.0.113.2'));
    await change('b', ask('203.0.113.1'));
    await has('a', '203.0.113.2');
    await has('b', '203.0.113.1');
    expect(await watched.stop()).toEqual([]);
  });
});

/** Every moment at which two Services showed one address, as the API server's history tells it. */
function watchDoubled(): { stop(): Promise<readonly string[]> } {
  const shown = new Map<string, readonly string[]>();
  const doubled: string[] = [];
  const stopped = new AbortController();
  const own = newClient();
  const caches = startCaches(own, silentLog);
  const end = caches.services.onChange(({ key, new: seen }) => {
    const addresses = (seen?.balancer?.ingress ?? []).map((each) => (each as { ip: string }).ip);
    if (addresses.length === 0) shown.delete(key);
    else shown.set(key, addresses);
    for (const address of addresses)
      for (const [other, those] of shown)
        if (other !== key && those.includes(address)) doubled.push(`${address} ${key} ${other}`);
  });
  return {
    async stop() {
      stopped.abort();
      end();
      for (const cache of Object.values(caches)) cache.stop();
      own.close();
      return doubled;
    },
  };
}

describe('several controllers that all think they lead', () => {
  test('race, are killed and come back while pools and Services churn: no address is ever doubled or stolen', async () => {
    const random = mulberry(7);
    const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!;
    const watched = watchDoubled();
    const held = new Map<string, string>();
    const stolen: string[] = [];
    await make(pool('p', ['10.1.0.1-10.1.0.12']));
    const shapes = [
      ['10.1.0.1-10.1.0.12'],
      ['10.1.0.5-10.1.0.9'],
      ['10.1.0.1-10.1.0.3', '10.1.0.10-10.1.0.14'],
    ];
    /** Between a decision and its write this process stands still for a moment. */
    const starved = (own: Client): Client => ({
      ...own,
      async patch(...call) {
        await sleep(random() * 60);
        return own.patch(...call);
      },
    });
    const alive = [await lead('serve', starved), await lead('serve', starved)];
    const names = Array.from({ length: 16 }, (_, index) => `s${index}`);
    /** Wishes never change here: who has an address must keep it for as long as it lives. */
    const look = async (): Promise<void> => {
      for (const object of (await client.list(serviceType, { namespace: 'default' })).items) {
        const { uid = '' } = object.metadata;
        const [ip] = ingressOf(object).map((each) => each.ip);
        const before = held.get(uid);
        if (before !== undefined && before !== ip)
          stolen.push(`${object.metadata.name}: ${before} became ${ip}`);
        if (ip !== undefined) held.set(uid, ip);
      }
    };
    const churn = async (name: string, isWanted: boolean): Promise<void> => {
      try {
        if (isWanted) await make(service(name));
        else await client.delete(serviceType, name, { namespace: 'default' });
      } catch (error) {
        if (!isNotFound(error) && !isAlreadyExists(error)) throw error;
      }
    };
    for (let round = 0; round < 60; round += 1) {
      // Names against the order of creation: who sees some of a burst decides otherwise than who sees it all.
      const burst = Array.from({ length: 4 }, () => pick(names))
        .sort()
        .reverse();
      await Promise.all(burst.map((name) => churn(name, random() < 0.6)));
      if (round % 6 === 3) await changePool('p', { spec: { addresses: pick(shapes) } });
      if (round % 4 === 3) {
        const [victim] = alive.splice(Math.floor(random() * alive.length), 1);
        await victim?.stop();
        alive.push(await lead('serve', starved));
      }
      await look();
    }
    await changePool('p', { spec: { addresses: ['10.1.0.1-10.1.0.40'] } });
    await eventually(async () => {
      const items = (await client.list(serviceType, { namespace: 'default' })).items.filter(({ metadata }) =>
        metadata.name.startsWith('s'),
      );
      expect(items.map((item) => ingressOf(item).length)).toEqual(items.map(() => 1));
      expect(new Set(items.flatMap((item) => ingressOf(item).map(({ ip }) => ip))).size).toBe(items.length);
    }, 20_000);
    await look();
    expect(stolen).toEqual([]);
    expect(await watched.stop()).toEqual([]);
    const stored = (await client.get(ipAddressPoolKind, 'p', 'default')) as IPAddressPool;
    expect(stored.spec.addresses).toEqual(['10.1.0.1-10.1.0.40']);
  }, 90_000);
});

function mulberry(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
