/** Who may ask: certificates, tokens, and nobody else. */
import { X509Certificate } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeCertificate } from './certificate.ts';
import { kubeconfig } from './kubeconfig.ts';
import { issueClient } from './pki.ts';
import { answered, type TestServer, testServer } from './testing.ts';
import { TokenAuthority } from './tokens.ts';

let api: TestServer;
const accounts = '/api/v1/namespaces/default/serviceaccounts';
const reviews = '/apis/authentication.k8s.io/v1/selfsubjectreviews';

beforeAll(async () => {
  api = await testServer();
  await answered(
    () => api.call('GET', `${accounts}/default`),
    ({ code }) => code === 200,
  );
});

afterAll(() => api.close());

async function token(spec: object = {}): Promise<string> {
  const { body } = await api.call('POST', `${accounts}/default/token`, { spec });
  return body.status.token;
}

const whoami = (options: object) => api.call('POST', reviews, {}, options);

describe('certificates', () => {
  it('name the user and the groups', async () => {
    expect((await whoami({})).body.status.userInfo).toEqual({
      username: 'kubernetes-admin',
      groups: ['system:masters', 'system:authenticated'],
    });
    const certificate = issueClient(api.server.pki.authority, 'system:node:n1', ['system:nodes', 'lab']);
    const { body } = await whoami({ certificate });
    expect(body.status.userInfo).toEqual({
      username: 'system:node:n1',
      groups: ['system:nodes', 'lab', 'system:authenticated'],
    });
  });

  it('of another authority count for nothing', async () => {
    const now = Date.now();
    const time = { notBefore: new Date(now - 1000), notAfter: new Date(now + 1_000_000) };
    const foreign = makeCertificate({ use: 'authority', commonName: 'kubernetes', ...time });
    const certificate = makeCertificate(
      { use: 'client', commonName: 'kubernetes-admin', organizations: ['system:masters'], ...time },
      foreign,
    );
    expect((await whoami({ certificate })).code).toBe(401);
  });

  it('survive a restart: the server has the same CA and covers its addresses', async () => {
    const before = api.server.pki.authority.certificate;
    await api.restart({ advertise: ['192.168.66.1', '172.30.0.9'] });
    expect(api.server.pki.authority.certificate).toBe(before);
    const server = new X509Certificate(api.server.pki.server.certificate);
    expect(server.checkIssued(new X509Certificate(before))).toBe(true);
    for (const address of ['127.0.0.1', '10.96.0.1', 'fd10:96::1', '192.168.66.1', 'fd66::1', '172.30.0.9']) {
      expect(server.checkIP(address)).toBeDefined();
    }
    expect(server.checkHost('kubernetes.default.svc')).toBeDefined();
  });
});

describe('anonymous', () => {
  it('gets health and version, and a 401 for the rest', async () => {
    for (const path of ['/healthz', '/livez', '/readyz?verbose', '/version']) {
      expect((await api.call('GET', path, undefined, { certificate: false })).code).toBe(200);
    }
    const { code, body } = await api.call('GET', '/api/v1/pods', undefined, { certificate: false });
    expect([code, body.kind, body.reason]).toEqual([401, 'Status', 'Unauthorized']);
  });
});

describe('tokens', () => {
  it('name the service account', async () => {
    const { body } = await whoami({ token: await token() });
    expect(body.status.userInfo).toMatchObject({
      username: 'system:serviceaccount:default:default',
      groups: ['system:serviceaccounts', 'system:serviceaccounts:default', 'system:authenticated'],
    });
    const pods = await api.call('GET', '/api/v1/pods', undefined, { token: await token() });
    expect(pods.code).toBe(200);
  });

  it('die with the pod that they are bound to, and with the account', async () => {
    const spec = { containers: [{ name: 'c', image: 'x' }] };
    const { body: pod } = await api.call('POST', '/api/v1/namespaces/default/pods', {
      metadata: { name: 'bound' },
      spec,
    });
    const bound = await token({
      boundObjectRef: { kind: 'Pod', apiVersion: 'v1', name: 'bound', uid: pod.metadata.uid },
    });
    const { body } = await whoami({ token: bound });
    expect(body.status.userInfo.extra['authentication.kubernetes.io/pod-name']).toEqual(['bound']);
    await api.call('DELETE', '/api/v1/namespaces/default/pods/bound');
    expect((await whoami({ token: bound })).code).toBe(401);
    const plain = await token();
    await api.call('DELETE', `${accounts}/default`);
    expect((await whoami({ token: plain })).code).toBe(401);
    await answered(
      () => api.call('GET', `${accounts}/default`),
      ({ code }) => code === 200,
    );
    expect((await whoami({ token: plain })).code).toBe(401);
  });

  it('are refused when expired, forged, changed or meant for others', async () => {
    const good = await token();
    const { body: account } = await api.call('GET', `${accounts}/default`);
    const claims = {
      namespace: 'default',
      serviceAccount: { name: 'default', uid: account.metadata.uid },
      audiences: ['https://kubernetes.default.svc.cluster.local'],
    };
    const own = new TokenAuthority(api.server.pki.serviceAccountKey);
    const expired = own.issue(claims, 600, Date.now() - 601_000).token;
    const [head, body, signature] = good.split('.');
    const changed = JSON.parse(Buffer.from(body!, 'base64url').toString());
    changed.sub = 'system:serviceaccount:kube-system:default';
    const unsigned = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${body}.`;
    const tokens = [
      expired,
      `${head}.${Buffer.from(JSON.stringify(changed)).toString('base64url')}.${signature}`,
      unsigned,
      'nonsense',
      'a.b.c',
      await token({ audiences: ['vault'] }),
    ];
    for (const bad of tokens) expect((await whoami({ token: bad })).code).toBe(401);
    expect((await whoami({ headers: { authorization: 'Basic YTpi' } })).code).toBe(401);
  });

  it('are asked for with sane terms', async () => {
    const ask = (spec: object) => api.call('POST', `${accounts}/default/token`, { spec });
    expect((await ask({ expirationSeconds: 60 })).code).toBe(422);
    expect((await ask({ boundObjectRef: { kind: 'Pod', name: 'nobody' } })).code).toBe(404);
    expect((await ask({ boundObjectRef: { kind: 'Service', name: 'x' } })).code).toBe(400);
    const { body } = await ask({ expirationSeconds: 7200 });
    const left = Date.parse(body.status.expirationTimestamp) - Date.now();
    expect(left).toBeGreaterThan(7_190_000);
    expect((await api.call('POST', `${accounts}/nobody/token`, {})).code).toBe(404);
  });

  it('can be reviewed by others', async () => {
    const review = (text: string) =>
      api.call('POST', '/apis/authentication.k8s.io/v1/tokenreviews', { spec: { token: text } });
    expect((await review(await token())).body.status).toMatchObject({ authenticated: true });
    expect((await review('x.y.z')).body.status.authenticated).toBeUndefined();
  });
});

describe('authorization', () => {
  it('is not enforced, and says so', async () => {
    const { body } = await api.call('POST', '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', {
      spec: { resourceAttributes: { verb: 'delete', resource: 'nodes' } },
    });
    expect(body.status.allowed).toBe(true);
    expect(body.status.reason).toContain('does not enforce RBAC');
  });
});

describe('kubeconfig', () => {
  it('carries cluster and user', () => {
    const { authority, admin } = api.server.pki;
    const text = kubeconfig({
      server: api.url,
      authorityCertificate: authority.certificate,
      user: 'me',
      credentials: admin,
    });
    const config = JSON.parse(text);
    expect(config.clusters[0].cluster.server).toBe(api.url);
    expect(Buffer.from(config.users[0].user['client-key-data'], 'base64').toString()).toBe(admin.key);
    expect(config['current-context']).toBe('netloom');
  });
});
