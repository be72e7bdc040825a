/** Moves that somebody plans: what a client outside loses. */
import { serviceType } from '#api/core.ts';
import { eventually } from '#lab/eventually.ts';
import { routerRoutes } from '#lab/router-table.ts';
import { type Row, row } from '#programs/cli/bench/row.ts';
import { imageKubectl } from '#programs/cli/kubectl.ts';
import { run as runProgram } from '#system/process.ts';
import { type Extent, leaderOf } from './lb-failover.ts';
import { outageOf, startClient } from './lb-flow.ts';
import {
  balanced,
  commonObjects,
  datapathOf,
  echoes,
  echoPort,
  type Ground,
  nodes,
  peers,
} from './lb-ground.ts';

type Move = {
  readonly name: string;
  readonly from: 'outside' | 'router';
  readonly service: string;
  readonly address: string;
  /** Does it, and resolves when it is done. */
  readonly go: (ground: Ground, run: number) => Promise<void>;
  readonly back?: (ground: Ground) => Promise<void>;
};

const l2 = { service: 'moves-segment', address: '192.168.66.238' } as const;
const bgp = { service: 'moves-fabric', address: '198.51.100.38' } as const;

const moves: readonly Move[] = [
  {
    ...l2,
    name: 'another leader, L2',
    from: 'outside',
    go: async (ground) => {
      const before = await leaderOf(ground, l2.address);
      const after = nodes.find((node) => node !== before) ?? '';
      const body = { metadata: { annotations: { 'netloom.dev/announcer': after } } };
      const target = { namespace: 'default', name: l2.service };
      await ground.client.patch(serviceType, target, { kind: 'merge', body });
      await moved(ground, before);
    },
  },
  {
    ...l2,
    name: 'drain of the leader, L2',
    from: 'outside',
    go: async (ground) => {
      const before = await leaderOf(ground, l2.address);
      await drain(ground, before);
      await moved(ground, before);
    },
    back: uncordon,
  },
  {
    ...bgp,
    name: 'drain of a node, BGP',
    from: 'router',
    go: async (ground, run) => drain(ground, nodes[run % nodes.length] ?? 'node1'),
    back: uncordon,
  },
  {
    ...l2,
    name: "restart of the leader's datapath and agent, L2",
    from: 'outside',
    go: async (ground) => {
      const leader = await leaderOf(ground, l2.address);
      const { instance } = await datapathOf(ground.lab, leader);
      const of = ['--field-selector', `spec.nodeName=${leader}`, '-l', 'app.kubernetes.io/component=node'];
      await kubectl(ground, '-n', 'netloom-system', 'delete', 'pod', ...of);
      await eventually(async () => {
        if ((await datapathOf(ground.lab, leader)).instance === instance) throw new Error('it runs on');
      }, 30_000);
    },
  },
];

export async function plannedMoves(ground: Ground, { runs, quick, progress }: Extent): Promise<Row[]> {
  await ground.apply(
    ...commonObjects,
    ...peers(true),
    balanced({ name: l2.service, pool: 'segment', address: l2.address }),
    balanced({ name: bgp.service, pool: 'fabric', address: bgp.address }),
  );
  const rows: Row[] = [];
  for (const move of quick ? moves.filter(({ back }) => back === undefined) : moves) {
    let lost = 0;
    let sent = 0;
    for (let run = 0; run < runs; run++) {
      const found = await oneMove(ground, move, run);
      lost += found.lost;
      sent += found.sent;
      progress(`${move.name}: ${found.lost} of ${found.sent} lost`);
    }
    rows.push(
      row({
        name: `lost, ${move.name}, ${runs} times`,
        size: nodes.length,
        value: lost,
        unit: 'requests',
        against: { what: 'sent', value: sent },
        goal: { of: 'value', atMost: 0 },
      }),
    );
  }
  return rows;
}

const enough = 400;

async function oneMove(ground: Ground, { from, address, go, back }: Move, run: number) {
  await ground.whole(true);
  await eventually(async () => {
    const via = (await routerRoutes(ground.lab)).get(`${bgp.address}/32`)?.via ?? [];
    if (via.length < nodes.length) throw new Error(`the router has ${bgp.address} via ${via.join(', ')}`);
  }, 60_000);
  const client = await startClient(ground.lab, from, address, echoPort);
  try {
    await client.steady(enough);
    client.begin();
    await go(ground, run);
    await client.steady(enough);
    const sent = await client.stop();
    return { lost: outageOf(sent).lost, sent: sent.length };
  } finally {
    await back?.(ground);
  }
}

async function moved(ground: Ground, before: string): Promise<void> {
  await eventually(async () => {
    if ((await leaderOf(ground, l2.address)) === before) throw new Error(`${before} still answers`);
  }, 30_000);
}

const leaves = 'ToBeDeletedByClusterAutoscaler';

/** As a cluster's autoscaler takes a node out: it says so, then sends the pods away. */
async function drain(ground: Ground, node: string): Promise<void> {
  await kubectl(ground, 'taint', 'node', node, `${leaves}=1:NoSchedule`);
  await kubectl(ground, 'drain', node, '--ignore-daemonsets', '--force', '--delete-emptydir-data');
}

/** The pods of a drained node come back with it. */
async function uncordon(ground: Ground): Promise<void> {
  for (const node of nodes) {
    await kubectl(ground, 'uncordon', node);
    // Of nodes that don't have it there is nothing to take away.
    await kubectl(ground, 'taint', 'node', node, `${leaves}-`).catch(() => {});
  }
  await ground.apply(...echoes);
}

async function kubectl({ lab }: Ground, ...args: readonly string[]): Promise<void> {
  const argv = [...imageKubectl(lab.spec.imageRoot), ...args];
  const { code, stderr } = await runProgram(argv, {
    env: { ...process.env, KUBECONFIG: lab.kubeconfigPath },
    timeoutMs: 90_000,
  });
  if (code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${stderr.trim()}`);
}
