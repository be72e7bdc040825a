/** The real kubectl, unmodified, against the server: what users type and what they read. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually } from '../eventually.ts';
import { type Kubectl, openKubectl } from './testing-kubectl.ts';

let kubectl: Kubectl;

beforeAll(async () => {
  kubectl = await openKubectl();
});
afterAll(() => kubectl?.close());

function deployment(replicas: number, image = 'echo:1'): Record<string, unknown> {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web', labels: { app: 'web' } },
    spec: {
      replicas,
      selector: { matchLabels: { app: 'web' } },
      template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'web', image }] } },
    },
  };
}

it('applies on the client and on the server', async () => {
  expect((await kubectl.apply(deployment(2))).out).toContain('deployment.apps/web created');
  expect((await kubectl.apply(deployment(2))).out).toContain('unchanged');
  expect((await kubectl.apply(deployment(3))).out).toContain('configured');
  const side = await kubectl.apply(deployment(3), '--server-side');
  expect(side.out).toContain('serverside-applied');
  const odd = await kubectl.apply({ ...deployment(3), specc: {} });
  expect(odd.err).toContain('unknown field "specc"');
  expect((await kubectl.runWith({}, JSON.stringify(deployment(9)), 'diff', '-f', '-')).out).toContain(
    '+  replicas: 9',
  );
});

it('applies a List, and says of each item what is wrong with it', async () => {
  const item = (name: string, more: object = {}) => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, namespace: 'default' },
    ...more,
  });
  const list = (...items: readonly object[]) => ({ apiVersion: 'v1', kind: 'List', items });
  expect((await kubectl.apply(list(item('l1'), item('l2')))).out).toBe(
    'configmap/l1 created\nconfigmap/l2 created\n',
  );
  const odd = await kubectl.apply(list(item('l1', { odd: 1 }), item('l3')));
  expect(odd.err).toContain('unknown field "odd"');
  expect(odd.out).toBe('configmap/l3 created\n');
  await kubectl.good('delete', 'configmap', 'l1', 'l2', 'l3');
});

it('gets in every form', async () => {
  const lines = (await kubectl.good('get', 'deploy,svc')).split('\n');
  expect(lines[0]).toMatch(/^NAME +READY +UP-TO-DATE +AVAILABLE +AGE$/);
  expect(lines[1]).toMatch(/^deployment.apps\/web +0\/3 +0 +0 +\d+s$/);
  expect(lines[3]).toMatch(/^NAME +TYPE +CLUSTER-IP +EXTERNAL-IP +PORT\(S\) +AGE$/);
  expect(lines[4]).toMatch(/^service\/kubernetes +ClusterIP +10\.96\.0\.1 +<none> +443\/TCP +\d+s$/);
  expect(await kubectl.good('get', 'deploy', '-o', 'wide')).toMatch(
    /CONTAINERS +IMAGES +SELECTOR[\s\S]*web +echo:1 +app=web/,
  );
  expect(await kubectl.good('get', 'deploy', 'web', '-o', 'yaml')).toContain('replicas: 3');
  expect(
    await kubectl.good('get', 'deploy', 'web', '-o', 'jsonpath={.spec.template.spec.containers[*].image}'),
  ).toBe('echo:1');
  expect(await kubectl.good('get', 'deploy', '-A', '-o', 'name', '-l', 'app=web')).toBe(
    'deployment.apps/web\n',
  );
  expect(await kubectl.good('get', 'all')).toContain('service/kubernetes');
  expect((await kubectl.run('get', 'deploy', 'none')).err).toContain('deployments.apps "none" not found');
  expect(await kubectl.good('get', '--raw', '/readyz')).toBe('ok');
});

it('creates by its own commands, which speak protobuf', async () => {
  expect(await kubectl.good('create', 'configmap', 'cm', '--from-literal=a=b')).toContain(
    'configmap/cm created',
  );
  await kubectl.good('create', 'secret', 'generic', 'sec', '--from-literal=password=hunter2');
  expect(await kubectl.good('get', 'secret', 'sec', '-o', 'jsonpath={.data.password}')).toBe('aHVudGVyMg==');
  await kubectl.good('create', 'namespace', 'team');
  await kubectl.good('create', 'serviceaccount', 'bot', '-n', 'team');
  await kubectl.good(
    'create',
    'deployment',
    'made',
    '--image=echo:2',
    '--replicas=0',
    '--port=80',
    '-n',
    'team',
  );
  expect(
    await kubectl.good(
      'get',
      'deploy',
      'made',
      '-n',
      'team',
      '-o',
      'jsonpath={.spec.replicas} {.spec.template.spec.containers[0].ports[0].containerPort}',
    ),
  ).toBe('0 80');
  await kubectl.good('create', 'service', 'nodeport', 'np', '--tcp=80:8080');
  expect(await kubectl.good('get', 'svc', 'np', '-o', 'jsonpath={.spec.ports[0].targetPort}')).toBe('8080');
  await kubectl.good('expose', 'deployment', 'web', '--port=80', '--target-port=8080');
  await kubectl.good('create', 'ingress', 'in', '--rule=example.com/*=web:80');
  await kubectl.good('create', 'job', 'once', '--image=echo:1');
  await kubectl.good('create', 'poddisruptionbudget', 'budget', '--selector=app=web', '--min-available=1');
  await kubectl.good('create', 'quota', 'q', '--hard=pods=3');
  const role = await kubectl.run('create', 'role', 'reader', '--verb=get', '--resource=pods');
  expect([role.code, role.err]).toEqual([0, expect.stringContaining('Warning: RBAC objects are stored')]);
  expect((await kubectl.run('create', 'configmap', 'cm')).err).toContain('configmaps "cm" already exists');
  expect(await kubectl.good('create', 'token', 'bot', '-n', 'team')).toMatch(/^eyJ/);
  expect(await kubectl.good('auth', 'whoami')).toContain('kubernetes-admin');
  expect(await kubectl.good('auth', 'can-i', 'create', 'pods')).toContain('yes');
});

it('describes', async () => {
  await kubectl.good('run', 'pod', '--image=echo:1', '--labels=a=b');
  const pod = await kubectl.good('describe', 'pod', 'pod');
  expect(pod).toMatch(/Service Account: +default/);
  expect(pod).toContain('/var/run/secrets/kubernetes.io/serviceaccount from kube-api-access-');
  expect(await kubectl.good('describe', 'deploy', 'web')).toMatch(/Replicas: +3 desired/);
  expect(await kubectl.good('describe', 'svc', 'kubernetes')).toMatch(/Endpoints: +192\.168\.66\.1:6443/);
  expect(await kubectl.good('describe', 'ns', 'team')).toMatch(/Status: +Active/);
  expect(await kubectl.good('describe', 'secret', 'sec')).toContain('password:  7 bytes');
});

it('shows events, by time where that is asked for', async () => {
  const event = (name: string, eventTime: string) => ({
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    metadata: { name, namespace: 'default' },
    regarding: { kind: 'Pod', name: 'pod', namespace: 'default' },
    type: 'Normal',
    reason: 'Tried',
    action: 'Try',
    note: `note of ${name}`,
    eventTime,
    reportingController: 'test',
    reportingInstance: 'test-1',
  });
  await kubectl.apply(event('b', '2026-01-01T00:00:02.000000Z'));
  await kubectl.apply(event('a', '2026-01-01T00:00:01.000000Z'));
  await kubectl.good('annotate', 'event', 'a', 'still=valid');
  const [head, ...rows] = (await kubectl.good('get', 'events', '--sort-by=.lastTimestamp')).split('\n');
  expect(head).toMatch(/^LAST SEEN +TYPE +REASON +OBJECT +MESSAGE$/);
  expect(rows.map((row) => /note of ./.exec(row)?.[0])).toContain('note of a');
  expect(await kubectl.good('get', 'events', '--sort-by=.eventTime', '-o', 'name')).toBe(
    'event/a\nevent/b\n',
  );
  expect(await kubectl.good('events')).toMatch(/Tried +Pod\/pod +note of a/);
  await kubectl.good('delete', 'events', '--all');
});

it('edits', async () => {
  const editor = join(kubectl.directory, 'edit.sh');
  writeFileSync(editor, '#!/bin/sh\nsed -i "s/echo:1/echo:9/" "$1"\n', { mode: 0o755 });
  const { code, out } = await kubectl.runWith(
    { EDITOR: editor, KUBE_EDITOR: editor },
    '',
    'edit',
    'deploy',
    'web',
  );
  expect([code, out]).toEqual([0, expect.stringContaining('edited')]);
  expect(
    await kubectl.good('get', 'deploy', 'web', '-o', 'jsonpath={.spec.template.spec.containers[0].image}'),
  ).toBe('echo:9');
});

it('patches in three ways', async () => {
  await kubectl.good(
    'patch',
    'deploy',
    'web',
    '--type=json',
    '-p',
    '[{"op":"add","path":"/metadata/labels/one","value":"1"}]',
  );
  await kubectl.good('patch', 'deploy', 'web', '--type=merge', '-p', '{"metadata":{"labels":{"two":"2"}}}');
  await kubectl.good(
    'patch',
    'deploy',
    'web',
    '-p',
    '{"spec":{"template":{"spec":{"containers":[{"name":"web","image":"echo:3"}]}}}}',
  );
  const labels = await kubectl.good('get', 'deploy', 'web', '-o', 'jsonpath={.metadata.labels}');
  expect(JSON.parse(labels)).toEqual({ app: 'web', one: '1', two: '2' });
  expect(
    await kubectl.good(
      'patch',
      'deploy',
      'web',
      '--subresource=status',
      '--type=merge',
      '-p',
      '{"status":{"replicas":1}}',
    ),
  ).toContain('patched');
});

it('labels, annotates and scales', async () => {
  await kubectl.good('label', 'pod', 'pod', 'tier=front');
  expect((await kubectl.run('label', 'pod', 'pod', 'tier=back')).err).toContain('--overwrite');
  await kubectl.good('label', 'pod', 'pod', 'tier-');
  await kubectl.good('annotate', 'pod', 'pod', 'note=hello');
  expect(
    await kubectl.good(
      'get',
      'pod',
      'pod',
      '-o',
      'jsonpath={.metadata.annotations.note} {.metadata.labels.tier}',
    ),
  ).toBe('hello ');
  await kubectl.good('scale', 'deploy', 'web', '--replicas=5');
  expect(await kubectl.good('get', 'deploy', 'web', '-o', 'jsonpath={.spec.replicas}')).toBe('5');
  expect((await kubectl.run('scale', 'deploy', 'web', '--current-replicas=9', '--replicas=1')).err).toContain(
    'Expected replicas to be 9',
  );
  await kubectl.good('set', 'image', 'deploy/web', 'web=echo:4');
  expect(await kubectl.good('rollout', 'history', 'deploy/web')).toContain('deployment.apps/web');
});

it('deletes with finalizers and cascades', async () => {
  await kubectl.good('create', 'configmap', 'held');
  await kubectl.good('patch', 'cm', 'held', '-p', '{"metadata":{"finalizers":["example.com/hold"]}}');
  expect(await kubectl.good('delete', 'cm', 'held', '--wait=false')).toContain('deleted');
  const waiting = kubectl.run('delete', 'cm', 'held', '--ignore-not-found', '--timeout=20s');
  await kubectl.good('patch', 'cm', 'held', '--type=merge', '-p', '{"metadata":{"finalizers":null}}');
  expect((await waiting).code).toBe(0);
  const uid = await kubectl.good('get', 'deploy', 'web', '-o', 'jsonpath={.metadata.uid}');
  const owner = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web', uid, blockOwnerDeletion: true };
  const child = (name: string) => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, ownerReferences: [owner] },
  });
  await kubectl.apply(child('child'));
  await kubectl.good('delete', 'deploy', 'web', '--cascade=foreground');
  expect((await kubectl.run('get', 'cm', 'child')).err).toContain('not found');
  await kubectl.good('delete', 'ns', 'team');
  expect((await kubectl.run('get', 'ns', 'team')).err).toContain('not found');
  expect(await kubectl.good('delete', 'cm', '--all')).toContain('"cm" deleted');
});

it('waits', async () => {
  const condition = {
    status: {
      conditions: [{ type: 'Ready', status: 'True', lastProbeTime: null, lastTransitionTime: null }],
    },
  };
  const waiting = kubectl.run('wait', 'pod/pod', '--for=condition=Ready', '--timeout=20s');
  await kubectl.good('patch', 'pod', 'pod', '--subresource=status', '-p', JSON.stringify(condition));
  expect((await waiting).out).toContain('pod/pod condition met');
  const gone = kubectl.run('wait', 'pod/pod', '--for=delete', '--timeout=20s');
  await kubectl.good('delete', 'pod', 'pod');
  expect((await gone).code).toBe(0);
  expect(
    (await kubectl.run('wait', 'svc/np', '--for=jsonpath={.spec.type}=ClusterIP', '--timeout=1s')).err,
  ).toContain('timed out');
});

it('explains and discovers', async () => {
  expect(await kubectl.good('explain', 'deployment.spec.replicas')).toMatch(/FIELD: replicas <integer>/);
  expect(await kubectl.good('explain', 'pods')).toMatch(/KIND: +Pod/);
  const resources = await kubectl.good('api-resources');
  expect(resources).toMatch(/^pods +po +v1 +true +Pod$/m);
  expect(resources).toMatch(/^networkpolicies +netpol +networking\.k8s\.io\/v1 +true +NetworkPolicy$/m);
  expect(await kubectl.good('api-versions')).toContain('discovery.k8s.io/v1');
  expect(await kubectl.good('version')).toContain('Server Version: v1.32');
  expect(await kubectl.good('get', 'events')).toBe('');
});

it('watches', async () => {
  const child = kubectl.start('get', 'cm', '-w', '--output-watch-events');
  try {
    let text = '';
    const seen = new Promise<void>((resolve) => {
      child.stdout!.on('data', (chunk: Buffer) => {
        text += chunk.toString();
        if (/DELETED +watched/.test(text)) resolve();
      });
    });
    await eventually(() => expect(text).toContain('kube-root-ca.crt'));
    await kubectl.good('create', 'configmap', 'watched');
    await kubectl.good('delete', 'configmap', 'watched');
    await seen;
    expect(text).toMatch(/^EVENT +NAME +DATA +AGE$/m);
    expect(text).toMatch(/^ADDED +watched +0 +/m);
  } finally {
    child.kill();
  }
});

it('is told clearly what is not served', async () => {
  await kubectl.good('run', 'bare', '--image=echo:1');
  expect((await kubectl.run('logs', 'bare')).err).toMatch(/does not have a host assigned/);
  expect(
    (await kubectl.run('port-forward', 'pod/bare', '8080:80', '--pod-running-timeout=1s')).code,
  ).not.toBe(0);
  const spec = { nodeName: 'n1', containers: [{ name: 'c', image: 'x' }] };
  await kubectl.apply({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'placed' }, spec });
  await kubectl.good(
    'patch',
    'pod',
    'placed',
    '--subresource=status',
    '-p',
    '{"status":{"phase":"Running"}}',
  );
  expect((await kubectl.run('port-forward', 'pod/placed', '8080:80')).err).toMatch(
    /port-forward is not supported by this server: reach the pod from a node .*lab exec.* or through this server .*--raw/,
  );
  expect((await kubectl.run('attach', 'placed')).err).toMatch(/attach is not supported by this server/);
  expect((await kubectl.run('exec', 'placed', '--', 'ls')).err).toMatch(/this server has no kubelet/);
});
