/** Which Secrets and ConfigMaps are certificates, and that nothing of what they hold is told. */
import { describe, expect, test } from 'vitest';
import { makeCertificate } from '#lab/apiserver/certificate.ts';
import { inspectAuthority, inspectCertificate } from '#system/certificate.ts';
import { readAuthority } from './authority.ts';
import { isCertificate, readCertificate } from './certificate.ts';

const notBefore = new Date('2026-01-01T00:00:00Z');
const notAfter = new Date('2036-01-01T00:00:00Z');
const authority = makeCertificate({ use: 'authority', commonName: 'ca', notBefore, notAfter });
const server = makeCertificate(
  { use: 'server', commonName: 'a', names: ['a.example'], notBefore, notAfter },
  authority,
);
const base64 = (text: string) => Buffer.from(text).toString('base64');
const metadata = { name: 'cert', namespace: 'shop' };

const objectOf = (data: unknown, type = 'kubernetes.io/tls') => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata,
  type,
  data,
});
const secret = (data: unknown) => readCertificate(objectOf(data), inspectCertificate);
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
    ['no data', undefined, 'data[tls.crt]'],
    ['no key', { 'tls.crt': pair['tls.crt'] }, 'data[tls.key]'],
    ['no Base64', { ...pair, 'tls.crt': '%%%' }, 'data[tls.crt]'],
    ['no PEM', { ...pair, 'tls.crt': base64('hello') }, 'data[tls.crt]'],
    ['an open block', { ...pair, 'tls.key': base64(server.key.slice(0, 80)) }, 'data[tls.key]'],
    ['a certificate as key', { ...pair, 'tls.key': pair['tls.crt'] }, 'data[tls.key]'],
    ['two keys', { ...pair, 'tls.key': base64(server.key + authority.key) }, 'data[tls.key]'],
    ['another key', { ...pair, 'tls.key': base64(authority.key) }, 'data[tls.crt]'],
    [
      'an encrypted key',
      { ...pair, 'tls.key': base64(server.key.replaceAll('PRIVATE KEY', 'ENCRYPTED PRIVATE KEY')) },
      'data[tls.key]',
    ],
    ['more than ASCII', { ...pair, 'tls.crt': base64(`ä${server.certificate}`) }, 'data[tls.crt]'],
  ])('%s is refused', (_, data, field) => {
    const { value, problems } = secret(data);
    expect(value).toBeUndefined();
    expect(problems.map((each) => each.field)).toContain(field);
    const inner = server.key.split('\n')[1]!;
    expect(JSON.stringify(problems)).not.toContain(inner);
  });
});

test('a Secret with both keys is one, whatever its type, and one of the type whatever is in it', () => {
  const is = (data: unknown, type?: string) => isCertificate(objectOf(data, type));
  expect([is(pair, 'Opaque'), is(pair), is(undefined)]).toEqual([true, true, true]);
  expect(readCertificate(objectOf(pair, 'Opaque'), inspectCertificate).problems).toEqual([]);
  const half = { 'tls.crt': pair['tls.crt'] };
  expect([is(half, 'Opaque'), is(undefined, 'Opaque'), is(null, 'Opaque')]).toEqual([false, false, false]);
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
