/** Holds every case file to what it says of the compile of a node and of policy; test/lab/corpus.test.ts sends its packets. */
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { findPolicyProblems } from '#compile/policy/findings.ts';
import type { Problem } from '#model/problem.ts';
import type { Case, Probe } from './case.ts';
import { compile } from './compile.ts';
import { readCases } from './files.ts';
import { verdictsOf } from './flows.ts';
import { documents } from './objects.ts';
import { advance, emptyWorld, policiesOf } from './world.ts';

type Expectation = { readonly problems?: readonly string[]; readonly intent?: object };

const cases = readCases().map((each) => [each.name, each] as const);

test.each(cases)('%s', (_, given) => {
  if (given.expect !== undefined) holdsCompile(given, given.expect);
  holdsPolicy(given);
});

function holdsCompile({ steps }: Case, { node, yaml }: NonNullable<Case['expect']>): void {
  expect(node, 'the line "---- expect NODE"').not.toBe('');
  const expected = parse(yaml) as Expectation;
  const { intent, problems } = compile(documents(steps[0]?.manifests ?? ''), node);
  expect(problems.map(line).sort()).toEqual([...(expected.problems ?? [])].sort());
  expect(intent).toMatchObject(expected.intent ?? {});
}

/** What the packets of a case must do is also what policy says of them, where nothing but policy could drop them. */
function holdsPolicy({ name, steps }: Case): void {
  let objects = emptyWorld;
  let hasPolicies = false;
  const wrong: string[] = [];
  for (const step of steps) {
    if (!steps.some(({ checks, problems }) => checks.length > 0 || problems !== undefined)) return;
    objects = advance(objects, step);
    const { snapshot, problems } = policiesOf(objects);
    if (step.problems !== undefined) {
      const said = [...problems, ...findPolicyProblems(snapshot)].map(line).sort();
      expect(said).toEqual([...step.problems].sort());
    }
    hasPolicies ||= snapshot.policies.size > 0;
    if (!hasPolicies) continue;
    for (const probe of step.checks.filter((check): check is Probe => check.kind === 'probe')) {
      const wanted = probe.outcome === 'dropped' ? 'deny' : 'allow';
      for (const { family, verdict, because } of verdictsOf(probe, objects, snapshot)) {
        if (verdict === wanted) continue;
        wrong.push(
          `${name}.case:${probe.line}: ${probe.from} -> ${probe.to} ${probe.protocol}/${probe.port} IPv${family} is to be ${probe.outcome}, and policy says ${verdict}: ${because}`,
        );
      }
    }
  }
  expect(wrong).toEqual([]);
}

function line({ object, field, code }: Problem): string {
  const name = object.namespace === undefined ? object.name : `${object.namespace}/${object.name}`;
  return `${object.kind} ${name} ${field} ${code}`;
}
