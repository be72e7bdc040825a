/** Gateways against the lab's API server: what a user sees of an instance and of statuses, and what its pods are told. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { ingressClassType, ingressType, namespaceType, podType, secretType, serviceType } from '#api/core.ts';
import { crdOf } from '#api/crd.ts';
import { albKind } from '#api/kinds/alb.ts';
import { alb2Kind } from '#api/kinds/alb2.ts';
import { frontendKind } from '#api/kinds/frontend.ts';
import { gatewayKind } from '#api/kinds/gateway.ts';
import { gatewayClassKind } from '#api/kinds/gatewayclass.ts';
import { gatewayGroup } from '#api/kinds/gatewayparts.ts';
import { httpRouteKind } from '#api/kinds/httproute.ts';
import { referenceGrantKind } from '#api/kinds/referencegrant.ts';
import { ruleKind } from '#api/kinds/rule.ts';
import { kinds } from '#api/kinds.ts';
import { apiVersionOf, type KubeObject, type ResourceType } from '#api/object.ts';
import { controllerName } from '#compile/gateway/types.ts';
import { type Client, createClient } from '#kube/client.ts';
import { makeCertificate } from '#lab/apiserver/certificate.ts';
import { testServer } from '#lab/apiserver/testing.ts';
import { eventually } from '#lab/eventually.ts';
import { silentLog } from '#telemetry/log.ts';
import { createRegistry, type Registry } from '#telemetry/metrics.ts';
import { boundClient } from './bound-client.ts';
import { createFakePod, type FakePod } from './fake.ts';
import { createGateways } from './gateways.ts';
import { configMapType, deploymentType, disruptionBudgetType } from './kinds.ts';
import { instanceComponent } from './names.ts';

let stage: Stage;
let leader: ReturnType<Stage['lead']>;

beforeAll(async () => {
  stage = await openStage();
}, 60_000);
afterEach(() => leader?.stop());
afterAll(() => stage?.close());

const gatewayClassName = 'netloom';
const spec = (...listeners: readonly object[]) => ({ gatewayClassName, listeners });
const seen = <T>(read: () => Promise<T>, check: (value: T) => void) =>
  eventually(async () => check(await read()), 10_000);
const isGone = (type: Parameters<Stage['read']>[0], name: string) =>
  eventually(() => expect(stage.read(type, name)).rejects.toMatchObject({ code: 404 }));
const portsOf = async (service: string) =>
  ((await stage.read(types.service, service))['spec'] as { ports: { port: number; targetPort: number }[] })
    .ports;

/** A Gateway with a pod and an address. */
async function running(name: string, address: string, ...listeners: readonly object[]) {
  await stage.make(types.gateway, name, spec(...listeners));
  await eventually(() => stage.read(types.service, `${name}-netloom`));
  const pod = await stage.addPod(`${name}-netloom`, `${name}-pod`, address);
  await stage.giveAddress(`${name}-netloom`, `192.0.2.${address.split('.')[3]}`);
  await seen(
    () => stage.read(types.gateway, name),
    (gateway) => expect(conditionsOf(gateway)).toMatchObject({ Programmed: 'True/Programmed' }),
  );
  return pod;
}

describe('a Gateway', () => {
  test('becomes objects of its own, says what it waits for, and is programmed once a pod serves it', async () => {
    leader = stage.lead();
    await stage.make(types.gateway, 'web', {
      ...spec(listener('http', 80)),
      infrastructure: { labels: { team: 'shop' }, annotations: { 'example.com/cost': '7' } },
    });
    await seen(
      () => stage.read(types.gateway, 'web'),
      (gateway) => {
        expect(conditionsOf(gateway)).toMatchObject({ Accepted: 'True/Accepted' });
        expect(conditionsOf(gateway)['Programmed']).toMatch(/^False/);
        expect(messageOf(gateway, 'Programmed')).toContain('no pod of Deployment web-netloom is ready');
      },
    );
    for (const [type, name] of [
      [types.deployment, 'web-netloom'],
      [types.service, 'web-netloom'],
      [types.secret, 'web-netloom-feed'],
    ] as const) {
      const { metadata } = await stage.read(type, name);
      expect(metadata.labels).toMatchObject({
        team: 'shop',
        'gateway.networking.k8s.io/gateway-name': 'web',
        'gateway.networking.k8s.io/gateway-class-name': 'netloom',
      });
      expect(metadata.annotations).toMatchObject({ 'example.com/cost': '7' });
      expect(metadata.ownerReferences).toMatchObject([{ kind: 'Gateway', name: 'web', controller: true }]);
    }
    expect(await portsOf('web-netloom')).toMatchObject([{ port: 80, targetPort: 10_000 }]);
    const pod = await stage.addPod('web-netloom', 'web-pod', '10.0.0.1');
    await seen(
      () => stage.read(types.gateway, 'web'),
      (gateway) =>
        expect(messageOf(gateway, 'Programmed')).toContain('Service web-netloom has no address yet'),
    );
    await stage.giveAddress('web-netloom', '192.0.2.1');
    await seen(
      () => stage.read(types.gateway, 'web'),
      (gateway) => {
        expect(conditionsOf(gateway)).toMatchObject({ Programmed: 'True/Programmed' });
        expect(gateway['status']).toMatchObject({ addresses: [{ type: 'IPAddress', value: '192.0.2.1' }] });
      },
    );
    expect(pod.held('ports')).toMatchObject({ 'tcp/80': { kind: 'http', slot: 0 } });
    expect(leader.registry.text()).toContain('netloom_gateway_instances 1');
    await stage.client.delete(types.gateway, 'web', { namespace: 'default' });
    await isGone(types.deployment, 'web-netloom');
    await isGone(types.service, 'web-netloom');
    await eventually(() => expect(leader.registry.text()).toContain('netloom_gateway_instances 0'));
  });

  test('a route reaches the pod with its edit, and is told what became of it', async () => {
    leader = stage.lead();
    const pod = await running('routed', '10.0.0.2', listener('http', 80));
    await stage.make(types.service, 'echo', { selector: { app: 'echo' }, ports: [{ port: 80 }] });
    await stage.make(types.route, 'r', routeSpec('routed', '/a'));
    await eventually(() => expect(JSON.stringify(pod.held('rules'))).toContain('"/a"'));
    await seen(
      () => stage.read(types.route, 'r'),
      (route) => {
        const { parents } = route['status'] as { parents: { controllerName: string; conditions: [] }[] };
        expect(parents).toMatchObject([{ controllerName: 'netloom.dev/gateway' }]);
        expect(conditionsOf(parents[0]!)).toMatchObject({
          Accepted: 'True/Accepted',
          ResolvedRefs: 'True/ResolvedRefs',
        });
      },
    );
    await stage.change(types.route, 'r', { spec: routeSpec('routed', '/b') });
    await eventually(() => expect(JSON.stringify(pod.held('rules'))).toContain('"/b"'));
    expect(JSON.stringify(pod.held('rules'))).not.toContain('"/a"');
    await seen(
      () => stage.read(types.route, 'r'),
      (route) =>
        expect(JSON.stringify(route['status'])).toContain(
          `"observedGeneration":${route.metadata.generation}`,
        ),
    );
    await stage.client.delete(types.route, 'r', { namespace: 'default' });
    await eventually(() => expect(pod.held('rules')).toEqual({}));
  });

  test('what others change of its objects is put right, and its key stays', async () => {
    leader = stage.lead();
    await running('healed', '10.0.0.3', listener('http', 80));
    const before = (await stage.read(types.secret, 'healed-netloom-feed'))['data'];
    await stage.change(types.service, 'healed-netloom', { spec: { selector: { app: 'stolen' } } });
    await seen(
      () => stage.read(types.service, 'healed-netloom'),
      (service) =>
        expect(service['spec']).toMatchObject({
          selector: { 'app.kubernetes.io/instance': 'healed-netloom' },
        }),
    );
    const { uid } = (await stage.read(types.deployment, 'healed-netloom')).metadata;
    await stage.client.delete(types.deployment, 'healed-netloom', { namespace: 'default' });
    await seen(
      () => stage.read(types.deployment, 'healed-netloom'),
      (deployment) => expect(deployment.metadata.uid).not.toBe(uid),
    );
    expect((await stage.read(types.secret, 'healed-netloom-feed'))['data']).toEqual(before);
  });

  test('takes over no object of its name', async () => {
    leader = stage.lead();
    await stage.make(types.service, 'taken-netloom', { selector: { app: 'x' }, ports: [{ port: 1 }] });
    await stage.make(types.gateway, 'taken', spec(listener('http', 80)));
    await seen(
      () => stage.read(types.gateway, 'taken'),
      (gateway) =>
        expect(messageOf(gateway, 'Programmed')).toContain(
          "Service taken-netloom in namespace default is not this Gateway's",
        ),
    );
    expect(await portsOf('taken-netloom')).toMatchObject([{ port: 1 }]);
  });

  test('of two that come to one name the first has the instance, and its pods are told', async () => {
    leader = stage.lead();
    await running('x-y', '10.0.0.62', listener('http', 80));
    await stage.make(types.class, 'y-netloom', { controllerName });
    await stage.make(types.gateway, 'x', {
      gatewayClassName: 'y-netloom',
      listeners: [listener('other', 81)],
    });
    await seen(
      () => stage.read(types.gateway, 'x'),
      (gateway) => expect(messageOf(gateway, 'Programmed')).toContain("is not this Gateway's"),
    );
    const pod = await stage.addPod('x-y-netloom', 'x-y-second', '10.0.0.63');
    await eventually(() => expect(Object.keys(pod.held('listeners'))).toEqual(['gateway/default/x-y/http']));
  });

  test('follows its parameters, and keeps what it has while they are wrong', async () => {
    leader = stage.lead();
    const infrastructure = { parametersRef: { group: '', kind: 'ConfigMap', name: 'size' } };
    await stage.make(types.gateway, 'sized', { ...spec(listener('http', 80)), infrastructure });
    const accepted = (text: string, message = '') =>
      seen(
        () => stage.read(types.gateway, 'sized'),
        (gateway) => {
          expect(conditionsOf(gateway)['Accepted']).toBe(text);
          expect(messageOf(gateway, 'Accepted')).toContain(message);
        },
      );
    await accepted('False/InvalidParameters', 'there is no ConfigMap default/size');
    await stage.make(types.configMap, 'size', {}, { data: { replicas: '2', serviceType: 'ClusterIP' } });
    await accepted('True/Accepted');
    await seen(
      () => stage.read(types.deployment, 'sized-netloom'),
      (deployment) => expect(deployment['spec']).toMatchObject({ replicas: 2 }),
    );
    await eventually(() => stage.read(disruptionBudgetType, 'sized-netloom'));
    await stage.change(types.configMap, 'size', { data: { replicas: 'many' } });
    await accepted('False/InvalidParameters', 'replicas: "many"');
    expect((await stage.read(types.deployment, 'sized-netloom'))['spec']).toMatchObject({ replicas: 2 });
    await stage.change(types.configMap, 'size', { data: { replicas: '1' } });
    await accepted('True/Accepted');
    await isGone(disruptionBudgetType, 'sized-netloom');
    for (const type of ['LoadBalancer', 'NodePort', 'ClusterIP', 'LoadBalancer']) {
      await stage.change(types.configMap, 'size', { data: { serviceType: type } });
      await seen(
        () => stage.read(types.service, 'sized-netloom'),
        (service) => expect(service['spec']).toMatchObject({ type }),
      );
    }
  });

  test('a port of its Service leads to a socket only when its pods serve it there', async () => {
    leader = stage.lead();
    const pod = await running('ordered', '10.0.0.4', listener('http', 80));
    const gate = Promise.withResolvers<void>();
    pod.hold(gate.promise);
    await stage.change(types.gateway, 'ordered', {
      spec: spec(listener('http', 80), listener('more', 8080)),
    });
    await eventually(() => expect(pod.told.length).toBeGreaterThan(0));
    expect(await portsOf('ordered-netloom')).toHaveLength(1);
    gate.resolve();
    await eventually(async () => expect(await portsOf('ordered-netloom')).toHaveLength(2));
    expect(pod.held('ports')).toHaveProperty(['tcp/8080']);
  });

  test('a certificate comes, is renewed, and goes with what refers to it', async () => {
    let failing = 0;
    leader = stage.lead((client) => ({
      ...client,
      get: (type, name, ...rest) =>
        name === 'cert' && failing-- > 0
          ? Promise.reject(new Error('the server is busy'))
          : client.get(type, name, ...rest),
    }));
    const tls = { mode: 'Terminate', certificateRefs: [{ name: 'cert' }] };
    const pod = await running('secured', '10.0.0.8', listener('http', 80));
    const https = listener('https', 443, { protocol: 'HTTPS', tls });
    await stage.change(types.gateway, 'secured', { spec: spec(listener('http', 80), https) });
    const listenerConditions = async (): Promise<Readonly<Record<string, string>>> => {
      const { listeners } = (await stage.read(types.gateway, 'secured'))['status'] as {
        listeners: { name: string }[];
      };
      return conditionsOf(listeners.find(({ name }) => name === 'https') ?? {});
    };
    await seen(listenerConditions, (conditions) =>
      expect(conditions['ResolvedRefs']).toBe('False/InvalidCertificateRef'),
    );
    const pair = (): object => {
      const names = ['secured.example'];
      const dates = { notBefore: new Date(0), notAfter: new Date('2100-01-01') };
      const { certificate, key } = makeCertificate(
        { use: 'server', commonName: 'x', names, ...dates },
        authority,
      );
      return { 'tls.crt': btoa(certificate), 'tls.key': btoa(key) };
    };
    const authority = makeCertificate({
      use: 'authority',
      commonName: 'test',
      notBefore: new Date(0),
      notAfter: new Date('2100-01-01'),
    });
    await stage.make(types.secret, 'cert', {}, { type: 'kubernetes.io/tls', data: pair() });
    await seen(listenerConditions, (conditions) =>
      expect(conditions).toMatchObject({ ResolvedRefs: 'True/ResolvedRefs', Programmed: 'True/Programmed' }),
    );
    const first = JSON.stringify(pod.held('certificates'));
    expect(first).toContain('secured.example');
    await stage.change(types.secret, 'cert', { data: pair() });
    await eventually(() => expect(JSON.stringify(pod.held('certificates'))).not.toBe(first));
    await stage.change(types.gateway, 'secured', { spec: spec(listener('http', 80)) });
    await eventually(() => expect(pod.held('certificates')).toEqual({}));
    // Of what nobody refers to only the version is kept: it is read again, however often that fails.
    await stage.change(types.secret, 'cert', { data: pair() });
    failing = 3;
    await stage.change(types.gateway, 'secured', { spec: spec(listener('http', 80), https) });
    await eventually(() => expect(JSON.stringify(pod.held('certificates'))).toContain('secured.example'));
    expect(failing).toBeLessThan(0);
    // Of another type it is watched by its name.
    const before = JSON.stringify(pod.held('certificates'));
    await stage.make(types.secret, 'opaque', {}, { type: 'Opaque', data: pair() });
    const opaque = { ...https, tls: { mode: 'Terminate', certificateRefs: [{ name: 'opaque' }] } };
    await stage.change(types.gateway, 'secured', { spec: spec(listener('http', 80), opaque) });
    await eventually(() => {
      const held = JSON.stringify(pod.held('certificates'));
      expect(held).not.toBe(before);
      expect(held).toContain('secured.example');
    });
  });

  test('a certificate of another namespace is shown only while that permits it', async () => {
    leader = stage.lead();
    await stage.client.create(types.namespace, {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: 'vault' },
    });
    const dates = { notBefore: new Date(0), notAfter: new Date('2100-01-01') };
    const authority = makeCertificate({ use: 'authority', commonName: 'test', ...dates });
    const pair = makeCertificate(
      { use: 'server', commonName: 'x', names: ['x.example'], ...dates },
      authority,
    );
    await stage.client.create(types.secret, {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'cert', namespace: 'vault' },
      type: 'kubernetes.io/tls',
      data: { 'tls.crt': btoa(pair.certificate), 'tls.key': btoa(pair.key) },
    });
    const certificateRefs = [{ name: 'cert', namespace: 'vault' }];
    const https = listener('https', 443, { protocol: 'HTTPS', tls: { mode: 'Terminate', certificateRefs } });
    await stage.make(types.gateway, 'borrower', spec(https));
    const resolved = (text: string) =>
      seen(
        () => stage.read(types.gateway, 'borrower'),
        (gateway) => {
          const { listeners = [] } = gateway['status'] as {
            listeners?: Parameters<typeof conditionsOf>[0][];
          };
          expect(conditionsOf(listeners[0] ?? {})['ResolvedRefs']).toBe(text);
        },
      );
    await resolved('False/RefNotPermitted');
    for (let round = 0; round < 2; round += 1) {
      await stage.client.create(referenceGrantKind, {
        apiVersion: apiVersionOf(referenceGrantKind),
        kind: 'ReferenceGrant',
        metadata: { name: 'lend', namespace: 'vault' },
        spec: {
          from: [{ group: gatewayGroup, kind: 'Gateway', namespace: 'default' }],
          to: [{ group: '', kind: 'Secret' }],
        },
      });
      await resolved('True/ResolvedRefs');
      await stage.client.delete(referenceGrantKind, 'lend', { namespace: 'vault' });
      await resolved('False/RefNotPermitted');
    }
  });

  test('says when its pod takes nothing more, and when it does again', async () => {
    leader = stage.lead();
    const pod = await running('deaf', '10.0.0.9', listener('http', 80));
    const programmed = (text: string, message: string) =>
      seen(
        () => stage.read(types.gateway, 'deaf'),
        (gateway) => {
          expect(conditionsOf(gateway)['Programmed']).toBe(text);
          expect(messageOf(gateway, 'Programmed')).toContain(message);
        },
      );
    pod.deaf(true);
    await stage.make(types.route, 'unheard', routeSpec('deaf', '/unheard'));
    await programmed('False/Pending', 'no pod of Deployment deaf-netloom has taken what it is to serve');
    pod.deaf(false);
    await programmed('True/Programmed', '');
    expect(JSON.stringify(pod.held('rules'))).toContain('/unheard');
  });

  test('keeps its class from being deleted', async () => {
    leader = stage.lead();
    const className = 'kept';
    await stage.make(types.class, className, { controllerName });
    await stage.make(types.gateway, 'keeper', { ...spec(listener('http', 80)), gatewayClassName: className });
    const finalizers = async () => (await stage.read(types.class, className)).metadata.finalizers ?? [];
    await seen(finalizers, (list) => expect(list).toHaveLength(1));
    await stage.client.delete(types.class, className);
    await stage.read(types.class, className);
    await stage.client.delete(types.gateway, 'keeper', { namespace: 'default' });
    await isGone(types.class, className);
  });

  test('of another controller costs nothing and is told nothing', async () => {
    leader = stage.lead();
    await stage.make(types.class, 'other', { controllerName: 'example.com/other' });
    await stage.make(types.gateway, 'theirs', { ...spec(listener('http', 80)), gatewayClassName: 'other' });
    await running('ours', '10.0.0.5', listener('http', 80));
    await expect(stage.read(types.deployment, 'theirs-other')).rejects.toMatchObject({ code: 404 });
    const { conditions = [] } = (await stage.read(types.gateway, 'theirs'))['status'] as { conditions?: [] };
    for (const condition of conditions) expect(condition).toMatchObject({ status: 'Unknown' });
  });
});

describe('an ALB', () => {
  const albSpec = (more: object = {}) => ({ https: { port: 0 }, ...more });

  test('becomes an instance, which a Gateway that had its own may share', async () => {
    leader = stage.lead();
    await stage.make(types.gateway, 'joins', spec(listener('own', 8080)));
    await eventually(() => stage.read(types.service, 'joins-netloom'));
    await stage.make(
      types.alb,
      'lb',
      albSpec({
        replicas: 2,
        network: { addresses: ['192.0.2.77'], loadBalancerClass: 'x.example/a', annotations: { 'x/y': 'z' } },
        resources: { limits: { memory: '2Gi' } },
        nodeSelector: { edge: 'true' },
        tolerations: [{ key: 'edge', operator: 'Exists' }],
      }),
    );
    await eventually(() => stage.read(types.service, 'lb-alb'));
    expect(await stage.read(types.service, 'lb-alb')).toMatchObject({
      metadata: {
        annotations: { 'metallb.io/loadBalancerIPs': '192.0.2.77', 'x/y': 'z' },
        labels: { 'netloom.dev/alb': 'lb' },
        ownerReferences: [{ apiVersion: 'netloom.dev/v1alpha1', kind: 'ALB', name: 'lb' }],
      },
      spec: { type: 'LoadBalancer', loadBalancerClass: 'x.example/a', ports: [{ port: 80 }] },
    });
    const { spec: deployed } = await stage.read(types.deployment, 'lb-alb');
    expect(deployed).toMatchObject({
      replicas: 2,
      template: { spec: { nodeSelector: { edge: 'true' }, containers: [{ resources: { limits: {} } }, {}] } },
    });
    expect(JSON.stringify(deployed)).toContain('{"key":"edge","operator":"Exists"}');
    const pod = await stage.addPod('lb-alb', 'lb-pod', '10.0.1.1');
    await stage.giveAddress('lb-alb', '192.0.2.77');
    const infrastructure = { parametersRef: { group: 'netloom.dev', kind: 'ALB', name: 'lb' } };
    await stage.change(types.gateway, 'joins', { spec: { infrastructure } });
    await isGone(types.service, 'joins-netloom');
    await isGone(types.deployment, 'joins-netloom');
    await eventually(() => expect(Object.keys(pod.held('ports'))).toEqual(['tcp/80', 'tcp/8080']));
    for (const [type, name] of [
      [types.gateway, 'joins'],
      [types.alb, 'lb'],
    ] as const)
      await seen(
        () => stage.read(type, name),
        (object) => {
          expect(conditionsOf(object)).toMatchObject({ Programmed: 'True/Programmed' });
          expect(object['status']).toMatchObject({ addresses: [{ value: '192.0.2.77' }] });
        },
      );
    await seen(
      () => stage.read(types.alb, 'lb'),
      (alb) => expect(alb['status']).toMatchObject({ gateways: 1, attachedRoutes: 0 }),
    );
    await stage.make(
      types.route,
      'of-alb',
      routeSpec('lb', '/', 'echo', 80, { group: 'netloom.dev', kind: 'ALB' }),
    );
    await seen(
      () => stage.read(types.route, 'of-alb'),
      (route) =>
        expect(JSON.stringify(route['status'])).toMatch(
          /"parentRef":\{"group":"netloom.dev","kind":"ALB","name":"lb"\}/,
        ),
    );
    await stage.change(types.gateway, 'joins', { spec: { infrastructure: null } });
    await eventually(() => stage.read(types.service, 'joins-netloom'));
    await eventually(() => expect(Object.keys(pod.held('ports'))).toEqual(['tcp/80']));
    await stage.change(types.alb, 'lb', { spec: { network: { loadBalancerClass: 'x.example/b' } } });
    await seen(
      () => stage.read(types.service, 'lb-alb'),
      (service) => expect(service['spec']).toMatchObject({ loadBalancerClass: 'x.example/b' }),
    );
    await stage.client.delete(types.alb, 'lb', { namespace: 'default' });
    await isGone(types.deployment, 'lb-alb');
  });

  test('that is not there serves nothing, and neither does what a Gateway had before it asked for it', async () => {
    leader = stage.lead();
    await running('asks', '10.0.1.31', listener('http', 80));
    const infrastructure = { parametersRef: { group: 'netloom.dev', kind: 'ALB', name: 'none' } };
    await stage.change(types.gateway, 'asks', { spec: { infrastructure } });
    await isGone(types.service, 'asks-netloom');
    await isGone(types.deployment, 'asks-netloom');
    await seen(
      () => stage.read(types.gateway, 'asks'),
      (gateway) => expect(conditionsOf(gateway)).toMatchObject({ Accepted: 'False/InvalidParameters' }),
    );
    await stage.change(types.gateway, 'asks', { spec: { infrastructure: null } });
    await eventually(() => stage.read(types.service, 'asks-netloom'));
    await stage.client.delete(types.gateway, 'asks', { namespace: 'default' });
    await isGone(types.deployment, 'asks-netloom');
  });

  test('is what an ALB2 becomes', async () => {
    leader = stage.lead();
    await stage.make(
      types.alb2,
      'old',
      { type: 'nginx', config: { networkMode: 'container', replicas: 2, vip: { enableLbSvc: true } } },
      { metadata: { name: 'old', namespace: 'default', annotations: { 'netloom.dev/serve': 'true' } } },
    );
    await stage.make(
      types.frontend,
      'old-00080',
      { port: 80, protocol: 'http' },
      {
        metadata: { name: 'old-00080', namespace: 'default', labels: { 'alb2.cpaas.io/name': 'old' } },
      },
    );
    await eventually(async () => expect(await portsOf('old-alb2')).toMatchObject([{ port: 80 }]));
    expect(await stage.read(types.deployment, 'old-alb2')).toMatchObject({
      metadata: { ownerReferences: [{ apiVersion: 'crd.alauda.io/v2beta1', kind: 'ALB2', name: 'old' }] },
      spec: { replicas: 2 },
    });
    const pod = await stage.addPod('old-alb2', 'old-pod', '10.0.1.19');
    await stage.giveAddress('old-alb2', '192.0.2.79');
    await eventually(() => expect(Object.keys(pod.held('ports'))).toContain('tcp/80'));
    await seen(
      () => stage.read(types.alb2, 'old'),
      (alb2) => expect(JSON.stringify(alb2['status'])).toContain('192.0.2.79'),
    );
    const labelled = (name: string, labels: Readonly<Record<string, string>>) => ({
      metadata: { name, namespace: 'default', labels },
    });
    const ofRule = { 'alb2.cpaas.io/frontend': 'old-00080' };
    const ofOther = { 'alb2.cpaas.io/name': 'another' };
    const bogus = { port: 8090, protocol: 'bogus' };
    await stage.make(types.rule, 'by-dsl', { dsl: '(EQ HOST a.example)' }, labelled('by-dsl', ofRule));
    await stage.make(types.rule, 'empty', { dslx: [] }, labelled('empty', ofRule));
    await stage.make(types.frontend, 'bogus', bogus, labelled('bogus', { 'alb2.cpaas.io/name': 'old' }));
    await stage.make(types.frontend, 'foreign', bogus, labelled('foreign', ofOther));
    await eventually(() =>
      expect(leader.problems()).toMatchObject([
        { object: { kind: 'Rule', name: 'by-dsl' }, field: 'spec.dslx', code: 'Required' },
        { object: { kind: 'Rule', name: 'empty' }, field: 'spec.dslx', code: 'Required' },
        { object: { kind: 'Frontend', name: 'bogus' }, field: 'spec.protocol' },
      ]),
    );
    await stage.client.delete(types.alb2, 'old', { namespace: 'default' });
    await isGone(types.deployment, 'old-alb2');
    await eventually(() => expect(leader.problems()).toEqual([]));
  });

  test('serves the Ingresses of its class, which hear of it', async () => {
    leader = stage.lead();
    await stage.make(types.alb, 'front', albSpec({ ingressClass: { name: 'front', default: true } }));
    await seen(
      () => stage.read(types.ingressClass, 'front'),
      (object) =>
        expect(object).toMatchObject({
          metadata: { annotations: { 'ingressclass.kubernetes.io/is-default-class': 'true' } },
          spec: { controller: 'netloom.dev/ingress', parameters: { kind: 'ALB', name: 'front' } },
        }),
    );
    await eventually(() => stage.read(types.service, 'front-alb'));
    const pod = await stage.addPod('front-alb', 'front-pod', '10.0.1.9');
    await stage.giveAddress('front-alb', '192.0.2.78');
    const backend = { service: { name: 'echo', port: { number: 80 } } };
    await stage.make(
      types.ingress,
      'shop',
      {
        ingressClassName: 'front',
        rules: [{ host: 'shop.example', http: { paths: [{ path: '/', pathType: 'Prefix', backend }] } }],
      },
      {
        metadata: {
          name: 'shop',
          namespace: 'default',
          annotations: { 'nginx.ingress.kubernetes.io/server-snippet': 'add_header X-A b;' },
        },
      },
    );
    const address = { loadBalancer: { ingress: [{ ip: '192.0.2.78' }] } };
    await seen(
      () => stage.read(types.ingress, 'shop'),
      (object) => expect(object['status']).toMatchObject(address),
    );
    expect(JSON.stringify(pod.held('rules'))).toContain('shop.example');
    await eventually(() =>
      expect(leader.problems()).toContainEqual(
        expect.objectContaining({
          object: { kind: 'Ingress', namespace: 'default', name: 'shop' },
          field: 'metadata.annotations[nginx.ingress.kubernetes.io/server-snippet]',
          code: 'AnnotationRefused',
        }),
      ),
    );
    await stage.change(types.ingress, 'shop', { spec: { ingressClassName: 'other' } });
    await seen(
      () => stage.read(types.ingress, 'shop'),
      (object) => expect(JSON.stringify(object['status'])).not.toContain('192.0.2.78'),
    );
    await eventually(() => expect(pod.held('rules')).toEqual({}));
    await stage.client.delete(types.alb, 'front', { namespace: 'default' });
    await isGone(types.deployment, 'front-alb');
  });

  test('its IngressClass goes with it, or to the next that asks for it, and nobody else loses one', async () => {
    leader = stage.lead();
    const front = (isDefault = false) => albSpec({ ingressClass: { name: 'shared', default: isDefault } });
    const ofALB = (name: string, isDefault?: string) => (object: KubeObject) => {
      expect(object).toMatchObject({ spec: { parameters: { kind: 'ALB', name } } });
      const { annotations = {} } = object.metadata;
      expect(annotations['ingressclass.kubernetes.io/is-default-class']).toBe(isDefault);
    };
    const shared = () => stage.read(types.ingressClass, 'shared');
    const parameters = { apiGroup: 'netloom.dev', kind: 'ALB', scope: 'Namespace', namespace: 'default' };
    const controller = 'netloom.dev/ingress';
    await stage.make(types.ingressClass, 'theirs', { controller: 'example.com/other' });
    await stage.make(types.ingressClass, 'own', { controller, parameters: { ...parameters, name: 'first' } });
    await stage.make(types.alb, 'first', front());
    await seen(shared, ofALB('first'));
    await stage.make(types.alb, 'second', front(true));
    await stage.make(types.alb, 'third', albSpec({ ingressClass: { name: 'theirs' } }));
    await stage.make(types.alb, 'fourth', albSpec({ ingressClass: { name: 'own' } }));
    await stage.make(types.alb, 'fifth', albSpec({ ingressClass: { name: 'taken' } }));
    await stage.change(types.alb, 'first', { spec: { ingressClass: { default: true } } });
    await seen(shared, ofALB('first', 'true'));
    await stage.client.delete(types.alb, 'first', { namespace: 'default' });
    await seen(shared, ofALB('second', 'true'));
    // Somebody else says by its parameters whom it leads to from now on.
    await eventually(() => stage.read(types.ingressClass, 'taken'));
    await stage.client.patch(
      types.ingressClass,
      { name: 'taken' },
      { kind: 'merge', body: { spec: { parameters: { name: 'third' } } } },
    );
    await leader.stop();
    for (const name of ['third', 'fourth', 'fifth'])
      await stage.client.delete(types.alb, name, { namespace: 'default' });
    await stage.change(types.alb, 'second', { spec: { ingressClass: null } });
    leader = stage.lead();
    await isGone(types.ingressClass, 'shared');
    for (const name of ['theirs', 'own', 'taken']) await stage.read(types.ingressClass, name);
    for (const name of ['theirs', 'own', 'taken']) await stage.client.delete(types.ingressClass, name);
    await stage.client.delete(types.alb, 'second', { namespace: 'default' });
  });

  test('is reached in another way as soon as it says so', async () => {
    leader = stage.lead();
    const mode = (name: string) => stage.change(types.alb, 'moves', { spec: { network: { mode: name } } });
    const service = () => stage.read(types.service, 'moves-alb');
    const addresses = async () => JSON.stringify((await stage.read(types.alb, 'moves'))['status'] ?? {});
    await stage.make(types.alb, 'moves', albSpec({ http: { port: 8088 } }));
    await eventually(service);
    const pod = await stage.addPod('moves-alb', 'moves-pod', '10.0.1.41', '198.51.100.9');
    await stage.giveAddress('moves-alb', '192.0.2.88');
    await seen(addresses, (text) => expect(text).toContain('192.0.2.88'));
    await mode('HostNetwork');
    await seen(service, ({ spec }) => expect(spec).toMatchObject({ loadBalancerClass: 'netloom.dev/nodes' }));
    await seen(addresses, (text) => {
      expect(text).toContain('198.51.100.9');
      expect(text).not.toContain('192.0.2.88');
    });
    for (const type of ['ClusterIP', 'NodePort']) {
      await mode(type);
      await seen(service, ({ spec }) => {
        expect(spec).toMatchObject({ type });
        expect(spec).not.toHaveProperty('loadBalancerClass');
      });
      await seen(addresses, (text) => expect(text).not.toContain('198.51.100.9'));
    }
    await mode('HostNetwork');
    await seen(addresses, (text) => expect(text).toContain('198.51.100.9'));
    await mode('LoadBalancer');
    await seen(service, ({ spec }) => {
      expect(spec).toMatchObject({ type: 'LoadBalancer' });
      expect(spec).not.toHaveProperty('loadBalancerClass');
    });
    await seen(addresses, (text) => expect(text).not.toContain('198.51.100.9'));
    expect(Object.keys(pod.held('ports'))).toEqual(['tcp/8088']);
    await stage.client.delete(types.alb, 'moves', { namespace: 'default' });
    await isGone(types.deployment, 'moves-alb');
  });

  test('with HostNetwork has the addresses of its nodes, unless an older one has a port there', async () => {
    leader = stage.lead();
    const network = { mode: 'HostNetwork' };
    const address = (name: string) => async () => (await stage.read(types.alb, name)) as KubeObject;
    const running = async (name: string, port: number, pod: string, node: string) => {
      await stage.make(types.alb, name, albSpec({ network, http: { port } }));
      await eventually(() => stage.read(types.service, `${name}-alb`));
      await stage.addPod(`${name}-alb`, `${name}-pod`, pod, node);
    };
    await running('first', 80, '10.0.1.2', '198.51.100.1');
    await seen(address('first'), (alb) => {
      expect(conditionsOf(alb)).toMatchObject({ Programmed: 'True/Programmed' });
      expect(alb['status']).toMatchObject({ addresses: [{ value: '198.51.100.1' }] });
    });
    await running('second', 81, '10.0.1.3', '198.51.100.1');
    await seen(address('second'), (alb) =>
      expect(alb['status']).toMatchObject({ addresses: [{ value: '198.51.100.1' }] }),
    );
    await running('third', 80, '10.0.1.4', '198.51.100.1');
    await seen(address('third'), (alb) =>
      expect(messageOf(alb, 'Programmed')).toContain("tcp/80 of node 198.51.100.1 is ALB default/first's"),
    );
    await stage.addPod('third-alb', 'third-more', '10.0.1.5', '198.51.100.2');
    await seen(address('third'), (alb) =>
      expect(alb['status']).toMatchObject({ addresses: [{ value: '198.51.100.2' }] }),
    );
    for (const [mode, type, ingress] of [
      ['LoadBalancer', 'LoadBalancer', {}],
      ['ClusterIP', 'ClusterIP', {}],
      ['HostNetwork', 'LoadBalancer', { ingress: [{ ip: '198.51.100.1' }] }],
    ] as const) {
      await stage.change(types.alb, 'second', { spec: { network: { mode } } });
      await seen(
        () => stage.read(types.service, 'second-alb'),
        (service) => expect(service).toMatchObject({ spec: { type }, status: { loadBalancer: ingress } }),
      );
    }
    await stage.client.delete(types.alb, 'first', { namespace: 'default' });
    await seen(address('third'), (alb) => expect(JSON.stringify(alb['status'])).toContain('198.51.100.1'));
  });
});

describe('the leader', () => {
  test('a new one keeps everything as it is and brings pods to what is true now', async () => {
    leader = stage.lead();
    const pod = await running('kept', '10.0.0.6', listener('http', 80));
    await leader.stop();
    const before = await stage.read(types.gateway, 'kept');
    const objects = () =>
      Promise.all(
        [types.service, types.deployment].map(
          async (type) => (await stage.read(type, 'kept-netloom')).metadata,
        ),
      );
    const versions = await objects();
    const told = pod.told.length;
    leader = stage.lead();
    await eventually(() => expect(pod.told.length).toBeGreaterThan(told));
    expect(pod.told.at(-1)).toMatchObject({ replace: true });
    expect(await stage.read(types.gateway, 'kept')).toEqual(before);
    expect(await objects()).toEqual(versions);
    expect(leader.registry.text()).not.toContain('netloom_gateway_status_writes_total{kind="Gateway"}');
  });

  test('a new one leaves ports at the sockets that the Service leads to', async () => {
    leader = stage.lead();
    const pod = await running('moved', '10.0.0.19', listener('http', 80), listener('more', 8080));
    await stage.change(types.gateway, 'moved', { spec: spec(listener('more', 8080)) });
    await seen(
      () => portsOf('moved-netloom'),
      (ports) => expect(ports).toMatchObject([{ port: 8080, targetPort: 10_001 }]),
    );
    await leader.stop();
    const heard = pod.told.length;
    leader = stage.lead();
    await eventually(() => expect(pod.told.length).toBeGreaterThan(heard));
    await stage.change(types.gateway, 'moved', { spec: spec(listener('more', 8080), listener('raw', 9000)) });
    await eventually(() => expect(pod.held('ports')).toHaveProperty('tcp/9000'));
    const slots = pod.told.slice(heard).flatMap(({ put }) => put.ports?.['tcp/8080']?.slot ?? []);
    expect(new Set(slots)).toEqual(new Set([1]));
    expect(await portsOf('moved-netloom')).toMatchObject([
      { port: 8080, targetPort: 10_001 },
      { port: 9000 },
    ]);
  });

  test('a class that goes and comes back at once leaves nothing in pods of what was there before', async () => {
    await stage.make(types.class, 'brief', { controllerName });
    await stage.make(types.gateway, 'brief', {
      gatewayClassName: 'brief',
      listeners: [listener('a', 80), listener('b', 81)],
    });
    leader = stage.lead();
    await eventually(() => stage.read(types.service, 'brief-brief'));
    const pod = await stage.addPod('brief-brief', 'brief-pod', '10.0.0.61');
    await eventually(() => expect(Object.keys(pod.held('listeners'))).toHaveLength(2));
    const body = { metadata: { finalizers: null } };
    await stage.client.patch(types.class, { name: 'brief' }, { kind: 'merge', body });
    await Promise.all([
      stage.client.delete(types.class, 'brief'),
      stage.change(types.gateway, 'brief', { spec: { listeners: [listener('b', 81)] } }),
    ]);
    await eventually(() => stage.make(types.class, 'brief', { controllerName }));
    await eventually(() => expect(Object.keys(pod.held('listeners'))).toEqual(['gateway/default/brief/b']));
  });

  test('stops at once, also while nothing can be listed', async () => {
    const client = createClient({ server: 'http://127.0.0.1:1' });
    const stopped = new AbortController();
    const gateways = createGateways(
      { client, image: 'x', registry: createRegistry(), log: silentLog },
      () => {},
    );
    const running = gateways.run(stopped.signal);
    stopped.abort();
    await running;
    client.close();
  });

  test('a thousand routes at once are a thousand statuses, and few of their Gateway', async () => {
    leader = stage.lead();
    const pod = await running('busy', '10.0.0.7', listener('http', 80));
    const count = 1_000;
    const names = Array.from({ length: count }, (_, at) => `many${at}`);
    const writes = (kind: string): number =>
      Number(
        leader.registry.text().match(new RegExp(`status_writes_total\\{kind="${kind}"\\} (\\d+)`))?.[1] ?? 0,
      );
    const before = writes('Gateway');
    await Promise.all(names.map((name) => stage.make(types.route, name, routeSpec('busy', `/${name}`))));
    await eventually(async () => {
      const { listeners } = (await stage.read(types.gateway, 'busy'))['status'] as {
        listeners: { attachedRoutes: number }[];
      };
      expect(listeners[0]?.attachedRoutes).toBe(count);
    }, 30_000);
    await eventually(() => expect(writes('HTTPRoute')).toBe(count), 30_000);
    expect(writes('Gateway') - before).toBeLessThanOrEqual(20);
    expect(Object.keys(pod.held('rules'))).toHaveLength(count);
  }, 90_000);
});

type Stage = {
  readonly client: Client;
  /** By address. */
  readonly pods: ReadonlyMap<string, FakePod>;
  /** Leads until it is stopped. */
  lead(alter?: (client: Client) => Client): {
    readonly registry: Registry;
    problems(): readonly object[];
    stop(): Promise<void>;
  };
  make(type: ResourceType, name: string, spec: object, more?: object): Promise<KubeObject>;
  read(type: ResourceType, name: string): Promise<KubeObject>;
  change(type: ResourceType, name: string, body: object): Promise<KubeObject>;
  /** A pod of an instance, ready. `node`: its node's address. */
  addPod(instance: string, name: string, address: string, node?: string): Promise<FakePod>;
  /** As if a load balancer had given it. */
  giveAddress(service: string, ip: string): Promise<void>;
  close(): Promise<void>;
};

const crdType: ResourceType = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  kind: 'CustomResourceDefinition',
  plural: 'customresourcedefinitions',
  namespaced: false,
};

/** All is in namespace `default`. */
async function openStage(): Promise<Stage> {
  const api = await testServer();
  const { authority, admin } = api.server.pki;
  const newClient = (): Client =>
    createClient({
      server: api.url,
      ca: authority.certificate,
      cert: admin.certificate,
      key: admin.key,
      requestsPerSecond: 5_000,
      burst: 5_000,
    });
  const client = newClient();
  await Promise.all(kinds.map((kind) => client.create(crdType, crdOf(kind))));
  await Promise.all(kinds.map((kind) => eventually(() => client.list(kind))));
  const pods = new Map<string, FakePod>();
  const stops = new Set<() => Promise<void>>();
  const namespace = 'default';

  const stage: Stage = {
    client,
    pods,
    lead(alter = (client) => client) {
      const own = newClient();
      const registry = createRegistry();
      const stopped = new AbortController();
      const gateways = createGateways(
        {
          client: alter(boundClient(own)),
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
      return { registry, problems: () => gateways.problems(), stop };
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
    async addPod(instance, name, address, node) {
      const labels = { ...instanceComponent, 'app.kubernetes.io/instance': instance };
      await client.create(podType, {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name, namespace, labels },
        spec: { containers: [{ name: 'nginx', image: 'x' }] },
      });
      const fake = createFakePod();
      pods.set(address, fake);
      const conditions = [{ type: 'Ready', status: 'True' }];
      const status = { phase: 'Running', podIP: address, conditions, ...(node && { hostIP: node }) };
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
      await api.close();
    },
  };
  await stage.make(gatewayClassKind, 'netloom', { controllerName });
  return stage;
}

const types = {
  alb2: alb2Kind,
  rule: ruleKind,
  frontend: frontendKind,
  alb: albKind,
  ingress: ingressType,
  ingressClass: ingressClassType,
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

const listener = (name: string, port: number, more: object = {}): object => ({
  name,
  port,
  protocol: 'HTTP',
  ...more,
});

const routeSpec = (
  gateway: string,
  path: string,
  backend = 'echo',
  port = 80,
  parent: object = {},
): object => ({
  parentRefs: [{ name: gateway, ...parent }],
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
function conditionsOf(object: { readonly [field: string]: unknown }): Readonly<Record<string, string>> {
  const { conditions = [] } = (object['status'] ?? object) as WithConditions;
  return Object.fromEntries(conditions.map(({ type, status, reason }) => [type, `${status}/${reason}`]));
}

function messageOf(object: KubeObject, type: string): string {
  const { conditions = [] } = (object['status'] ?? {}) as WithConditions;
  return conditions.find((each) => each.type === type)?.message ?? '';
}
