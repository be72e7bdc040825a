/** Every case of test/corpus/gateway that a cluster can be asked of, with real requests from outside: in one lab, some at a time. */
import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from '#lab/eventually.ts';
import { inNode } from '#lab/paths.ts';
import { createAuthority, scratch } from '#programs/gateway/testing.ts';
import { readCases } from '../corpus/files.ts';
import { resourceType } from './case-cluster.ts';
import { type Results, runQueue } from './case-queue.ts';
import { type Cluster, startCluster } from './cluster.ts';
import { type GatewayCaseRun, runGatewayCase, runsInCluster } from './gateway-case.ts';

/** Each has pods of its own. */
const atOnce = Number(process.env.NETLOOM_CASES ?? 3);
/** NETLOOM_CASE=gateway/paths,gateway/hosts runs the cases whose names begin so. */
const only = process.env.NETLOOM_CASE ?? '';
const firstPort = 20_000;
const portCount = 300;

const cases = readCases().filter(
  (each) => runsInCluster(each) && only.split(',').some((name) => each.name.startsWith(name)),
);
const { directory, remove } = scratch();
let cluster: Cluster;
let results: Results;

beforeAll(async () => {
  cluster = await startCluster('gateway-cases', { nodes: 2 });
  const pool = { name: 'gateways', namespace: 'metallb-system' };
  await cluster.apply(
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: pool.namespace } },
    {
      apiVersion: 'metallb.io/v1beta1',
      kind: 'IPAddressPool',
      metadata: pool,
      spec: { addresses: ['192.168.66.210-192.168.66.239', 'fd66::d2-fd66::ef'] },
    },
    { apiVersion: 'metallb.io/v1beta1', kind: 'L2Advertisement', metadata: pool, spec: {} },
  );
  const authority = await startBackends();
  const [address = ''] = await cluster.lab.addressesOf('outside');
  let next = firstPort;
  const backends = { address, authority, nextPort: () => next++ };
  const run: GatewayCaseRun = { cluster, type: resourceType, backends };
  results = runQueue(cases, atOnce, (given, place) => runGatewayCase(run, given, `g${place}`));
}, 240_000);

afterAll(async () => {
  await cluster?.down();
  remove();
}, 60_000);

test.each(cases.map((each) => [each.name, each.title] as const))(
  '%s: %s',
  async (name) => {
    expect(await results.get(name)).toEqual([]);
  },
  600_000,
);

/** Gives the authority of their certificate. */
async function startBackends(): Promise<string> {
  const authority = createAuthority(directory, 'backends');
  const { certificate, privateKey } = authority.sign(
    'backend',
    'DNS:backend.example,URI:spiffe://cluster/backend',
  );
  const root = `/proc/${await cluster.lab.pidOf('outside')}/root`;
  writeFileSync(`${root}/run/backend.crt`, certificate);
  writeFileSync(`${root}/run/backend.key`, privateKey);
  const program = `${inNode.source}/test/lab/gateway-backends.ts`;
  const files = ['/run/backend.crt', '/run/backend.key'];
  const argv = ['node', program, String(firstPort), String(portCount), ...files];
  const child = await cluster.lab.spawn('outside', argv);
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (part: Buffer) => {
      said += part.toString();
    });
  }
  await eventually(() => expect(said).toContain('ready'));
  return authority.certificate;
}
