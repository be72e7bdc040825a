/** What the image is made of, and what its failures mean. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import {
  debianArchitecture,
  explainFailure,
  imageHashes,
  mmdebstrapArguments,
  parsePackages,
} from './recipe.ts';

const inputs = { packages: ['a', 'b'], architecture: 'amd64' };

test('a package list: comments, blanks, order and repeats do not matter', () => {
  expect(parsePackages('tcc # why\n\n# all\ncrun\ntcc\n')).toEqual(['crun', 'tcc']);
  expect(() => parsePackages('nftables --allow-unauthenticated')).toThrow('is not a package name');
  expect(parsePackages(readFileSync(new URL('packages.txt', import.meta.url), 'utf8'))).toContain('nftables');
});

test('the hash follows the content; the CNI executable changes the image but not its base', () => {
  const plain = imageHashes(inputs);
  expect(imageHashes({ ...inputs })).toEqual(plain);
  expect(imageHashes({ ...inputs, packages: ['a'] }).base).not.toBe(plain.base);
  expect(imageHashes({ ...inputs, architecture: 'arm64' }).base).not.toBe(plain.base);
  const shim = imageHashes({ ...inputs, shim: 'int main' });
  expect(shim.base).toBe(plain.base);
  expect(shim.image).not.toBe(plain.image);
});

test('mmdebstrap is told the packages, the release and the mirror', () => {
  const args = mmdebstrapArguments({ ...inputs, mirror: 'http://mirror' }, '/target', [
    'Acquire::http::Proxy "http://p"',
  ]);
  expect(args).toContain('--include=a,b');
  expect(args).toContain('--aptopt=Acquire::http::Proxy "http://p"');
  expect(args.slice(-3)).toEqual(['trixie', '/target', 'http://mirror']);
  expect(debianArchitecture('riscv64')).toBeUndefined();
});

test.each([
  [
    "E: Failed to fetch x  Temporary failure resolving 'deb.debian.org'",
    'the Debian mirror can not be reached',
  ],
  [
    'E: Could not connect to deb.debian.org:80 (1.2.3.4), connection timed out',
    'the Debian mirror can not be reached',
  ],
  ['dpkg: error: write failed\nE: No space left on device', 'the disk is full'],
  [
    [
      'Err:1 http://mirror/nonexist trixie InRelease',
      '  400  Bad Request [IP: 192.0.2.1 80]',
      'E: Failed to fetch http://mirror/nonexist/dists/trixie/InRelease  400  Bad Request [IP: 192.0.2.1 80]',
      "E: The repository 'http://mirror/nonexist trixie InRelease' is not signed.",
    ].join('\n'),
    'check the URL in NETLOOM_DEBIAN_MIRROR and the proxy (http_proxy) (E: Failed to fetch http://mirror/nonexist/dists/trixie/InRelease  400  Bad',
  ],
  ['W: GPG error: NO_PUBKEY 6ED0E7B82643E131', 'debian-archive-keyring'],
  ['E: Unable to locate package crum', 'a package of the list is not in the Debian mirror'],
  ['mount: Operation not permitted', 'run as root outside an unprivileged container'],
  ['one\nE: something else\ntwo', 'E: something else'],
])('%s', (output, meaning) => {
  expect(explainFailure(output)).toContain(meaning);
});
