/**
 * Gateway API's own conformance suite against a lab. `node test/conformance/run.ts [--run-test NAME] [--lab NAME] [--out DIR]`; DIR (default
 * /tmp/netloom-conformance) gets report.yaml and what the suite says. Ends with 1 when a test fails.
 */
import { createWriteStream } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { parse } from 'yaml';
import { createClient } from '#kube/client.ts';
import { loadKubeconfig } from '#kube/kubeconfig.ts';
import { type Lab, openLab } from '#lab/client.ts';
import { labDown } from '#lab/lifecycle.ts';
import { loadImage } from '#lab/load.ts';
import { clusterNetwork, routerAddresses } from '#lab/topology.ts';
import { applyObjects, clusterUp } from '#programs/cli/cluster.ts';
import { run } from '#system/process.ts';
import { buildPrograms } from './programs.ts';

/** Part of upstream's report (gateway.networking.k8s.io/v1 ConformanceReport). */
type Report = {
  readonly profiles?: readonly (Readonly<Record<'core' | 'extended', Results | undefined>> & {
    readonly name: string;
  })[];
};
type Results = {
  readonly result: string;
  readonly statistics: Readonly<Record<'Passed' | 'Failed' | 'Skipped', number>>;
  readonly supportedFeatures?: readonly string[];
  readonly unsupportedFeatures?: readonly string[];
};

const profiles = ['HTTP', 'GRPC', 'TLS', 'TCP', 'UDP'].map((each) => `GATEWAY-${each}`);
/** On the segment of the nodes; the last is asked for by a Gateway of the suite, another one is nobody's. */
const pool = { range: '192.168.66.210-192.168.66.249', usable: '192.168.66.249', unusable: '192.168.77.1' };
const namespace = 'netloom-system';

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: { 'run-test': { type: 'string' }, lab: { type: 'string' }, out: { type: 'string' } },
  });
  const out = resolve(values.out ?? '/tmp/netloom-conformance');
  const progress = (line: string): void => console.log(line);
  const { suite, images } = await buildPrograms(progress);
  const name = values.lab ?? `conformance-${process.pid}`;
  try {
    const shape = { nodes: 2, family: 'dual', mode: 'overlay', mtu: 1500 } as const;
    const lab =
      values.lab === undefined ? await clusterUp({ ...shape, name, progress }) : await openLab(name);
    for (const [image, archive] of images) await loadImage(lab.spec, image, archive);
    await applyPool(lab.kubeconfigPath);
    await mkdir(out, { recursive: true });
    const code = await runSuite(lab, suite, out, values['run-test']);
    if (values['run-test'] === undefined) await printReport(join(out, 'report.yaml'));
    progress(`${code === 0 ? 'passed' : 'failed'}; all that was said: ${join(out, 'output.txt')}`);
    return code === 0 ? 0 : 1;
  } finally {
    if (values.lab === undefined) await labDown(name);
  }
}

async function applyPool(kubeconfig: string): Promise<void> {
  const client = createClient(await loadKubeconfig({ path: kubeconfig }));
  try {
    const apiVersion = 'metallb.io/v1beta1';
    const metadata = { name: 'conformance', namespace };
    await applyObjects(client, [
      { apiVersion, kind: 'IPAddressPool', metadata, spec: { addresses: [pool.range] } },
      { apiVersion, kind: 'L2Advertisement', metadata, spec: {} },
    ]);
  } finally {
    client.close();
  }
}

/** From where clients are: outside of the cluster. */
async function runSuite(lab: Lab, suite: string, out: string, only: string | undefined): Promise<number> {
  const [host = ''] = routerAddresses('ipv4');
  const text = await readFile(lab.kubeconfigPath, 'utf8');
  const kubeconfig = join(out, 'kubeconfig');
  const server = `https://${host}:${clusterNetwork.apiServerPort}`;
  await writeFile(kubeconfig, text.replaceAll(/https:\/\/127\.0\.0\.1:\d+/g, server), { mode: 0o600 });
  const output = createWriteStream(join(out, 'output.txt'));
  const flags = {
    'test.v': 'true',
    'test.timeout': '60m',
    // Some of the suite's tests bring ReferenceGrants that others must not find.
    'test.parallel': '1',
    'gateway-class': 'netloom',
    'conformance-profiles': profiles.join(','),
    'usable-address': pool.usable,
    'unusable-address': pool.unusable,
    organization: 'netloom',
    project: 'netloom',
    url: 'https://netloom.dev',
    version: '0.1.0',
    contact: 'none',
    'report-output': join(out, 'report.yaml'),
    ...(only === undefined ? {} : { 'run-test': only }),
  };
  try {
    const { code } = await run([suite, ...Object.entries(flags).map(([key, value]) => `-${key}=${value}`)], {
      namespace: await lab.namespaceOf('outside'),
      env: { ...process.env, KUBECONFIG: kubeconfig },
      outputLimit: 1024 ** 3,
      onLine: (line) => {
        output.write(`${line}\n`);
        // Results come all at the end.
        const begun = /^=== (?:RUN|CONT) +TestConformance\/([^/]+)$/.exec(line)?.[1];
        const failed = /^ {4}(--- FAIL: \S+)/.exec(line)?.[1];
        if (begun !== undefined || failed !== undefined) console.log(failed ?? begun);
      },
    });
    return code;
  } finally {
    output.end();
    await rm(kubeconfig, { force: true });
  }
}

async function printReport(path: string): Promise<void> {
  const report = parse(await readFile(path, 'utf8')) as Report;
  for (const { name, ...levels } of report.profiles ?? []) {
    for (const level of ['core', 'extended'] as const) {
      const results = levels[level];
      if (results === undefined) continue;
      const { Passed, Failed, Skipped } = results.statistics;
      const features = results.supportedFeatures?.length ?? 0;
      const all = features + (results.unsupportedFeatures?.length ?? 0);
      const served = all === 0 ? '' : `, ${features} of ${all} features`;
      console.log(
        `${name} ${level}: ${results.result}, ${Passed} passed, ${Failed} failed, ${Skipped} skipped${served}`,
      );
    }
  }
}

process.exitCode = await main().catch((error: Error) => {
  console.error(error.message);
  return 1;
});
