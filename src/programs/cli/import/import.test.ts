/** Import: what each field of another network becomes, and that none is passed over in silence. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import type { Subnet } from '#api/kinds/subnet.ts';
import type { KubeObject } from '#api/object.ts';
import { readSubnet } from '#model/subnet.ts';
import { printed, run } from '../import.ts';
import { parseCalicoSelector } from './calico-selector.ts';
import { isOff } from './fields.ts';
import { findingLine, type Source, type Translation, translate } from './translate.ts';

const folder = join(import.meta.dirname, 'testdata');
const sources: readonly Source[] = ['kube-ovn', 'calico', 'ingress-nginx', 'alb'];
const sourceOf = (file: string): Source => sources.find((each) => file.startsWith(each)) ?? 'kube-ovn';
const documents = (text: string): unknown[] => parseAllDocuments(text).map((each) => each.toJS() as unknown);
const inputs = readdirSync(folder).filter((file) => /^[^.]+\.yaml$/.test(file));

describe.each(inputs)('%s', (file) => {
  const path = (suffix: string) => join(folder, file.replace('.yaml', suffix));
  const { objects, findings } = translate(
    sourceOf(file),
    documents(readFileSync(join(folder, file), 'utf8')),
  );
  const report = findings.map((finding) => `${findingLine(finding)}\n`).join('');

  test('is translated as its golden files say (UPDATE_GOLDEN=1 writes them)', () => {
    if (process.env['UPDATE_GOLDEN'] === '1') {
      writeFileSync(path('.out.yaml'), printed(objects));
      writeFileSync(path('.report.txt'), report);
    }
    expect(printed(objects)).toBe(readFileSync(path('.out.yaml'), 'utf8'));
    expect(report).toBe(readFileSync(path('.report.txt'), 'utf8'));
  });

  test('loses nothing, or says what', () => {
    expect(findings.some(({ isNote }) => isNote !== true)).toBe(file.includes('lossy'));
  });

  test('gives Subnets that the controller takes, or says why not', () => {
    for (const object of objects.filter(({ kind }) => kind === 'Subnet')) {
      const told = readSubnet(object as Subnet).problems.filter(({ message }) => !report.includes(message));
      expect(told).toEqual([]);
    }
  });

  test('is read by the controller without a word', () => {
    const told = findings.filter(({ reason }) => reason.startsWith('as translated'));
    expect(told.filter(({ object }) => !object.startsWith('Subnet '))).toEqual([]);
  });

  test('knows nothing of the other network any more', () => {
    expect(printed(objects)).not.toMatch(
      /ovn\.kubernetes\.io|kubeovn\.io|projectcalico\.org|nginx\.ingress|alauda\.io|cpaas\.io|~/,
    );
  });
});

/** Where both networks do the same, so that the field changes nothing. */
const alike: Readonly<Record<string, readonly string[]>> = {
  'kube-ovn': [
    'vpc',
    'provider',
    'protocol',
    'gatewayType',
    'enableLb',
    'disableGatewayCheck',
    'disableInterConnection',
    'allowEWTraffic',
  ],
  calico: ['nodeSelector', 'allowedUses', 'ipipMode', 'nodeToNodeMeshEnabled', 'blockSize'],
  'ingress-nginx': ['ingressClassName', 'controller'],
  alb: ['type', 'priority'],
};

test.each(inputs)('every field of %s changes what comes out or is reported', (file) => {
  const source = sourceOf(file);
  const all = documents(readFileSync(join(folder, file), 'utf8'));
  const translation = translate(source, all);
  const whole = told(translation);
  const leftOut = new Set(
    translation.findings
      .filter(({ field, reason }) => field === '' || /left out|requests get 500/.test(reason))
      .map(({ object }) => object),
  );
  const silent: string[] = [];
  const objects = all.flatMap((each) => {
    const { items } = (each ?? {}) as { items?: readonly KubeObject[] };
    return (items ?? [each]) as readonly (KubeObject & { readonly spec?: Record<string, unknown> })[];
  });
  for (const object of objects) {
    const { spec } = object ?? {};
    // One that is left out as a whole is not asked for each of its fields.
    const { namespace, name } = object?.metadata ?? {};
    const title = `${object?.kind} ${namespace === undefined ? name : `${namespace}/${name}`}`;
    if (spec === undefined || leftOut.has(title)) continue;
    for (const field of Object.keys(spec)) {
      const value = spec[field];
      delete spec[field];
      const without = told(translate(source, all));
      spec[field] = value;
      if (without === whole && !alike[source]!.includes(field) && !isOff(value))
        silent.push(`${object.metadata.name}.${field}`);
    }
  }
  expect(silent).toEqual([]);
});

describe('a field that nobody knows', () => {
  test.each<[Source, object]>([
    ['kube-ovn', { apiVersion: 'kubeovn.io/v1', kind: 'Subnet', spec: { cidrBlock: '10.1.0.0/16' } }],
    ['kube-ovn', { apiVersion: 'kubeovn.io/v1', kind: 'IPPool', spec: { subnet: 's', ips: ['10.1.0.1'] } }],
    ['kube-ovn', { apiVersion: 'kubeovn.io/v1', kind: 'Vlan', spec: { id: 0 } }],
    ['calico', { apiVersion: 'projectcalico.org/v3', kind: 'IPPool', spec: { cidr: '10.1.0.0/16' } }],
    ['calico', { apiVersion: 'projectcalico.org/v3', kind: 'IPReservation', spec: { reservedCIDRs: [] } }],
    [
      'calico',
      { apiVersion: 'projectcalico.org/v3', kind: 'BGPPeer', spec: { peerIP: '10.0.0.1', asNumber: 1 } },
    ],
    ['calico', { apiVersion: 'projectcalico.org/v3', kind: 'BGPConfiguration', spec: {} }],
  ])('of %s %j is reported', (source, object) => {
    const { spec } = object as { spec: object };
    const odd = { ...object, metadata: { name: 'default' }, spec: { ...spec, inventedTomorrow: 1 } };
    expect(translate(source, [odd]).findings.map(({ field }) => field)).toContain('spec.inventedTomorrow');
  });
});

test.each([
  ["a == 'b'", { matchLabels: { a: 'b' } }],
  ['all()', {}],
  [
    "has(x/y) && !has(z) && k != 'v'",
    {
      matchExpressions: [
        { key: 'x/y', operator: 'Exists' },
        { key: 'z', operator: 'DoesNotExist' },
        { key: 'k', operator: 'NotIn', values: ['v'] },
      ],
    },
  ],
  ['k in {"a", "b"}', { matchExpressions: [{ key: 'k', operator: 'In', values: ['a', 'b'] }] }],
  ["a == 'b' || c == 'd'", undefined],
  ["!(a == 'b')", undefined],
  ["a == 'b' && a == 'c'", undefined],
  ["name starts with 'x'", undefined],
  ["a == 'b'; rm", undefined],
])('selector %s', (text, expected) => {
  expect(parseCalicoSelector(text)).toEqual(expected);
});

test('the command prints objects to standard output, losses to standard error, and says by its exit code', async () => {
  const ask = async (source: string, file: string) => {
    const out: string[] = [];
    const progress: string[] = [];
    const code = await run({
      operands: [source, join(folder, file)],
      values: {},
      out: (line) => out.push(line),
      progress: (line) => progress.push(line),
    });
    return { code, out: out.join('\n'), progress };
  };
  const clean = await ask('kube-ovn', 'kube-ovn-clean.yaml');
  expect(clean.code).toBe(0);
  expect(documents(clean.out)).toHaveLength(9);
  const lossy = await ask('calico', 'calico-lossy.yaml');
  expect(lossy.code).toBe(1);
  expect(lossy.progress).toContain(
    'Pod picky metadata.annotations[cni.projectcalico.org/floatingIPs]: has no equal',
  );
  await expect(ask('cilium', 'calico-lossy.yaml')).rejects.toThrow('kube-ovn, calico');
  await expect(ask('calico', 'nowhere.yaml')).rejects.toThrow("can't be read");
});

describe('documents', () => {
  const ingress = (name: string, more: object = {}) => ({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: { name, namespace: 'shop' },
    spec: {
      ingressClassName: 'nginx',
      rules: [{ host: 'a.example', http: { paths: [{ path: '/', pathType: 'Prefix', backend }] } }],
    },
    ...more,
  });
  const backend = { service: { name: 'web', port: { number: 80 } } };
  const kindsOf = ({ objects }: Translation) =>
    objects.map(({ kind, metadata }) => `${kind} ${metadata.name}`);

  test('of a list what is an object is translated, and what is none is told', () => {
    const items = [ingress('a'), { kind: 'Ingress' }, null];
    const translation = translate('ingress-nginx', [{ apiVersion: 'v1', kind: 'List', items }]);
    expect(kindsOf(translation)).toContain('HTTPRoute a-ingress');
    expect(translation.findings.map(findingLine)).toEqual([
      'document 1 item 2: is no Kubernetes object',
      'document 1 item 3: is no Kubernetes object',
    ]);
  });

  test.each(['networking.k8s.io/v1beta1', 'extensions/v1beta1'])('an Ingress of %s is told', (apiVersion) => {
    const { objects, findings } = translate('ingress-nginx', [ingress('a', { apiVersion })]);
    expect(objects).toEqual([]);
    expect(findings.map(({ object, field }) => `${object} ${field}`)).toEqual(['Ingress shop/a apiVersion']);
  });

  test('another Ingress of the same name is nobody’s here', () => {
    const theirs = ingress('cluster', { apiVersion: 'config.openshift.io/v1' });
    expect(translate('ingress-nginx', [theirs])).toEqual({ objects: [theirs], findings: [] });
  });

  test('annotations that files have as numbers or booleans are what they say', () => {
    const annotations = {
      'nginx.ingress.kubernetes.io/enable-modsecurity': true,
      'nginx.ingress.kubernetes.io/limit-rps': 5,
    };
    const metadata = { name: 'a', namespace: 'shop', annotations };
    const kinds = kindsOf(translate('ingress-nginx', [ingress('a', { metadata })]));
    expect(kinds).toEqual(expect.arrayContaining(['TrafficPolicy a-ingress', 'WAFPolicy a-ingress']));
  });

  test.each([
    ['/shop', {}, '/shop', {}, ['Ingress shop/b spec.rules[0].http.paths[0]']],
    ['/shop', {}, '/cart', {}, []],
    ['/shop/long', { 'use-regex': 'true' }, '/shop', {}, ['Ingress shop/b spec.rules[0].http.paths[0]']],
    ['/old(/|$)(.*)', { 'rewrite-target': '/$2' }, '/cart', {}, []],
    ['/shop/long', {}, '/s(/|$)(.*)', { 'rewrite-target': '/$2' }, []],
    ['/shop-long', {}, '/s(.*)', { 'rewrite-target': '/$1' }, ['Ingress shop/b spec.rules[0].http.paths[0]']],
  ])(
    'b has %s %j before a has %s %j: that comes first by name, which is told if it matters',
    (older, by, younger, and, lost) => {
      const of = (name: string, path: string, said: Readonly<Record<string, string>>, age: number) => {
        const annotations = Object.fromEntries(
          Object.entries(said).map(([key, value]) => [`nginx.ingress.kubernetes.io/${key}`, value]),
        );
        const creationTimestamp = `2026-01-0${age}T00:00:00Z`;
        return ingress(name, {
          metadata: { name, namespace: 'shop', annotations, creationTimestamp },
          spec: {
            ingressClassName: 'nginx',
            rules: [{ host: 'a.example', http: { paths: [{ path, pathType: 'Prefix', backend }] } }],
          },
        });
      };
      const { findings } = translate('ingress-nginx', [of('a', younger, and, 2), of('b', older, by, 1)]);
      const told = findings.filter(({ isNote }) => isNote !== true);
      expect(told.map(({ object, field }) => `${object} ${field}`)).toEqual(lost);
    },
  );

  test('a host that has TLS in two namespaces is told', () => {
    const of = (namespace: string) => {
      const { metadata, spec } = ingress('a');
      const tls = [{ hosts: ['a.example'], secretName: 'cert' }];
      return ingress('a', { metadata: { ...metadata, namespace }, spec: { ...spec, tls } });
    };
    const { findings } = translate('ingress-nginx', [of('shop'), of('other')]);
    expect(findings.map(findingLine)).toEqual([
      'Ingress shop/a spec.tls: a.example has TLS by Ingress other/a already: two listeners for one name are in conflict',
    ]);
  });

  test('a path that is a text for ingress-nginx, and ends at a segment here, is told', () => {
    const paths = [
      { path: '/cart', pathType: 'ImplementationSpecific', backend },
      { path: '/', pathType: 'ImplementationSpecific', backend },
    ];
    const spec = { ingressClassName: 'nginx', rules: [{ host: 'a.example', http: { paths } }] };
    const { findings } = translate('ingress-nginx', [ingress('a', { spec })]);
    expect(findings.map(({ field, reason }) => `${field} ${reason}`)).toEqual([
      expect.stringContaining('spec.rules[0].http.paths[0].path takes any path that begins so'),
    ]);
  });
});

test('files are JSON, or YAML with anchors that are merged, as kubectl takes them', async () => {
  const home = await mkdtemp(join(tmpdir(), 'netloom-import-'));
  try {
    const ask = async (name: string, text: string) => {
      const out: string[] = [];
      await writeFile(join(home, name), text);
      const operands = ['ingress-nginx', join(home, name)];
      await run({ operands, values: {}, out: (line) => out.push(line), progress: () => undefined });
      return out.join('\n');
    };
    const spec = { defaultBackend: { service: { name: 'web', port: { number: 80 } } } };
    const apiVersion = 'networking.k8s.io/v1';
    const json = JSON.stringify({ apiVersion, kind: 'Ingress', metadata: { name: 'a' }, spec });
    expect(await ask('a.json', json)).toContain('kind: HTTPRoute');
    const yaml = `
kind: Ingress
apiVersion: ${apiVersion}
metadata: {name: a, annotations: &kept {nginx.ingress.kubernetes.io/whitelist-source-range: 10.0.0.0/8}}
spec: ${JSON.stringify(spec)}
---
kind: List
apiVersion: v1
items:
  - {kind: Ingress, apiVersion: ${apiVersion}, spec: ${JSON.stringify(spec)}, metadata: {name: b, annotations: &kept {nginx.ingress.kubernetes.io/whitelist-source-range: 10.0.0.0/8}}}
  - {kind: Ingress, apiVersion: ${apiVersion}, spec: ${JSON.stringify(spec)}, metadata: {name: c, annotations: {<<: *kept}}}
`;
    expect((await ask('a.yaml', yaml)).match(/10\.0\.0\.0\/8/g)).toHaveLength(3);
  } finally {
    await rm(home, { recursive: true });
  }
});

function told({ objects, findings }: Translation): string {
  return `${printed(objects)}${findings.map(findingLine).join('\n')}`;
}
