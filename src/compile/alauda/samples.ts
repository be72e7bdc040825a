/** For tests: ALB's objects in few words, and what a gateway makes of them. */
import { readALB2 } from '#model/alauda/alb2.ts';
import { readFrontend } from '#model/alauda/frontend.ts';
import { readRule } from '#model/alauda/rule.ts';
import type { Cluster } from '../gateway/testing.ts';

type KubeObject = Parameters<typeof readRule>[0];

const metadata = (name: string, labels: Readonly<Record<string, string>>, annotations = {}) => ({
  name,
  namespace: 'shop',
  uid: name,
  generation: 1,
  creationTimestamp: '2026-01-01T00:00:00Z',
  labels,
  annotations,
});

export function alb2Object(config: object = {}, more: object = {}): KubeObject {
  return {
    apiVersion: 'crd.alauda.io/v2beta1',
    kind: 'ALB2',
    metadata: metadata('lb', {}, { 'netloom.dev/serve': 'true' }),
    spec: { type: 'nginx', config, ...more },
  };
}

export function frontendObject(name: string, spec: object): KubeObject {
  return {
    apiVersion: 'crd.alauda.io/v1',
    kind: 'Frontend',
    metadata: metadata(name, { 'alb2.cpaas.io/name': 'lb' }),
    spec,
  };
}

/** `terms`: `HOST EQ a.example`, `HEADER:x EQ a`; of several operators of one term with `|` between them. */
export function ruleObject(
  name: string,
  terms: readonly string[],
  spec: object = {},
  frontend = 'web',
): KubeObject {
  const services = [{ name, port: 80, weight: 100 }];
  return {
    apiVersion: 'crd.alauda.io/v1',
    kind: 'Rule',
    metadata: metadata(name, { 'alb2.cpaas.io/name': 'lb', 'alb2.cpaas.io/frontend': frontend }),
    spec: { dslx: terms.map(termOf), serviceGroup: { services }, ...spec },
  };
}

function termOf(text: string) {
  const [what = '', ...rest] = text.split(' ');
  const [type, key] = what.split(':');
  const rows = rest.join(' ').split(' | ');
  return { type, ...(key === undefined ? {} : { key }), values: rows.map((row) => row.split(' ')) };
}

/** Of what is read of them; what can't be is left out. */
export function clusterOf(objects: readonly KubeObject[]): Cluster {
  const of = (kind: string) => objects.filter((object) => object.kind === kind);
  return {
    alb2: of('ALB2').flatMap((object) => readALB2(object).value ?? []),
    frontend: of('Frontend').flatMap((object) => readFrontend(object).value ?? []),
    albRule: of('Rule').flatMap((object) => readRule(object).value ?? []),
  };
}

export function problemsOf(objects: readonly KubeObject[]): readonly string[] {
  const read = { ALB2: readALB2, Frontend: readFrontend, Rule: readRule };
  return objects.flatMap((object) =>
    read[object.kind as keyof typeof read](object).problems.map(
      ({ field, message }) => `${field}: ${message}`,
    ),
  );
}
