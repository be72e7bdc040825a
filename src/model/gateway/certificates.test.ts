/** Which Secrets and ConfigMaps are certificates, and that nothing of what they hold is told. */
import { describe, expect, test } from 'vitest';
import { makeCertificate } from '#lab/apiserver/certificate.ts';
import { inspectAuthority, inspectCertificate } from '#system/certificate.ts';
import { readAuthority } from './authority.ts';
import { readCertificate } from './certificate.ts';

const notBefore = new Date('2026-01-01T00:00:00Z');
const notAfter = new Date('2036-01-01T00:00:00Z');
const authority = makeCertificate({ use: 'authority', commonName: 'ca', notBefore, notAfter });
const server = makeCertificate(
  { use: 'server', commonName: 'a', names: ['a.example'], notBefore, notAfter },
  authority,
);
const base64 = (text: string) => Buffer.from(text).toString('base64');
const metadata = { name: 'cert', namespace: 'shop' };

const secret = (data: unknown, type = 'kubernetes.io/tls') =>
  readCertificate({ apiVersion: 'v1', kind: 'Secret', metadata, type, data }, inspectCertificate);
const pair = { 'tls.crt': base64(server.certificate), 'tls.key': base64(server.key) };

describe('readCertificate', () => {
  test('gives chain, key and names; text between blocks is dropped', () => {
    const chain = `Subject: a\r\n${server.certificate.replaceAll('\n', '\r\n')}\n#\n${authority.certificate}`;
    expect(secret({ ...pair, 'tls.crt': base64(chain) })).toEqual({
      problems: [],
      value: {
        origin: { kind: 'Secret', namespace: 'shop', name: 'cert' },
        key: 'shop/cert',
        certificate: `${server.certificate}${authority.certificate}`,
        privateKey: server.key,
        names: ['a.example'],
      },
    });
  });

  test.each([
    ['another type', pair, 'Opaque', 'type'],
    ['no data', undefined, undefined, 'data[tls.crt]'],
    ['no key', { 'tls.crt': pair['tls.crt'] }, undefined, 'data[tls.key]'],
    ['no Base64', { ...pair, 'tls.crt': '%%%' }, undefined, 'data[tls.crt]'],
    ['no PEM', { ...pair, 'tls.crt': base64('hello') }, undefined, 'data[tls.crt]'],
    ['an open block', { ...pair, 'tls.key': base64(server.key.slice(0, 80)) }, undefined, 'data[tls.key]'],
    ['a certificate as key', { ...pair, 'tls.key': pair['tls.crt'] }, undefined, 'data[tls.key]'],
    ['two keys', { ...pair, 'tls.key': base64(server.key + authority.key) }, undefined, 'data[tls.key]'],
    ['another key', { ...pair, 'tls.key': base64(authority.key) }, undefined, 'data[tls.crt]'],
    [
      'an encrypted key',
      { ...pair, 'tls.key': base64(server.key.replaceAll('PRIVATE KEY', 'ENCRYPTED PRIVATE KEY')) },
      undefined,
      'data[tls.key]',
    ],
    ['more than ASCII', { ...pair, 'tls.crt': base64(`ä${server.certificate}`) }, undefined, 'data[tls.crt]'],
  ])('%s is refused', (_, data, type, field) => {
    const { value, problems } = secret(data, type);
    expect(value).toBeUndefined();
    expect(problems.map((each) => each.field)).toContain(field);
    const inner = server.key.split('\n')[1]!;
    expect(JSON.stringify(problems)).not.toContain(inner);
  });
});

test('readAuthority: ConfigMaps as they are, Secrets in Base64, never a key', () => {
  const read = (kind: string, text: string) =>
    readAuthority({ apiVersion: 'v1', kind, metadata, data: { 'ca.crt': text } }, inspectAuthority);
  const wanted = { key: 'shop/cert', certificates: authority.certificate };
  expect(read('ConfigMap', `${authority.key}${authority.certificate}`).value).toMatchObject(wanted);
  expect(read('Secret', base64(authority.certificate)).value).toMatchObject(wanted);
  expect(read('Secret', authority.certificate).value).toBeUndefined();
  const bad = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';
  expect(read('ConfigMap', `${authority.certificate}${bad}`).problems).toMatchObject([
    { field: 'data[ca.crt]', code: 'InvalidCertificate' },
  ]);
});
