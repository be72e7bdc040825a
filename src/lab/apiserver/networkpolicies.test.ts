/** NetworkPolicies over the wire: discovered, defaulted, counted, shown. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type TestServer, testServer } from './testing.ts';

let api: TestServer;
const path = '/apis/networking.k8s.io/v1/namespaces/default/networkpolicies';

beforeAll(async () => {
  api = await testServer();
});

afterAll(() => api.close());

it('are discovered as netpol, without a status', async () => {
  const { body } = await api.call('GET', '/apis/networking.k8s.io/v1');
  const found = body.resources.filter(({ kind }: { kind: string }) => kind === 'NetworkPolicy');
  expect(found).toMatchObject([{ name: 'networkpolicies', namespaced: true, shortNames: ['netpol'] }]);
});

it('are defaulted, and their generation counts changes of the spec', async () => {
  const made = await api.call('POST', path, {
    metadata: { name: 'web' },
    spec: { podSelector: { matchLabels: { app: 'web' } }, egress: [{ ports: [{ port: 53 }] }] },
  });
  expect(made.code).toBe(201);
  expect(made.body).toMatchObject({
    metadata: { generation: 1 },
    spec: { policyTypes: ['Ingress', 'Egress'], egress: [{ ports: [{ protocol: 'TCP', port: 53 }] }] },
  });
  const merge = { type: 'application/merge-patch+json' };
  const annotated = await api.call(
    'PATCH',
    `${path}/web`,
    { metadata: { annotations: { 'netloom.dev/audit': 'true' } } },
    merge,
  );
  expect(annotated.body.metadata.generation).toBe(1);
  const changed = await api.call('PATCH', `${path}/web`, { spec: { policyTypes: ['Egress'] } }, merge);
  expect(changed.body).toMatchObject({ metadata: { generation: 2 }, spec: { policyTypes: ['Egress'] } });
});

it('are refused by field, with the words of a real server', async () => {
  const { code, body } = await api.call('POST', path, {
    metadata: { name: 'bad' },
    spec: { ingress: [{ from: [{}, { ipBlock: { cidr: '10.0.0.0/8', except: ['11.0.0.0/8'] } }] }] },
  });
  expect(code).toBe(422);
  expect(body.details.causes).toEqual([
    {
      reason: 'FieldValueRequired',
      field: 'spec.ingress[0].from[0]',
      message: 'Required value: must specify a peer',
    },
    {
      reason: 'FieldValueInvalid',
      field: 'spec.ingress[0].from[1].ipBlock.except[0]',
      message: 'Invalid value: "11.0.0.0/8": must be a strict subset of `cidr`',
    },
  ]);
});

it('are shown with the pods that they select', async () => {
  await api.call('POST', path, { metadata: { name: 'all' } });
  const { body } = await api.call('GET', path, undefined, {
    accept: 'application/json;as=Table;v=v1;g=meta.k8s.io',
  });
  expect(body.columnDefinitions.map(({ name }: { name: string }) => name)).toEqual([
    'Name',
    'Pod-Selector',
    'Age',
  ]);
  expect(body.rows.map(({ cells }: { cells: string[] }) => cells.slice(0, 2))).toEqual([
    ['all', '<none>'],
    ['web', 'app=web'],
  ]);
});
