/** For whom a certificate is, by real certificates. */
import { X509Certificate } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Authority, createAuthority, scratch } from '../testing.ts';
import { alternativeNames, wrongIdentity } from './verify.ts';

const { directory, remove } = scratch();
let authority: Authority;
beforeAll(() => {
  authority = createAuthority(directory, 'ca');
});
afterAll(remove);

const der = (names: string, subject = 'web.example') =>
  new X509Certificate(authority.sign(subject, names).certificate).raw;

test('without names the hostname counts, wildcards are one whole label, and the common name is nothing', () => {
  const web = { hostname: 'web.example' };
  expect(wrongIdentity(web, der('DNS:web.example'))).toBeUndefined();
  expect(wrongIdentity(web, der('DNS:WEB.example'))).toBeUndefined();
  expect(wrongIdentity(web, der('DNS:other.example'))).toContain('not for web.example');
  expect(wrongIdentity(web, der(''))).toContain('no name');
  expect(wrongIdentity({ hostname: 'a.web.example' }, der('DNS:*.web.example'))).toBeUndefined();
  expect(wrongIdentity({ hostname: 'a.b.web.example' }, der('DNS:*.web.example'))).toBeDefined();
  expect(wrongIdentity(web, der('DNS:*.web.example'))).toBeDefined();
  expect(wrongIdentity(web, der('DNS:w*.example'))).toBeDefined();
});

test('with names the hostname does not count, and one of them is enough', () => {
  const either = {
    hostname: 'web.example',
    subjectAltNames: [
      { type: 'uri', value: 'spiffe://cluster/ns/x/sa/web' },
      { type: 'dns', value: 'real.web.example' },
      { type: 'dns', value: '*.wild.example' },
    ],
  } as const;
  expect(wrongIdentity(either, der('DNS:web.example'))).toContain('for none of');
  expect(wrongIdentity(either, der('DNS:real.web.example'))).toBeUndefined();
  expect(wrongIdentity(either, der('DNS:*.web.example'))).toBeUndefined();
  expect(wrongIdentity(either, der('DNS:*.wild.example'))).toBeUndefined();
  expect(wrongIdentity(either, der('DNS:a.wild.example'))).toBeUndefined();
  expect(wrongIdentity(either, der('DNS:a.b.wild.example'))).toBeDefined();
  expect(wrongIdentity(either, der('URI:spiffe://cluster/ns/x/sa/web'))).toBeUndefined();
  expect(wrongIdentity(either, der('URI:spiffe://cluster/ns/x/sa/web2'))).toBeDefined();
  expect(wrongIdentity(either, der('URI:spiffe://cluster/ns/x/sa/WEB'))).toBeDefined();
  // The right text in a name of another type.
  expect(wrongIdentity(either, der('email:a@real.web.example,URI:http://real.web.example'))).toBeDefined();
});

test('a name can not pretend to be two', () => {
  const forged = 'URI:http://a/\\, URI:spiffe://cluster/ns/x/sa/web';
  const wanted = {
    hostname: 'web.example',
    subjectAltNames: [{ type: 'uri', value: 'spiffe://cluster/ns/x/sa/web' }],
  } as const;
  // In the form that Node prints such a name in.
  expect(alternativeNames(`URI:${JSON.stringify(forged)}, DNS:b.example`)).toEqual([
    { type: 'URI', value: forged },
    { type: 'DNS', value: 'b.example' },
  ]);
  expect(alternativeNames('DNS:a.example, URI:spiffe://b, IP Address:10.0.0.1')).toEqual([
    { type: 'DNS', value: 'a.example' },
    { type: 'URI', value: 'spiffe://b' },
    { type: 'IP Address', value: '10.0.0.1' },
  ]);
  expect(wrongIdentity(wanted, der('URI:spiffe://cluster/ns/x/sa/other'))).toBeDefined();
});
