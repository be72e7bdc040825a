/** Whatever of a gateway is said to be served stands in a case that is asked with real requests (test/corpus/gateway), or here with the reason. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { kinds } from '#api/kinds.ts';
import type { KubeObject } from '#api/object.ts';
import * as alb from '#compile/ingress/catalogue/alb.ts';
import { nginxPrefix, nginxRows } from '#compile/ingress/catalogue/index.ts';
import { type AlaudaKind, fieldsOfKind } from '#model/alauda/catalogue.ts';
import { readCases } from '../corpus/files.ts';
import { documents } from '../corpus/objects.ts';
import { runsInCluster } from '../lab/gateway-case.ts';
import { root } from './sources.ts';

/** What no case can have, with the reason and where it is held instead. */
const elsewhere: Readonly<Record<string, string>> = {
  'ALB spec.network.hostPorts':
    'ports of the nodes, which all cases share: src/compile/gateway/instances/sharing.test.ts, HostNetwork itself test/lab/alb.test.ts',
  'ALB spec.ingressClass.default':
    "it would take other cases' Ingresses: src/programs/controller/gateways/gateways.test.ts, by the real API server",
};

const used = new Set<string>();
for (const { steps } of readCases().filter(runsInCluster)) {
  // Asked of the compile alone is not enough.
  if (!steps.some(({ requests }) => requests.some(({ only }) => only !== 'asked'))) continue;
  for (const object of steps.flatMap(({ manifests }) => documents(manifests))) {
    use(`${object.kind} spec`, (object as KubeObject & { readonly spec?: unknown }).spec);
    for (const name of Object.keys(object.metadata.annotations ?? {})) used.add(name);
  }
}

function use(path: string, value: unknown): void {
  used.add(path);
  if (Array.isArray(value)) for (const each of value) use(`${path}[]`, each);
  else if (typeof value === 'object' && value !== null)
    for (const [name, each] of Object.entries(value)) use(`${path}.${name}`, each);
}

const annotations = [
  [nginxPrefix, nginxRows],
  [alb.albPrefix, alb.albRows],
  [alb.albNetworkingPrefix, alb.albNetworkingRows],
  [alb.albFirewallPrefix, alb.albFirewallRows],
] as const;

test.each(annotations)('annotations %s', (prefix, rows) => {
  const served = rows.filter(({ state }) => state !== 'refused');
  expect(missing(served.map(({ name }) => `${prefix}${name}`))).toEqual([]);
});

test.each<AlaudaKind>(['ALB2', 'Frontend', 'Rule'])('fields of %s', (kind) => {
  const served = [...fieldsOfKind(kind)].filter(([, { state }]) => state !== 'refused');
  expect(missing(served.map(([field]) => `${kind} ${field}`))).toEqual([]);
});

test.each(['ALB', 'BackendPolicy', 'HostnameGrant', 'TrafficPolicy', 'WAFPolicy'])('fields of %s', (name) => {
  const spec = kinds.find(({ kind }) => kind === name)?.spec as Schema;
  expect(missing(fieldsOf(`${name} spec`, spec))).toEqual([]);
});

test('what is held elsewhere is in no case, and there is such a file', () => {
  expect(Object.keys(elsewhere).filter((name) => used.has(name))).toEqual([]);
  const files = Object.values(elsewhere).flatMap((reason) => reason.match(/(?:src|test)\/\S+\.ts/g) ?? ['']);
  expect(files.filter((file) => file === '' || !existsSync(join(root, file)))).toEqual([]);
});

type Schema = { readonly properties?: Readonly<Record<string, Schema>>; readonly items?: Schema };

function fieldsOf(path: string, { properties = {}, items }: Schema): readonly string[] {
  return [
    ...Object.entries(properties).flatMap(([name, inner]) => [
      `${path}.${name}`,
      ...fieldsOf(`${path}.${name}`, inner),
    ]),
    ...(items === undefined ? [] : fieldsOf(`${path}[]`, items)),
  ];
}

function missing(names: readonly string[]): readonly string[] {
  return names.filter((name) => !used.has(name) && !(name in elsewhere));
}
