/** A node dies silently: how long a client outside gets no answer, or not always one. */

import { eventually } from '#lab/eventually.ts';
import { routerRoutes } from '#lab/router-table.ts';
import { type Row, row } from '#programs/cli/bench/row.ts';
import { median } from '#programs/cli/bench/statistics.ts';
import { type Outage, outageOf, startClient } from './lb-flow.ts';
import {
  balanced,
  commonObjects,
  echoPort,
  type Ground,
  holdSeconds,
  nodes,
  peers,
  type Wish,
} from './lb-ground.ts';

type Way = 'L2' | 'BGP, hold timers' | 'BGP, BFD';

export type Death = { readonly way: Way; readonly wish: Wish & { readonly address: string } };

const addresses = { L2: ['192.168.66.230', '192.168.66.231'], BGP: ['198.51.100.30', '198.51.100.31'] };

const deaths: readonly Death[] = (['L2', 'BGP, hold timers', 'BGP, BFD'] as const).flatMap((way) =>
  [false, true].map((local): Death => {
    const [cluster = '', near = ''] = addresses[way === 'L2' ? 'L2' : 'BGP'];
    const pool = way === 'L2' ? 'segment' : 'fabric';
    const name = `${pool}-${local ? 'local' : 'cluster'}`;
    return { way, wish: { name, pool, address: local ? near : cluster, local } };
  }),
);

/** What it is compared with, in milliseconds. */
const references: Readonly<Record<Way, { readonly what: string; readonly value: number }>> = {
  // As others found it (MetalLB's own documentation: within a few seconds; memberlist's timers: 5 to 6).
  L2: { what: 'MetalLB as published', value: 5_500 },
  'BGP, hold timers': { what: 'hold time', value: holdSeconds * 1000 },
  'BGP, BFD': { what: '3 intervals of BFD', value: 300 },
};
const goals: Partial<Record<Way, number>> = { L2: 1000, 'BGP, BFD': 500 };

export type Extent = {
  readonly runs: number;
  /** Not all of it: what must end soon. */
  readonly quick: boolean;
  readonly progress: (line: string) => void;
};

export async function nodeDeaths(ground: Ground, { runs, quick, progress }: Extent): Promise<Row[]> {
  const rows: Row[] = [];
  await ground.apply(...commonObjects, ...deaths.map(({ wish }) => balanced(wish)));
  for (const death of quick ? deaths.filter(({ wish }) => wish.local !== true) : deaths) {
    const bfd = death.way === 'BGP, BFD';
    if (death.way !== 'L2') await ground.apply(...peers(bfd));
    const found: Outage[] = [];
    for (let run = 0; run < runs; run++) {
      const outage = await oneDeath(ground, death, run);
      const { wish, way } = death;
      progress(
        `${way}, ${wish.local === true ? 'Local' : 'Cluster'}: ${Math.round(outage.milliseconds)} ms, ${outage.lost} lost`,
      );
      found.push(outage);
    }
    rows.push(...deathRows(death, found));
  }
  return rows;
}

function deathRows({ way, wish }: Death, found: readonly Outage[]): Row[] {
  const policy = wish.local === true ? 'Local' : 'Cluster';
  const samples = found.map(({ milliseconds }) => milliseconds);
  const atMost = goals[way];
  const figure = (what: string, value: number) =>
    row({
      name: `node dies, ${way}, policy ${policy}: ${what}`,
      size: nodes.length,
      value,
      unit: 'ms',
      against: references[way],
      ...(atMost === undefined ? {} : { goal: { of: 'value', atMost } as const }),
    });
  return [figure('median', median(samples)), figure('worst', Math.max(...samples))];
}

/** The longest that anything takes without BFD; then it counts as never. */
const longest = 60_000;
/** Answers in a row that make an end of it: two seconds. */
const enough = 400;

async function oneDeath(ground: Ground, { way, wish }: Death, run: number): Promise<Outage> {
  const { lab } = ground;
  const isBGP = way !== 'L2';
  await ground.whole(isBGP ? way === 'BGP, BFD' : undefined);
  const victim = await (isBGP ? announcerOf(ground, wish.address, run) : leaderOf(ground, wish.address));
  // Of the router's machine, which is the next hop of everybody beyond; a client on the segment would ask for the address.
  const client = await startClient(lab, isBGP ? 'router' : 'outside', wish.address, echoPort);
  try {
    await client.steady(enough);
    client.begin();
    await lab.cutCable(victim);
    await client.steady(enough, longest);
  } finally {
    await lab.plugCable(victim);
  }
  return outageOf(await client.stop());
}

export async function leaderOf({ neighbors }: Ground, address: string): Promise<string> {
  return eventually(async () => {
    const found = (await neighbors.whoAnswers([address])).get(address) ?? [];
    const [only] = found;
    if (only === undefined || found.length > 1)
      throw new Error(`${address} is answered by ${found.join(', ') || 'nobody'}`);
    return only;
  }, 30_000);
}

/** Every node in turn, once all of them announce it. */
async function announcerOf({ lab }: Ground, address: string, run: number): Promise<string> {
  return eventually(async () => {
    const via = (await routerRoutes(lab)).get(`${address}/32`)?.via ?? [];
    const victim = via[run % nodes.length];
    if (victim === undefined || via.length < nodes.length)
      throw new Error(`the router has ${address} via ${via.join(', ') || 'nobody'}`);
    return victim;
  }, 60_000);
}
