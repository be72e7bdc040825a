/** For tests: the real kubectl, of the node image, against a server of its own. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '../eventually.ts';
import { imageRoot } from '../image/image.ts';
import { kubeconfig } from './kubeconfig.ts';
import { type TestServer, testServer } from './testing.ts';

export type KubectlResult = { readonly code: number; readonly out: string; readonly err: string };

export type Kubectl = {
  readonly api: TestServer;
  readonly directory: string;
  run(...args: readonly string[]): Promise<KubectlResult>;
  /** With additional environment variables and with standard input. */
  runWith(env: Record<string, string>, input: string, ...args: readonly string[]): Promise<KubectlResult>;
  /** What it printed; throws when it fails. */
  good(...args: readonly string[]): Promise<string>;
  apply(manifest: object, ...args: readonly string[]): Promise<KubectlResult>;
  /** One that stays; the caller ends it. */
  start(...args: readonly string[]): ChildProcess;
  close(): Promise<void>;
};

export async function openKubectl(): Promise<Kubectl> {
  const program = `${await imageRoot()}/usr/bin/kubectl`;
  const api = await testServer();
  const directory = mkdtempSync(join(tmpdir(), 'netloom-kubectl-'));
  const { authority, admin } = api.server.pki;
  const config = join(directory, 'config');
  const text = kubeconfig({
    server: api.url,
    authorityCertificate: authority.certificate,
    user: 'admin',
    credentials: admin,
  });
  writeFileSync(config, text);
  const environment = { PATH: process.env['PATH'], HOME: directory, KUBECONFIG: config };
  const runWith: Kubectl['runWith'] = (env, input, ...args) =>
    new Promise((resolve) => {
      const options = { env: { ...environment, ...env }, timeout: 30_000 };
      const child = execFile(program, [...args], options, (error, out, err) =>
        resolve({ code: error === null ? 0 : Number(error.code ?? 1), out, err }),
      );
      child.stdin!.end(input);
    });
  const run: Kubectl['run'] = (...args) => runWith({}, '', ...args);
  await eventually(async () => {
    const { code } = await api.call('GET', '/api/v1/namespaces/default/serviceaccounts/default');
    if (code !== 200) throw new Error(`no default service account (${code})`);
  });
  return {
    api,
    directory,
    run,
    runWith,
    async good(...args) {
      const { code, out, err } = await run(...args);
      if (code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${err}`);
      return out;
    },
    apply: (manifest, ...args) => runWith({}, JSON.stringify(manifest), 'apply', '-f', '-', ...args),
    start: (...args) => spawn(program, [...args], { env: environment }),
    async close() {
      await api.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
