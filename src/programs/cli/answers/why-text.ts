/** An answer of `netloom why` as people read it. */

import { formatRanges } from '#compile/answers/segments.ts';
import type { Answer, Path, PathEnd, Step } from '#compile/answers/why.ts';
import { columns } from '../columns.ts';

export function answerLines({ verdict, paths, notes }: Answer): string[] {
  const [only] = paths;
  const head =
    paths.length === 1 && only !== undefined
      ? [titleOf(only), ...stepLines(only)]
      : [
          `${verdict === 'partly' ? 'partly allowed' : verdict}: ${paths.length} different answers`,
          ...paths.flatMap((path) => ['', titleOf(path), ...stepLines(path)]),
        ];
  return [...head, ...(notes.length === 0 ? [] : ['', ...notes.map((note) => `note: ${note}`)])];
}

function titleOf({ verdict, from, to, families, ports }: Path): string {
  const which = families.map((family) => `IPv${family}`).join(' and ');
  return `${verdict}: ${endText(from)} → ${to.map(endText).join(', ')}, ${formatRanges(ports)}, ${which}`;
}

function endText({ name, addresses }: PathEnd): string {
  const others = addresses.filter((address) => address !== name);
  return others.length === 0 ? name : `${name} (${others.join(', ')})`;
}

function stepLines({ steps, to }: Path): string[] {
  const isEach = to.length > 1;
  const rows = steps.map((step) => [
    stepName(step, isEach),
    step.outcome === 'audit' ? 'audit only' : step.outcome,
    step.text,
  ]);
  const lines = columns(rows, '  ');
  return steps.flatMap((step, index) => [lines[index] ?? '', ...nearestLines(step)]);
}

function stepName(step: Step, isEach: boolean): string {
  switch (step.kind) {
    case 'egress':
    case 'ingress':
      return `${step.kind} of ${isEach && step.kind === 'ingress' ? 'each' : step.subject}`;
    case 'service':
      return step.isHostPort ? `host port of pod ${step.service}` : `Service ${step.service}`;
    case 'subnet':
      return 'Subnet';
    case 'source':
      return 'source';
  }
}

function nearestLines(step: Step): string[] {
  if ((step.kind !== 'egress' && step.kind !== 'ingress') || step.isolatedBy.length === 0) return [];
  const { nearest } = step;
  return nearest === undefined
    ? []
    : [`      nearest: ${nearest.policy.replace('/', ' ')} ${nearest.rule}: ${nearest.because}`];
}
