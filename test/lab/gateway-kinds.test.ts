/** Everything that a Gateway can carry, once each and end to end: TLS ended, passed on and begun, gRPC, WebSocket, TCP, UDP, ListenerSets, grants. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { secretType } from '#api/core.ts';
import type { KubeObject } from '#api/object.ts';
import { makeCertificate } from '#lab/apiserver/certificate.ts';
import { eventually } from '#lab/eventually.ts';
import { type Cluster, startCluster } from './cluster.ts';

let cluster: Cluster;
const address = '192.168.66.246';
const group = 'gateway.networking.k8s.io';
const day = 86_400_000;
const dates = { notBefore: new Date(Date.now() - day), notAfter: new Date(Date.now() + day) };
const authority = makeCertificate({ use: 'authority', commonName: 'test', ...dates });
const certificateFor = (...names: readonly string[]) =>
  makeCertificate({ use: 'server', commonName: names[0] ?? '', names, ...dates }, authority);

const object = (apiVersion: string, kind: string, name: string, rest: object, namespace = 'default') =>
  ({ apiVersion, kind, metadata: { name, namespace }, ...rest }) as KubeObject;
const api = (kind: string, name: string, spec: object, namespace?: string) =>
  object(`${group}/v1`, kind, name, { spec }, namespace);
const secret = (
  name: string,
  { certificate, key }: { certificate: string; key: string },
  namespace?: string,
) =>
  object(
    'v1',
    'Secret',
    name,
    {
      type: 'kubernetes.io/tls',
      data: {
        'tls.crt': Buffer.from(certificate).toString('base64'),
        'tls.key': Buffer.from(key).toString('base64'),
      },
    },
    namespace,
  );
const service = (name: string, app: string, ports: readonly object[], namespace?: string) =>
  object('v1', 'Service', name, { spec: { selector: { app }, ports } }, namespace);
const pod = (
  name: string,
  app: string,
  container: object,
  volumes: readonly object[] = [],
  namespace?: string,
) =>
  ({
    ...object('v1', 'Pod', name, {
      spec: { containers: [{ name: 'main', image: 'netloom/echo', ...container }], volumes },
    }),
    metadata: { name, namespace: namespace ?? 'default', labels: { app } },
  }) as KubeObject;
const listener = (name: string, port: number, protocol: string, rest: object = {}) => ({
  name,
  port,
  protocol,
  allowedRoutes: { namespaces: { from: 'All' } },
  ...rest,
});
const route = (
  kind: string,
  name: string,
  sectionName: string,
  rules: readonly object[],
  rest: object = {},
  namespace?: string,
) =>
  api(
    kind,
    name,
    { parentRefs: [{ name: 'all', namespace: 'default', sectionName }], rules, ...rest },
    namespace,
  );
const to = (name: string, port: number, rest: object = {}) => ({ backendRefs: [{ name, port, ...rest }] });

/** Answers with its name by TLS, as a server of its own. */
const tlsServer = `
const tls = require('node:tls'), fs = require('node:fs');
const read = (name) => fs.readFileSync('/certificate/tls.' + name);
require('node:https').createServer({ key: read('key'), cert: read('crt') }, (request, response) => {
  response.end('secure ' + request.socket.servername + ' ' + request.url);
}).listen(8443, '::');`;

beforeAll(async () => {
  cluster = await startCluster('gateway-kinds', { nodes: 2 });
  const metallb = (kind: string, spec: object) =>
    object('metallb.io/v1beta1', kind, 'gateways', { spec }, 'metallb-system');
  await cluster.apply(
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'metallb-system' } },
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'other' } },
  );
  await cluster.apply(
    metallb('IPAddressPool', { addresses: ['192.168.66.246-192.168.66.249'] }),
    metallb('L2Advertisement', { ipAddressPools: ['gateways'] }),
    secret('web', certificateFor('web.example')),
    secret('inner', certificateFor('inner.example', 'pass.example')),
    pod('echo', 'echo', {}),
    pod('echo-other', 'echo', {}, [], 'other'),
    pod(
      'secure',
      'secure',
      {
        image: 'netloom/node',
        args: ['-e', tlsServer],
        volumeMounts: [{ name: 'c', mountPath: '/certificate' }],
      },
      [{ name: 'c', secret: { secretName: 'inner' } }],
    ),
    service('echo', 'echo', [
      { name: 'http', port: 80, targetPort: 8080 },
      { name: 'tcp', port: 81, targetPort: 8081 },
      { name: 'grpc', port: 83, targetPort: 8083, appProtocol: 'kubernetes.io/h2c' },
      { name: 'udp', port: 82, targetPort: 8082, protocol: 'UDP' },
    ]),
    service('echo', 'echo', [{ name: 'http', port: 80, targetPort: 8080 }], 'other'),
    service('secure', 'secure', [{ name: 'https', port: 443, targetPort: 8443 }]),
    api('Gateway', 'all', {
      gatewayClassName: 'netloom',
      addresses: [{ type: 'IPAddress', value: address }],
      allowedListeners: { namespaces: { from: 'All' } },
      listeners: [
        listener('http', 80, 'HTTP'),
        listener('calls', 80, 'HTTP', { hostname: 'calls.example' }),
        listener('https', 443, 'HTTPS', {
          hostname: 'web.example',
          tls: { mode: 'Terminate', certificateRefs: [{ name: 'web' }] },
        }),
        listener('pass', 443, 'TLS', { hostname: 'pass.example', tls: { mode: 'Passthrough' } }),
        listener('tcp', 9000, 'TCP'),
        listener('udp', 9000, 'UDP'),
      ],
    }),
    route('HTTPRoute', 'plain', 'http', [
      { matches: [{ path: { type: 'PathPrefix', value: '/plain' } }], ...to('echo', 80) },
      { matches: [{ path: { type: 'PathPrefix', value: '/secure' } }], ...to('secure', 443) },
      {
        matches: [{ path: { type: 'PathPrefix', value: '/other' } }],
        ...to('echo', 80, { namespace: 'other' }),
      },
    ]),
    route('HTTPRoute', 'ended', 'https', [to('echo', 80)]),
    route('GRPCRoute', 'calls', 'calls', [to('echo', 83)]),
    route('TLSRoute', 'passed', 'pass', [to('secure', 443)], { hostnames: ['pass.example'] }),
    route('TCPRoute', 'lines', 'tcp', [to('echo', 81)]),
    route('UDPRoute', 'packets', 'udp', [to('echo', 82)]),
    api('BackendTLSPolicy', 'inner', {
      targetRefs: [{ group: '', kind: 'Service', name: 'secure' }],
      validation: {
        hostname: 'inner.example',
        caCertificateRefs: [{ group: '', kind: 'ConfigMap', name: 'ca' }],
      },
    }),
    object('v1', 'ConfigMap', 'ca', { data: { 'ca.crt': authority.certificate } }),
  );
  const { code, stderr } = await cluster.kubectl(
    'wait',
    '--for=condition=Programmed',
    'gateway/all',
    '--timeout=90s',
  );
  if (code !== 0)
    throw new Error(`${stderr}${(await cluster.kubectl('get', 'gateway', 'all', '-o', 'yaml')).stdout}`);
}, 240_000);
afterAll(() => cluster?.down());

const outside = async (script: string): Promise<string> => {
  const { code, stdout, stderr } = await cluster.lab.exec('outside', ['sh', '-c', script], {
    timeoutMs: 20_000,
  });
  if (code !== 0) throw new Error(`${script}: ${code} ${stderr}${stdout}`);
  return stdout.trim();
};
/** `CODE BODY`. */
const curl = (...args: readonly string[]) =>
  outside(`curl -sS -m 4 -w '\\n%{http_code} %{http_version}' ${args.join(' ')}`);
const at = (name: string, port: number) => `--resolve ${name}:${port}:${address}`;

describe('a Gateway of every kind', () => {
  test('HTTP, and its fixed address', async () => {
    await eventually(async () =>
      expect(await curl(`http://${address}/plain`)).toMatch(/"pod": "echo[\s\S]*200 1.1$/),
    );
    expect(await curl('--http2-prior-knowledge', `http://${address}/plain`)).toMatch(/200 2$/);
  });

  test('HTTPS ends here, and a renewed certificate is shown without a reload', async () => {
    const shown = () =>
      outside(
        `openssl s_client -connect ${address}:443 -servername web.example </dev/null 2>/dev/null | openssl x509 -noout -serial`,
      );
    await eventually(async () =>
      expect(await curl('-k', at('web.example', 443), 'https://web.example/x')).toMatch(
        /"pod": "echo[\s\S]*200 2$/,
      ),
    );
    const before = await shown();
    await cluster.apply(secret('web', certificateFor('web.example')));
    await eventually(async () => expect(await shown()).not.toBe(before), 5_000);
    expect(await curl('-k', at('web.example', 443), 'https://web.example/x')).toMatch(/200 2$/);
  });

  test('TLS passes through on the same port', async () => {
    await eventually(async () =>
      expect(await curl('-k', at('pass.example', 443), 'https://pass.example/y')).toContain(
        'secure pass.example /y',
      ),
    );
  });

  test('TLS begins here, to a backend that proves to be who it is', async () => {
    await eventually(async () =>
      expect(await curl(`http://${address}/secure`)).toMatch(/^secure inner.example \/secure\n200/),
    );
    const ca = (certificate: string) => object('v1', 'ConfigMap', 'ca', { data: { 'ca.crt': certificate } });
    const stranger = makeCertificate({ use: 'authority', commonName: 'stranger', ...dates });
    await cluster.apply(ca(stranger.certificate));
    await eventually(async () => expect(await curl(`http://${address}/secure`)).toMatch(/502 1.1$/));
    await cluster.apply(ca(authority.certificate));
    await eventually(async () => expect(await curl(`http://${address}/secure`)).toMatch(/200 1.1$/));
  });

  test('gRPC and WebSocket', async () => {
    const call = `--http2-prior-knowledge ${at('calls.example', 80)} -X POST -H 'content-type: application/grpc' -H 'te: trailers'`;
    await eventually(async () =>
      expect(
        await outside(
          `printf '\\000\\000\\000\\000\\000' | curl -sS -m 4 -D - -o /dev/null ${call} --data-binary @- http://calls.example/echo.Echo/Unary`,
        ),
      ).toMatch(/^HTTP\/2 200[\s\S]*content-type: application\/grpc/),
    );
    const upgrade =
      "-H 'connection: upgrade' -H 'upgrade: websocket' -H 'sec-websocket-version: 13' -H 'sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA=='";
    const answer = await outside(`curl -sS --http1.1 -m 1 -i ${upgrade} http://${address}/plain || true`);
    expect(answer).toMatch(/^HTTP\/1.1 101/);
  });

  test('TCP and UDP on one port number', async () => {
    await eventually(async () =>
      expect(await outside(`echo hello | nc -q 1 -w 3 ${address} 9000`)).toMatch(/^echo [^\n]*\nhello$/),
    );
    await eventually(async () =>
      expect(await outside(`echo hello | nc -u -w 1 ${address} 9000`)).toContain('hello'),
    );
  });

  test("another namespace's Service is served only while it permits it", async () => {
    await eventually(async () => expect(await curl(`http://${address}/other`)).toMatch(/500 1.1$/));
    await cluster.apply(
      object(
        `${group}/v1beta1`,
        'ReferenceGrant',
        'routes',
        {
          spec: {
            from: [{ group, kind: 'HTTPRoute', namespace: 'default' }],
            to: [{ group: '', kind: 'Service' }],
          },
        },
        'other',
      ),
    );
    await eventually(async () =>
      expect(await curl(`http://${address}/other`)).toMatch(/echo-other[\s\S]*200 1.1$/),
    );
    await cluster.kubectl('-n', 'other', 'delete', 'referencegrant', 'routes');
    await eventually(async () => expect(await curl(`http://${address}/other`)).toMatch(/500 1.1$/));
  });

  test('a ListenerSet of another namespace adds a port, and takes it along', async () => {
    const parentRefs = [{ group, kind: 'ListenerSet', name: 'more', namespace: 'other' }];
    await cluster.apply(
      api(
        'ListenerSet',
        'more',
        {
          parentRef: { name: 'all', namespace: 'default' },
          listeners: [{ name: 'more', port: 8080, protocol: 'HTTP' }],
        },
        'other',
      ),
      api('HTTPRoute', 'more', { parentRefs, rules: [to('echo', 80)] }, 'other'),
    );
    await eventually(async () =>
      expect(await curl(`http://${address}:8080/`)).toMatch(/echo-other[\s\S]*200 1.1$/),
    );
    await cluster.kubectl('-n', 'other', 'delete', 'listenerset', 'more');
    await eventually(() => expect(curl(`http://${address}:8080/`)).rejects.toThrow());
  });

  test('nothing of a Secret is in any status or event', async () => {
    const { metadata } = await cluster.client.get(secretType, 'all-netloom-feed', 'default');
    expect(metadata.ownerReferences).toMatchObject([{ kind: 'Gateway' }]);
    const { stdout } = await cluster.kubectl(
      'get',
      'gateways,httproutes,backendtlspolicies,events',
      '-A',
      '-o',
      'json',
    );
    expect(stdout).not.toContain('PRIVATE KEY');
  });
});
