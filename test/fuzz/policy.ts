/**
 * Random clusters and policies of all kinds, changed again and again: the oracle, both compiles, the kernel's tables and real packets must
 * agree. `node test/fuzz/policy.ts [--minutes 30] [--seed N]`; a disagreement is printed as a file for test/corpus, and ends it with 1.
 */
import { parseArgs } from 'node:util';
import { caseText } from './case-text.ts';
import { openFuzzNet } from './net.ts';
import { startRounds } from './rounds.ts';

/** Then from nothing, so that a run of many hours visits small clusters, too. */
const roundsACluster = 40;

export type FuzzResult = { readonly rounds: number; readonly cases: readonly string[] };

/** Runs for so long, or until the first round in which something disagreed. */
export async function fuzzPolicy(minutes: number, seed: number): Promise<FuzzResult> {
  const until = performance.now() + minutes * 60_000;
  let rounds = 0;
  while (performance.now() < until) {
    const net = await openFuzzNet();
    try {
      const run = await startRounds(net);
      for (let round = 0; round < roundsACluster && performance.now() < until; round++) {
        const found = await run.next(seed + rounds);
        rounds += 1;
        if (found.length > 0) return { rounds, cases: [caseText(found, `seed ${seed}, round ${rounds}`)] };
      }
    } finally {
      await net.close();
    }
  }
  return { rounds, cases: [] };
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '30' },
      seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    },
  });
  const seed = Number(values.seed);
  process.stdout.write(`seed ${seed}, ${values.minutes} minutes\n`);
  const { rounds, cases } = await fuzzPolicy(Number(values.minutes), seed);
  process.stdout.write(`${rounds} rounds\n${cases.join('\n')}`);
  process.exit(cases.length > 0 ? 1 : 0);
}
