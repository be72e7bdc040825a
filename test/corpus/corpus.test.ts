/** Holds every case file to what it says of the compile of a node and of policy; test/lab/corpus.test.ts sends its packets. */
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { explainRequest } from '#compile/answers/request.ts';
import { findPolicyProblems } from '#compile/policy/findings.ts';
import type { Problem } from '#model/problem.ts';
import { gatewaysOf, namedIn, ourClass } from '#programs/cli/answers/gateways.ts';
import type { Case, Probe } from './case.ts';
import { compile } from './compile.ts';
import { readCases } from './files.ts';
import { verdictsOf } from './flows.ts';
import { intentWish, routeOf, unlike, whereOf } from './gateway-lines.ts';
import { documents } from './objects.ts';
import { advance, emptyWorld, policiesOf } from './world.ts';

type Expectation = { readonly problems?: readonly string[]; readonly intent?: object };

const cases = readCases().map((each) => [each.name, each] as const);

test.each(cases)('%s', async (_, given) => {
  if (given.expect !== undefined) holdsCompile(given, given.expect);
  holdsPolicy(given);
  await holdsGateways(given);
});

/** By the compile and the router that the data plane runs. */
async function holdsGateways({ name, steps }: Case): Promise<void> {
  let objects = emptyWorld;
  const wrong: string[] = [];
  for (const step of steps) {
    if (!steps.some(speaksOfGateways)) return;
    objects = advance(objects, step);
    const all = [...objects.values()];
    const { gateways, statuses } = await gatewaysOf([ourClass, ...all], namedIn(all));
    const intents = new Map(gateways.map(({ key, intent }) => [key, intent]));
    for (const [gateway, yaml] of Object.entries(step.intents))
      expect(intents.get(gateway), gateway).toMatchObject(intentWish(yaml));
    for (const { line: at, gateway, asked, where, by } of step.requests.filter(
      ({ only }) => only !== 'sent',
    )) {
      const intent = intents.get(gateway);
      if (intent === undefined) {
        wrong.push(`${name}.case:${at}: there is no Gateway ${gateway} of ours`);
        continue;
      }
      const answer = explainRequest(gateway, intent, asked);
      const found = whereOf(answer);
      if (found !== where) wrong.push(`${name}.case:${at}: not ${where}, but ${found}`);
      const route = routeOf(answer);
      if (by !== undefined && !route.startsWith(by))
        wrong.push(`${name}.case:${at}: not by ${by}, but by ${route || 'none'}`);
    }
    for (const wish of step.statuses)
      wrong.push(
        ...unlike(wish, statuses.get(wish.object)).map((why) => `${name}.case:${wish.line}: ${why}`),
      );
  }
  expect(wrong).toEqual([]);
}

function speaksOfGateways({ requests, statuses, intents }: Case['steps'][number]): boolean {
  return requests.length + statuses.length + Object.keys(intents).length > 0;
}

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
