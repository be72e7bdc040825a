/** What comes out of an import against the lab's API server, with kubectl and our schemas. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { crdOf } from '#api/crd.ts';
import { kinds } from '#api/kinds.ts';
import { type Kubectl, openKubectl } from '#lab/apiserver/testing-kubectl.ts';

let kubectl: Kubectl;

beforeAll(async () => {
  kubectl = await openKubectl();
  for (const object of kinds.map(crdOf)) expect(await kubectl.apply(object)).toMatchObject({ code: 0 });
  await kubectl.good('wait', '--for=condition=Established', 'crd', '--all', '--timeout=20s');
  for (const name of ['web', 'shop', 'other', 'ops', 'ingress-nginx', 'cpaas-system'])
    await kubectl.good('create', 'namespace', name);
}, 120_000);

afterAll(async () => {
  await kubectl?.close();
});

const own = kinds.map(({ kind, group }) => `${group}/ ${kind}`);

test.each([
  'kube-ovn-clean',
  'calico-clean',
  'ingress-nginx-clean',
  'alb-clean',
  'alb-lossy',
  'ingress-nginx-lossy',
])('kubectl takes objects of our kinds of %s', async (name) => {
  const text = readFileSync(join(import.meta.dirname, 'testdata', `${name}.out.yaml`), 'utf8');
  const ours = text.split(/^---\n/m).filter((document) => {
    const [, group = '', kind = ''] = /^apiVersion: ([^/]*)\/.*\nkind: (.*)\n/.exec(document) ?? [];
    return own.includes(`${group}/ ${kind}`);
  });
  expect(ours.length).toBeGreaterThan(3);
  const { code, err } = await kubectl.runWith({}, ours.join('---\n'), 'apply', '-f', '-');
  expect({ code, err: code === 0 ? '' : err }).toEqual({ code: 0, err: '' });
});
