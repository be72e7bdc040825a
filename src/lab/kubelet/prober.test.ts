import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { makeCertificate } from '../apiserver/certificate.ts';
import type { Probe } from '../objects/container.ts';
import type { NodeHost } from './nodehost.ts';
import { runProbe } from './prober.ts';

const host = { networkNamespace: '/proc/self/ns/net' } as NodeHost;
const answer: RequestListener = (request, response) => {
  if (request.url === '/hang') return;
  response.writeHead(request.url === '/healthz' && request.headers['x-probe'] === 'yes' ? 200 : 503).end();
};
const probe = (port: number, more: Probe) => {
  const container = { name: 'c', ports: [{ name: 'web', containerPort: port }] };
  return runProbe({ host, container, containerID: '', podIP: '127.0.0.1' }, more);
};
const headers = [{ name: 'X-Probe', value: 'yes' }];

test('HTTP, HTTPS and TCP probes are made from the node and say why they fail', async () => {
  const plain = createServer(answer).listen(0, '127.0.0.1');
  const certificate = makeCertificate({
    commonName: 'pod',
    use: 'server',
    names: ['pod'],
    notBefore: new Date(Date.now() - 60_000),
    notAfter: new Date(Date.now() + 3_600_000),
  });
  const secure = createTlsServer({ cert: certificate.certificate, key: certificate.key }, answer).listen(
    0,
    '127.0.0.1',
  );
  await Promise.all([once(plain, 'listening'), once(secure, 'listening')]);
  const port = (plain.address() as AddressInfo).port;
  const securePort = (secure.address() as AddressInfo).port;
  try {
    const good = { path: '/healthz', httpHeaders: headers };
    expect(await probe(port, { httpGet: { ...good, port: 'web' } })).toMatchObject({ success: true });
    expect(await probe(securePort, { httpGet: { ...good, port: 'web', scheme: 'HTTPS' } })).toMatchObject({
      success: true,
    });
    expect(await probe(port, { httpGet: { path: '/', port } })).toEqual({
      success: false,
      message: 'HTTP probe failed with statuscode: 503',
    });
    expect(await probe(port, { httpGet: { path: '/hang', port }, timeoutSeconds: 1 })).toEqual({
      success: false,
      message: 'no answer within 1s',
    });
    expect(await probe(port, { httpGet: { port: 'nobody' } })).toEqual({
      success: false,
      message: 'there is no port named "nobody"',
    });
    expect(await probe(port, { tcpSocket: { port } })).toMatchObject({ success: true });
    expect((await probe(1, { tcpSocket: { port: 1 } })).message).toContain('ECONNREFUSED');
  } finally {
    plain.closeAllConnections();
    plain.close();
    secure.close();
  }
});
