/** Differences of small clusters, as people write them. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import type { KubeObject } from '#api/object.ts';
import { readCluster } from '#model/cluster.ts';
import { overlay } from '#model/overlay.ts';
import { type Difference, type DiffOptions, diffClusters, type Line } from './diff.ts';
import { formatRanges } from './segments.ts';

const example = (name: string) =>
  objects(readFileSync(new URL(`../../../examples/policy/${name}`, import.meta.url), 'utf8'));

function objects(text: string): readonly KubeObject[] {
  return parseAllDocuments(text).map((document) => document.toJS() as KubeObject);
}

function diff(
  before: readonly KubeObject[],
  files: readonly KubeObject[],
  options: DiffOptions = {},
  mode: 'apply' | 'delete' = 'apply',
): Difference {
  const base = overlay([], before, 'apply').value;
  const changed = overlay(base, files, mode);
  return diffClusters(readCluster(base).value, readCluster(changed.value).value, options);
}

const short = ({ from, to, ports, families, decider }: Line) =>
  `${from.join(', ')} → ${to.join(', ')}: ${formatRanges(ports)} (${families.join()}, ${decider})`;

const shop = example('shop.yaml');
const isolate = example('isolate.yaml');

test('the example: a default denial that forgets the cluster DNS', () => {
  const { dns, closes, opens } = diff(shop, isolate);
  expect(dns.map(({ workload, service }) => [workload, service])).toEqual(
    ['Deployment shop/web', 'Deployment shop/api', 'StatefulSet shop/db'].map((each) => [
      each,
      'kube-system/kube-dns',
    ]),
  );
  expect(opens).toEqual([]);
  expect(closes.map(short)).toContain(
    'Deployment shop/api → StatefulSet shop/db: everything but tcp/5432 (4,6, egress)',
  );
});

test('the example goes on: what is missing is opened, and nothing else', () => {
  const { dns, closes, opens } = diff([...shop, ...isolate], example('allow-web.yaml'));
  expect([dns, closes]).toEqual([[], []]);
  expect(opens.map(short)).toEqual([
    'Deployment shop/web → Deployment shop/api: tcp/8080 (4,6, egress)',
    'Deployment shop/web, StatefulSet shop/db → Deployment kube-system/cluster-dns: tcp/53, udp/53 (4,6, egress)',
    'Deployment shop/api → Deployment kube-system/cluster-dns: tcp/53, udp/53 (4,6, egress)',
    'Deployment kube-system/cluster-dns, world → Deployment shop/web: tcp/8080 (4,6, ingress)',
  ]);
});

test('deleting it opens what it closed', () => {
  const { dns, closes, opens } = diff([...shop, ...isolate], isolate, {}, 'delete');
  expect([dns, closes]).toEqual([[], []]);
  expect(opens.map(short)).toEqual(diff(shop, isolate).closes.map(short));
});

test('what says the same changes nothing, but may for another reason', () => {
  expect(diff([...shop, ...isolate], isolate)).toMatchObject({ closes: [], opens: [], reasons: [], dns: [] });
  const twice = isolate
    .slice(0, 1)
    .map((each) => ({ ...each, metadata: { ...each.metadata, name: 'deny-again' } }));
  const { closes, opens, reasons } = diff([...shop, ...isolate], twice, { reasons: true });
  expect([closes, opens]).toEqual([[], []]);
  expect(reasons.length).toBeGreaterThan(0);
  expect(reasons[0]?.after.text).toContain('deny-again');
});

test('a new label on a Deployment counts, and a new Deployment is all that it may reach', () => {
  const web = shop.find(({ kind, metadata }) => kind === 'Deployment' && metadata.name === 'web');
  const relabelled = JSON.parse(JSON.stringify(web).replaceAll('"app":"web"', '"app":"api"')) as KubeObject;
  const { opens, closes } = diff([...shop, ...isolate], [relabelled]);
  expect(closes).toEqual([]);
  expect(opens.map(short)).toEqual(['Deployment shop/web → StatefulSet shop/db: tcp/5432 (4,6, egress)']);
  const added = JSON.parse(JSON.stringify(web).replace('"name":"web"', '"name":"other"')) as KubeObject;
  const isNew = diff(shop, [added]);
  expect(isNew.closes).toEqual([]);
  expect(isNew.opens.every(({ before }) => before.text === 'there is no such pod or node')).toBe(true);
});

test('a label of a namespace opens what selects it', () => {
  const before = objects(`
apiVersion: v1
kind: Namespace
metadata: { name: other }
---
apiVersion: v1
kind: Pod
metadata: { name: p, namespace: other }
spec: { containers: [{ name: c }] }
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: team, namespace: shop }
spec:
  podSelector: { matchLabels: { app: db } }
  ingress: [{ from: [{ namespaceSelector: { matchLabels: { team: a } } }] }]
`);
  const label = objects(`
apiVersion: v1
kind: Namespace
metadata: { name: other, labels: { team: a } }
`);
  const { opens, closes } = diff([...shop, ...before], label);
  expect([closes.map(short), opens.map(short)]).toEqual([
    [],
    ['Pod other/p → StatefulSet shop/db: everything (4,6, ingress)'],
  ]);
});

test('pods of one workload whose named ports differ, as in the middle of a rollout, are told apart', () => {
  const pod = (name: string, port: number, address: string) =>
    objects(`
apiVersion: v1
kind: Pod
metadata:
  name: ${name}
  namespace: shop
  labels: { app: roll }
  ownerReferences: [{ apiVersion: apps/v1, kind: StatefulSet, name: roll, uid: u, controller: true }]
spec: { containers: [{ name: c, ports: [{ name: http, containerPort: ${port} }] }] }
status: { podIPs: [{ ip: ${address} }] }
`);
  const policy = objects(`
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: roll, namespace: shop }
spec: { podSelector: { matchLabels: { app: roll } }, ingress: [{ from: [], ports: [{ port: http }] }] }
`);
  const { closes } = diff([...pod('roll-0', 80, '10.244.0.1'), ...pod('roll-1', 81, '10.244.0.2')], policy);
  expect(closes.map(({ ports }) => formatRanges(ports)).sort()).toEqual([
    'everything but tcp/80',
    'everything but tcp/81',
  ]);
});

test('parts of the world, nodes, and what a Subnet keeps out anyway', () => {
  const node = objects(`
apiVersion: v1
kind: Node
metadata: { name: n1 }
status: { addresses: [{ type: InternalIP, address: 192.168.0.1 }] }
---
apiVersion: netloom.dev/v1alpha1
kind: Subnet
metadata: { name: default }
spec: { cidrs: [10.244.0.0/16], allowInboundFrom: [203.0.113.0/24] }
`);
  const policy = objects(`
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: db-from, namespace: shop }
spec:
  podSelector: { matchLabels: { app: db } }
  ingress: [{ from: [{ ipBlock: { cidr: 10.244.0.0/16 } }, { ipBlock: { cidr: 203.0.113.0/25 } }] }]
`);
  const { closes } = diff([...shop, ...node], policy);
  expect(closes.map(short)).toEqual([
    'node n1, 203.0.113.0/24 without 203.0.113.0/25 → StatefulSet shop/db: everything (4, ingress)',
  ]);
});

test('observed connections mark their lines, which come first, through Services too', () => {
  const base = overlay([], shop, 'apply').value;
  const { services } = readCluster(base).value;
  const address = services.get('shop/db')?.clusterIPs[0] ?? '';
  const observed = [
    { from: 'shop/web-0', to: address, protocol: 'tcp', port: 5432 },
    { from: 'shop/web-1', to: 'shop/db', protocol: 'tcp', port: 5432 },
    { from: 'shop/gone', to: 'shop/db', protocol: 'tcp', port: 5432 },
    { from: 'shop/api-0', to: address, protocol: 'tcp', port: 5432 },
  ] as const;
  const { closes, unknownFlows } = diff(shop, isolate, { observed });
  expect(unknownFlows).toBe(1);
  expect(closes.map(({ observed: count }) => count)).toEqual([2, 0, 0, 0, 0, 0]);
  expect(closes[0]?.from).toEqual(['Deployment shop/web']);
});

test('observed connections by node ports, of pods on their node, and to addresses that are used again', () => {
  const cluster = objects(`
apiVersion: v1
kind: Node
metadata: { name: n1 }
status: { addresses: [{ type: InternalIP, address: 192.168.0.1 }] }
---
apiVersion: v1
kind: Node
metadata: { name: n2 }
status: { addresses: [{ type: InternalIP, address: 192.168.0.2 }] }
---
apiVersion: v1
kind: Pod
metadata: { name: web, namespace: x, labels: { app: web } }
spec: { nodeName: n1, containers: [{ name: c }] }
status: { phase: Running, podIPs: [{ ip: 10.244.1.5 }] }
---
apiVersion: v1
kind: Pod
metadata: { name: job, namespace: x, labels: { app: job } }
spec: { nodeName: n1, containers: [{ name: c }] }
status: { phase: Succeeded, podIPs: [{ ip: 10.244.1.5 }] }
---
apiVersion: v1
kind: Pod
metadata: { name: near, namespace: y }
spec: { nodeName: n1, containers: [{ name: c }] }
status: { phase: Running, podIPs: [{ ip: 10.244.1.6 }] }
---
apiVersion: v1
kind: Pod
metadata: { name: host, namespace: y }
spec: { nodeName: n2, hostNetwork: true, containers: [{ name: c }] }
status: { phase: Running, podIPs: [{ ip: 192.168.0.2 }] }
---
apiVersion: v1
kind: Service
metadata: { name: web, namespace: x }
spec: { type: NodePort, clusterIPs: [10.96.0.9], selector: { app: web }, ports: [{ port: 80, nodePort: 30080 }] }
`);
  const [nodes] = objects(`
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: nodes, namespace: x }
spec: { podSelector: {}, ingress: [{ from: [{ ipBlock: { cidr: 192.168.0.0/24 } }] }] }
`);
  const used = (from: string, to: string, port: number, protocol: 'tcp' | 'other' = 'tcp') => {
    const observed = [{ from, to, protocol, port }];
    const { closes, unknownFlows } = diff(cluster, nodes === undefined ? [] : [nodes], { observed });
    return { unknownFlows, closes: closes.filter(({ observed: count }) => count === 1).length };
  };
  const known = (closes: number) => ({ unknownFlows: 0, closes });
  expect(used('y/near', '10.244.1.5', 80)).toEqual(known(1));
  expect(used('y/near', 'x/web', 0, 'other')).toEqual(known(1));
  expect(used('y/host', 'x/web', 80)).toEqual(known(0));
  expect(used('y/near', '192.168.0.1', 30_080)).toEqual(known(1));
  expect(used('198.51.100.1', '192.168.0.1', 30_080)).toEqual(known(1));
  // Through another node they come as that node, which the policy allows.
  expect(used('y/near', '192.168.0.2', 30_080)).toEqual(known(0));
  expect(used('198.51.100.1', '192.168.0.2', 30_080)).toEqual(known(0));
});

test('names in policies are not compared, and that is said where they change', () => {
  const named = (name: string) =>
    objects(`
apiVersion: policy.networking.k8s.io/v1alpha2
kind: ClusterNetworkPolicy
metadata: { name: names }
spec:
  tier: Admin
  priority: 1
  subject: { namespaces: {} }
  egress: [{ action: Accept, to: [{ domainNames: [${name}] }] }]
`);
  const notes = (before: string, after: string) => diff([...shop, ...named(before)], named(after)).notes;
  expect(notes('a.example.org', 'a.example.org')).toEqual([]);
  expect(notes('a.example.org', 'b.example.org')).toEqual([
    'ClusterNetworkPolicy names: it changes and has domain names, which are not compared: what they stand for may open or close',
  ]);
});

test('a difference is plain data', () => {
  const difference = diff(shop, isolate, { reasons: true });
  expect(JSON.parse(JSON.stringify(difference))).toEqual(difference);
});
