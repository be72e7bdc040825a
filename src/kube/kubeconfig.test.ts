/** Kubeconfig files and service accounts, as they are found on real machines. */
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { inClusterConfig, loadConfig, loadKubeconfig, tokenFile } from './kubeconfig.ts';

let directory = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'netloom-kubeconfig-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

const write = (name: string, text: string): string => {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
};
const base64 = (text: string): string => Buffer.from(text).toString('base64');

const config = `
apiVersion: v1
kind: Config
current-context: lab
contexts:
- {name: lab, context: {cluster: c, user: admin, namespace: ns}}
- {name: other, context: {cluster: c, user: robot}}
- {name: broken, context: {cluster: nowhere, user: admin}}
- {name: cloud, context: {cluster: c, user: cloud}}
clusters:
- name: c
  cluster: {server: 'https://[fd66::1]:6443', certificate-authority: ca.pem, tls-server-name: kubernetes}
users:
- name: admin
  user: {client-certificate-data: ${base64('CERT')}, client-key-data: ${base64('KEY')}}
- name: robot
  user: {tokenFile: token}
- name: cloud
  user: {exec: {command: cloud-login}}
`;

describe('kubeconfig', () => {
  test('the current context, with files found beside the kubeconfig', async () => {
    write('ca.pem', 'CA');
    expect(await loadKubeconfig({ path: write('config', config) })).toEqual({
      server: 'https://[fd66::1]:6443',
      ca: 'CA',
      serverName: 'kubernetes',
      insecureSkipTlsVerify: undefined,
      cert: 'CERT',
      key: 'KEY',
      token: undefined,
      namespace: 'ns',
    });
  });

  test('a named context, its token read again when the file changes', async () => {
    write('ca.pem', 'CA');
    write('token', 'first\n');
    const { token } = await loadKubeconfig({ path: write('config', config), context: 'other' });
    expect(typeof token === 'function' && token()).toBe('first');
    write('next', 'the second\n');
    renameSync(join(directory, 'next'), join(directory, 'token'));
    expect(typeof token === 'function' && token()).toBe('the second');
  });

  test('several files: the first to say a thing wins, a missing one is passed over', async () => {
    write('ca.pem', 'CA');
    const paths = [
      join(directory, 'missing'),
      write('first', 'current-context: other'),
      write('config', config),
    ];
    write('token', 't');
    const { KUBECONFIG, ...loaded } = { KUBECONFIG: paths.join(':') };
    expect(loaded).toEqual({});
    expect((await loadConfig({}, { KUBECONFIG })).cert).toBeUndefined();
  });

  test.each([
    ['no file', {}, /no kubeconfig at .*nothing/],
    ['no such context', { context: 'x' }, /no context "x"/],
    ['a context without its cluster', { context: 'broken' }, /context broken: no cluster "nowhere"/],
    ['a login program', { context: 'cloud' }, /user cloud: exec is not supported/],
  ])('%s is an error that names it', async (what, options, message) => {
    write('ca.pem', 'CA');
    const path = what === 'no file' ? join(directory, 'nothing') : write('config', config);
    await expect(loadKubeconfig({ path, ...options })).rejects.toThrow(message);
  });
});

describe('in a pod', () => {
  const environment = { KUBERNETES_SERVICE_HOST: 'fd10:96::1', KUBERNETES_SERVICE_PORT: '443' };

  test('the service account, an IPv6 server in brackets', () => {
    write('token', 't\n');
    write('ca.crt', 'CA');
    write('namespace', 'netloom-system\n');
    expect(inClusterConfig({ directory }, environment)).toMatchObject({
      server: 'https://[fd10:96::1]:443',
      ca: 'CA',
      namespace: 'netloom-system',
    });
  });

  test('outside of one the error says so; without its files too', () => {
    expect(() => inClusterConfig({ directory }, {})).toThrow('not in a pod');
    expect(() => inClusterConfig({ directory }, environment)).toThrow(/ENOENT.*token/);
  });

  test('while a rotated token can not be read, the last one stays', () => {
    const token = tokenFile(write('token', 'one'));
    expect(token()).toBe('one');
    rmSync(join(directory, 'token'));
    expect(token()).toBe('one');
    write('token', '');
    expect(token()).toBe('one');
    write('token', 'three');
    expect(token()).toBe('three');
  });
});
