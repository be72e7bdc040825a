/** Every case of test/corpus that has packets, with real ones: in one dual-stack lab, several cases at a time. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { routerPeers } from '#lab/router.ts';
import { type Case, hasPackets } from '../corpus/case.ts';
import { readCases } from '../corpus/files.ts';
import { type CaseCluster, startCaseCluster } from './case-cluster.ts';
import { type Results, runQueue } from './case-queue.ts';
import { runCase } from './case-run.ts';

/** More would wait for the two processors, and take answers that are late for packets that are dropped. */
const atOnce = Number(process.env.NETLOOM_CASES ?? 8);
/** NETLOOM_CASE=policy/admin runs the cases whose names begin so. */
const only = process.env.NETLOOM_CASE ?? '';

const cases = readCases().filter((each) => hasPackets(each) && each.name.startsWith(only));
let cluster: CaseCluster;
let results: Results;

beforeAll(async () => {
  cluster = await startCaseCluster('corpus', { nodes: 3, bgpRouter: true });
  await cluster.cluster.apply(
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'metallb-system' } },
    ...routerPeers('dual'),
  );
  results = runQueue(cases, atOnce, (given, place) =>
    alone(given, () => runCase(cluster, given, `c${place}`)),
  );
}, 240_000);

afterAll(() => cluster?.down(), 60_000);

test.each(cases.map((each) => [each.name, each.title] as const))(
  '%s: %s',
  async (name) => {
    expect(await results.get(name)).toEqual([]);
  },
  600_000,
);

/** A cluster has one BaselineAdminNetworkPolicy, and any Service may take of any IPAddressPool: cases that have one wait for each other. */
const shared = ['BaselineAdminNetworkPolicy', 'IPAddressPool'];
const last = new Map<string, Promise<unknown>>();

function alone<T>(given: Case, work: () => Promise<T>): Promise<T> {
  const kind = shared.find((each) =>
    given.steps.some(({ manifests }) => manifests.includes(`kind: ${each}`)),
  );
  if (kind === undefined) return work();
  const before = last.get(kind) ?? Promise.resolve();
  const turn = before.then(work, work);
  last.set(kind, turn);
  return turn;
}
