/** Makes the probes of all cases, a process a place, and judges what came back. */
import { availableParallelism } from 'node:os';
import type { Probe, ProbeResult } from '#lab/probe/types.ts';
import type { Case, Place } from './cases.ts';

export type CaseResult = {
  readonly group: string;
  readonly title: string;
  readonly ok: boolean;
  /** What came back, or what was wrong with it. */
  readonly detail: string;
  readonly milliseconds: number;
};

/** Runs the probe program at a place with these probes. */
export type ProbeAt = (place: Place, probes: readonly Probe[]) => Promise<readonly ProbeResult[]>;

/**
 * A few places at a time: probes that are late because their machine is busy would be taken for packets that were lost.
 * A place that can't be asked fails all its cases with the reason.
 */
export async function runCases(cases: readonly Case[], probeAt: ProbeAt): Promise<readonly CaseResult[]> {
  const byPlace = Map.groupBy(cases, ({ from }) => (from === 'outside' ? from : `pod ${from.pod}`));
  const results: CaseResult[] = [];
  const left = [...byPlace.values()];
  const worker = async (): Promise<void> => {
    for (let group = left.shift(); group !== undefined; group = left.shift()) {
      results.push(...(await runPlace(group, probeAt)));
    }
  };
  await Promise.all(Array.from({ length: 4 * availableParallelism() }, worker));
  const all = new Map(results.map((result) => [`${result.group} ${result.title}`, result]));
  return cases.flatMap((each) => all.get(`${each.group} ${each.title}`) ?? []);
}

async function runPlace(group: readonly Case[], probeAt: ProbeAt): Promise<readonly CaseResult[]> {
  const place = group[0]?.from ?? 'outside';
  try {
    const answers = await probeAt(
      place,
      group.map((each) => each.probe),
    );
    const byId = new Map(answers.map((answer) => [answer.id, answer]));
    return group.map((each) => judged(each, byId.get(each.probe.id)));
  } catch (error) {
    return group.map((each) => failed(each, firstLines(error)));
  }
}

function judged(each: Case, answer: ProbeResult | undefined): CaseResult {
  if (answer === undefined) return failed(each, 'the probe gave no answer');
  const bad = each.judge(answer);
  const { milliseconds } = answer;
  return {
    group: each.group,
    title: each.title,
    ok: bad === undefined,
    detail: bad ?? answer.outcome,
    milliseconds,
  };
}

function failed({ group, title }: Case, detail: string): CaseResult {
  return { group, title, ok: false, detail, milliseconds: 0 };
}

/** A program's whole trace says less than its beginning and its error. */
function firstLines(error: unknown): string {
  const lines = (error instanceof Error ? error.message : String(error))
    .split('\n')
    .filter((line) => line.trim() !== '');
  const named = lines.find((line) => /^\w*Error\b/.test(line));
  return named === undefined || named === lines[0] ? (lines[0] ?? '') : `${lines[0]} … ${named}`;
}
