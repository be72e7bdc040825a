/** The real kubectl, unmodified, against the server: what users type and what they read. */
import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { kubeconfig } from './kubeconfig.ts';
import { eventually, type TestServer, testServer } from './testing.ts';

/** kubectl of the node image where one is unpacked, else of the host. */
const candidates = [process.env['KUBECTL'], '/tmp/probe/root/usr/bin/kubectl', 'kubectl'];
const kubectlPath = candidates.find(
  (path) => path !== undefined && spawnSync(path, ['version', '--client']).status === 0,
);
const upstreamCrds = '/work/shared/crds';

type Result = { readonly code: number; readonly out: string; readonly err: string };

let api: TestServer;
let directory: string;
let environment: NodeJS.ProcessEnv;

function kubectl(...args: readonly string[]): Promise<Result> {
  return kubectlWith({}, '', ...args);
}

function kubectlWith(
  env: Record<string, string>,
  input: string,
  ...args: readonly string[]
): Promise<Result> {
  return new Promise((resolve) => {
    const child: ChildProcess = execFile(
      kubectlPath!,
      [...args],
      { env: { ...environment, ...env }, timeout: 30_000 },
      (error, out, err) => resolve({ code: error === null ? 0 : Number(error.code ?? 1), out, err }),
    );
    child.stdin!.end(input);
  });
}

async function good(...args: readonly string[]): Promise<string> {
  const { code, out, err } = await kubectl(...args);
  if (code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${err}`);
  return out;
}

async function apply(manifest: object, ...args: readonly string[]): Promise<Result> {
  return kubectlWith({}, JSON.stringify(manifest), 'apply', '-f', '-', ...args);
}

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

describe.skipIf(kubectlPath === undefined)('kubectl (skipped: none found)', () => {
  beforeAll(async () => {
    api = await testServer();
    directory = mkdtempSync(join(tmpdir(), 'netloom-kubectl-'));
    const { authority, admin } = api.server.pki;
    const path = join(directory, 'config');
    writeFileSync(
      path,
      kubeconfig({
        server: api.url,
        authorityCertificate: authority.certificate,
        user: 'admin',
        credentials: admin,
      }),
    );
    environment = { PATH: process.env['PATH'], HOME: directory, KUBECONFIG: path };
    await eventually(
      () => api.call('GET', '/api/v1/namespaces/default/serviceaccounts/default'),
      ({ code }) => code === 200,
    );
  });

  afterAll(async () => {
    await api?.close();
    if (directory !== undefined) rmSync(directory, { recursive: true, force: true });
  });

  it('applies on the client and on the server', async () => {
    expect((await apply(deployment(2))).out).toContain('deployment.apps/web created');
    expect((await apply(deployment(2))).out).toContain('unchanged');
    expect((await apply(deployment(3))).out).toContain('configured');
    const side = await apply(deployment(3), '--server-side');
    expect(side.out).toContain('serverside-applied');
    const odd = await apply({ ...deployment(3), specc: {} });
    expect(odd.err).toContain('unknown field "specc"');
    expect((await kubectlWith({}, JSON.stringify(deployment(9)), 'diff', '-f', '-')).out).toContain(
      '+  replicas: 9',
    );
  });

  it('gets in every form', async () => {
    const lines = (await good('get', 'deploy,svc')).split('\n');
    expect(lines[0]).toMatch(/^NAME +READY +UP-TO-DATE +AVAILABLE +AGE$/);
    expect(lines[1]).toMatch(/^deployment.apps\/web +0\/3 +0 +0 +\d+s$/);
    expect(lines[3]).toMatch(/^NAME +TYPE +CLUSTER-IP +EXTERNAL-IP +PORT\(S\) +AGE$/);
    expect(lines[4]).toMatch(/^service\/kubernetes +ClusterIP +10\.96\.0\.1 +<none> +443\/TCP +\d+s$/);
    expect(await good('get', 'deploy', '-o', 'wide')).toMatch(
      /CONTAINERS +IMAGES +SELECTOR[\s\S]*web +echo:1 +app=web/,
    );
    expect(await good('get', 'deploy', 'web', '-o', 'yaml')).toContain('replicas: 3');
    expect(
      await good('get', 'deploy', 'web', '-o', 'jsonpath={.spec.template.spec.containers[*].image}'),
    ).toBe('echo:1');
    expect(await good('get', 'deploy', '-A', '-o', 'name', '-l', 'app=web')).toBe('deployment.apps/web\n');
    expect(await good('get', 'all')).toContain('service/kubernetes');
    expect((await kubectl('get', 'deploy', 'none')).err).toContain('deployments.apps "none" not found');
    expect(await good('get', '--raw', '/readyz')).toBe('ok');
  });

  it('creates by its own commands, which speak protobuf', async () => {
    expect(await good('create', 'configmap', 'cm', '--from-literal=a=b')).toContain('configmap/cm created');
    await good('create', 'secret', 'generic', 'sec', '--from-literal=password=hunter2');
    expect(await good('get', 'secret', 'sec', '-o', 'jsonpath={.data.password}')).toBe('aHVudGVyMg==');
    await good('create', 'namespace', 'team');
    await good('create', 'serviceaccount', 'bot', '-n', 'team');
    await good('create', 'deployment', 'made', '--image=echo:2', '--replicas=0', '--port=80', '-n', 'team');
    expect(
      await good(
        'get',
        'deploy',
        'made',
        '-n',
        'team',
        '-o',
        'jsonpath={.spec.replicas} {.spec.template.spec.containers[0].ports[0].containerPort}',
      ),
    ).toBe('0 80');
    await good('create', 'service', 'nodeport', 'np', '--tcp=80:8080');
    expect(await good('get', 'svc', 'np', '-o', 'jsonpath={.spec.ports[0].targetPort}')).toBe('8080');
    await good('expose', 'deployment', 'web', '--port=80', '--target-port=8080');
    await good('create', 'ingress', 'in', '--rule=example.com/*=web:80');
    await good('create', 'job', 'once', '--image=echo:1');
    await good('create', 'poddisruptionbudget', 'budget', '--selector=app=web', '--min-available=1');
    await good('create', 'quota', 'q', '--hard=pods=3');
    const role = await kubectl('create', 'role', 'reader', '--verb=get', '--resource=pods');
    expect([role.code, role.err]).toEqual([0, expect.stringContaining('Warning: RBAC objects are stored')]);
    expect((await kubectl('create', 'configmap', 'cm')).err).toContain('configmaps "cm" already exists');
    expect(await good('create', 'token', 'bot', '-n', 'team')).toMatch(/^eyJ/);
    expect(await good('auth', 'whoami')).toContain('kubernetes-admin');
    expect(await good('auth', 'can-i', 'create', 'pods')).toContain('yes');
  });

  it('describes', async () => {
    await good('run', 'pod', '--image=echo:1', '--labels=a=b');
    const pod = await good('describe', 'pod', 'pod');
    expect(pod).toMatch(/Service Account: +default/);
    expect(pod).toContain('/var/run/secrets/kubernetes.io/serviceaccount from kube-api-access-');
    expect(await good('describe', 'deploy', 'web')).toMatch(/Replicas: +3 desired/);
    expect(await good('describe', 'svc', 'kubernetes')).toMatch(/Endpoints: +192\.168\.66\.1:6443/);
    expect(await good('describe', 'ns', 'team')).toMatch(/Status: +Active/);
    expect(await good('describe', 'secret', 'sec')).toContain('password:  7 bytes');
  });

  it('edits', async () => {
    const editor = join(directory, 'edit.sh');
    writeFileSync(editor, '#!/bin/sh\nsed -i "s/echo:1/echo:9/" "$1"\n', { mode: 0o755 });
    const { code, out } = await kubectlWith(
      { EDITOR: editor, KUBE_EDITOR: editor },
      '',
      'edit',
      'deploy',
      'web',
    );
    expect([code, out]).toEqual([0, expect.stringContaining('edited')]);
    expect(
      await good('get', 'deploy', 'web', '-o', 'jsonpath={.spec.template.spec.containers[0].image}'),
    ).toBe('echo:9');
  });

  it('patches in three ways', async () => {
    await good(
      'patch',
      'deploy',
      'web',
      '--type=json',
      '-p',
      '[{"op":"add","path":"/metadata/labels/one","value":"1"}]',
    );
    await good('patch', 'deploy', 'web', '--type=merge', '-p', '{"metadata":{"labels":{"two":"2"}}}');
    await good(
      'patch',
      'deploy',
      'web',
      '-p',
      '{"spec":{"template":{"spec":{"containers":[{"name":"web","image":"echo:3"}]}}}}',
    );
    const labels = await good('get', 'deploy', 'web', '-o', 'jsonpath={.metadata.labels}');
    expect(JSON.parse(labels)).toEqual({ app: 'web', one: '1', two: '2' });
    expect(
      await good(
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
    await good('label', 'pod', 'pod', 'tier=front');
    expect((await kubectl('label', 'pod', 'pod', 'tier=back')).err).toContain('--overwrite');
    await good('label', 'pod', 'pod', 'tier-');
    await good('annotate', 'pod', 'pod', 'note=hello');
    expect(
      await good('get', 'pod', 'pod', '-o', 'jsonpath={.metadata.annotations.note} {.metadata.labels.tier}'),
    ).toBe('hello ');
    await good('scale', 'deploy', 'web', '--replicas=5');
    expect(await good('get', 'deploy', 'web', '-o', 'jsonpath={.spec.replicas}')).toBe('5');
    expect((await kubectl('scale', 'deploy', 'web', '--current-replicas=9', '--replicas=1')).err).toContain(
      'Expected replicas to be 9',
    );
    await good('set', 'image', 'deploy/web', 'web=echo:4');
    expect(await good('rollout', 'history', 'deploy/web')).toContain('deployment.apps/web');
  });

  it('deletes with finalizers and cascades', async () => {
    await good('create', 'configmap', 'held');
    await good('patch', 'cm', 'held', '-p', '{"metadata":{"finalizers":["example.com/hold"]}}');
    expect(await good('delete', 'cm', 'held', '--wait=false')).toContain('deleted');
    const waiting = kubectl('delete', 'cm', 'held', '--ignore-not-found', '--timeout=20s');
    await good('patch', 'cm', 'held', '--type=merge', '-p', '{"metadata":{"finalizers":null}}');
    expect((await waiting).code).toBe(0);
    const uid = await good('get', 'deploy', 'web', '-o', 'jsonpath={.metadata.uid}');
    const owner = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web', uid, blockOwnerDeletion: true };
    const child = (name: string) => ({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name, ownerReferences: [owner] },
    });
    await apply(child('child'));
    await good('delete', 'deploy', 'web', '--cascade=foreground');
    expect((await kubectl('get', 'cm', 'child')).err).toContain('not found');
    await good('delete', 'ns', 'team');
    expect((await kubectl('get', 'ns', 'team')).err).toContain('not found');
    expect(await good('delete', 'cm', '--all')).toContain('"cm" deleted');
  });

  it('waits', async () => {
    const condition = {
      status: {
        conditions: [{ type: 'Ready', status: 'True', lastProbeTime: null, lastTransitionTime: null }],
      },
    };
    const waiting = kubectl('wait', 'pod/pod', '--for=condition=Ready', '--timeout=20s');
    await good('patch', 'pod', 'pod', '--subresource=status', '-p', JSON.stringify(condition));
    expect((await waiting).out).toContain('pod/pod condition met');
    const gone = kubectl('wait', 'pod/pod', '--for=delete', '--timeout=20s');
    await good('delete', 'pod', 'pod');
    expect((await gone).code).toBe(0);
    expect(
      (await kubectl('wait', 'svc/np', '--for=jsonpath={.spec.type}=ClusterIP', '--timeout=1s')).err,
    ).toContain('timed out');
  });

  it('explains and discovers', async () => {
    expect(await good('explain', 'deployment.spec.replicas')).toMatch(/FIELD: replicas <integer>/);
    expect(await good('explain', 'pods')).toMatch(/KIND: +Pod/);
    const resources = await good('api-resources');
    expect(resources).toMatch(/^pods +po +v1 +true +Pod$/m);
    expect(resources).toMatch(/^networkpolicies +netpol +networking\.k8s\.io\/v1 +true +NetworkPolicy$/m);
    expect(await good('api-versions')).toContain('discovery.k8s.io/v1');
    expect(await good('version')).toContain('Server Version: v1.32');
    expect(await good('get', 'events')).toBe('');
  });

  it('watches', async () => {
    const child = spawn(kubectlPath!, ['get', 'cm', '-w', '--output-watch-events'], { env: environment });
    try {
      let text = '';
      const seen = new Promise<void>((resolve) => {
        child.stdout.on('data', (chunk: Buffer) => {
          text += chunk.toString();
          if (/DELETED +watched/.test(text)) resolve();
        });
      });
      await eventually(
        async () => text,
        (now) => now.includes('kube-root-ca.crt'),
      );
      await good('create', 'configmap', 'watched');
      await good('delete', 'configmap', 'watched');
      await seen;
      expect(text).toMatch(/^EVENT +NAME +DATA +AGE$/m);
      expect(text).toMatch(/^ADDED +watched +0 +/m);
    } finally {
      child.kill();
    }
  });

  it('is told clearly what is not served', async () => {
    await good('run', 'bare', '--image=echo:1');
    expect((await kubectl('logs', 'bare')).err).toMatch(/does not have a host assigned/);
    expect((await kubectl('port-forward', 'pod/bare', '8080:80', '--pod-running-timeout=1s')).code).not.toBe(
      0,
    );
    const spec = { nodeName: 'n1', containers: [{ name: 'c', image: 'x' }] };
    await apply({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'placed' }, spec });
    await good('patch', 'pod', 'placed', '--subresource=status', '-p', '{"status":{"phase":"Running"}}');
    expect((await kubectl('port-forward', 'pod/placed', '8080:80')).err).toMatch(
      /port-forward is not supported by this server/,
    );
    expect((await kubectl('attach', 'placed')).err).toMatch(/attach is not supported by this server/);
    expect((await kubectl('exec', 'placed', '--', 'ls')).err).toMatch(/this server has no kubelet/);
  });

  it.skipIf(!existsSync(upstreamCrds))('installs the upstream CRDs and validates by them', async () => {
    for (const folder of ['gateway-api-v1.6.1', 'metallb', 'network-policy-api']) {
      const { code, err } = await kubectl('apply', '--server-side', '-R', '-f', join(upstreamCrds, folder));
      expect([folder, code, err.replaceAll(/^Warning:.*\n/gm, '')]).toEqual([folder, 0, '']);
    }
    await good('wait', '--for=condition=Established', 'crd', '--all', '--timeout=20s');
    expect(await good('get', 'crd')).toMatch(/gateways\.gateway\.networking\.k8s\.io +\d{4}-/);
    expect(await good('explain', 'gateway.spec.listeners')).toContain('FIELD: listeners');
    const pool = (addresses: unknown) => ({
      apiVersion: 'metallb.io/v1beta1',
      kind: 'IPAddressPool',
      metadata: { name: 'pool' },
      spec: { addresses },
    });
    expect((await apply(pool(['10.0.0.0/24']))).out).toContain('created');
    expect((await apply(pool('x'))).err).toContain('spec.addresses');
    expect(await good('get', 'ipaddresspool')).toMatch(/NAME +AUTO ASSIGN +AVOID BUGGY IPS +ADDRESSES/);
  });
});
