/** What is seen in certificates and keys, and what is refused. */
import { describe, expect, test } from 'vitest';
import { makeCertificate } from '#lab/apiserver/certificate.ts';
import { inspectAuthority, inspectCertificate } from './certificate.ts';

const notBefore = new Date('2026-01-01T00:00:00Z');
const notAfter = new Date('2036-01-01T00:00:00Z');
const authority = makeCertificate({ use: 'authority', commonName: 'ca.example', notBefore, notAfter });
const make = (commonName: string, names: readonly string[]) =>
  makeCertificate({ use: 'server', commonName, names, notBefore, notAfter }, authority);
const server = make('other.example', ['Shop.Example', '*.b.example', '10.0.0.1']);

describe('inspectCertificate', () => {
  test('gives the DNS names of the leaf in lower case', () => {
    expect(inspectCertificate(`${server.certificate}${authority.certificate}`, server.key)).toEqual({
      names: ['shop.example', '*.b.example'],
    });
  });

  test('the common name counts only where there are no other names', () => {
    expect(inspectCertificate(authority.certificate, authority.key)).toEqual({ names: ['ca.example'] });
  });

  test.each([
    ['another key', server.certificate, authority.key, 'is of another key than tls.key'],
    ['no key', server.certificate, 'x', 'comes with a private key that can’t be read'],
    [
      'a chain with something else',
      `${server.certificate}-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n`,
      server.key,
      'has something else than a certificate as number 2',
    ],
    ['nothing', '', server.key, 'has no certificate'],
  ])('%s is told', (_, certificate, key, said) => {
    expect(inspectCertificate(certificate, key)).toBe(said);
  });
});

test('inspectAuthority looks at every certificate', () => {
  expect(inspectAuthority(`${authority.certificate}${server.certificate}`)).toBeUndefined();
  const bad = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';
  expect(inspectAuthority(`${authority.certificate}${bad}`)).toMatch(/number 2/);
});
