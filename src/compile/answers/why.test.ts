/** What one is told of a connection: policy on both sides, the Service between, and what Netloom drops by itself. */
import { expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import type { KubeObject } from '#api/object.ts';
import { type ClusterModel, readCluster } from '#model/cluster.ts';
import { overlay } from '#model/overlay.ts';
import { readQuestion } from './question.ts';
import { type Answer, explain, type Step } from './why.ts';

const base = `
apiVersion: v1
kind: Node
metadata: { name: n1 }
status: { addresses: [{ type: InternalIP, address: 192.168.0.1 }, { type: InternalIP, address: "fd66::1" }] }
---
apiVersion: v1
kind: Node
metadata: { name: n2 }
status: { addresses: [{ type: InternalIP, address: 192.168.0.2 }, { type: InternalIP, address: "fd66::2" }] }
---
apiVersion: netloom.dev/v1alpha1
kind: Subnet
metadata: { name: default }
spec: { cidrs: [10.1.0.0/16, "fd01::/64"], allowInboundFrom: [203.0.113.0/24] }
---
apiVersion: v1
kind: Namespace
metadata: { name: shop }
---
apiVersion: v1
kind: Pod
metadata: { name: web, namespace: shop, labels: { app: web } }
spec: { nodeName: n1, containers: [{ name: c, ports: [{ name: http, containerPort: 8080 }] }] }
status: { podIPs: [{ ip: 10.1.0.1 }, { ip: "fd01::1" }] }
---
apiVersion: v1
kind: Pod
metadata: { name: db-0, namespace: shop, labels: { app: db, role: main } }
spec: { nodeName: n1, containers: [{ name: c, ports: [{ name: sql, containerPort: 5432 }] }] }
status: { podIPs: [{ ip: 10.1.0.2 }, { ip: "fd01::2" }] }
---
apiVersion: v1
kind: Pod
metadata: { name: db-1, namespace: shop, labels: { app: db, role: copy } }
spec: { nodeName: n2, containers: [{ name: c, ports: [{ name: sql, containerPort: 5432 }] }] }
status: { podIPs: [{ ip: 10.1.0.3 }, { ip: "fd01::3" }] }
---
apiVersion: v1
kind: Pod
metadata: { name: agent, namespace: shop, labels: { app: agent } }
spec: { nodeName: n2, hostNetwork: true, containers: [{ name: c }] }
status: { podIPs: [{ ip: 192.168.0.2 }, { ip: "fd66::2" }] }
---
apiVersion: v1
kind: Service
metadata: { name: db, namespace: shop }
spec:
  clusterIPs: [10.96.0.5, "fd96::5"]
  selector: { app: db }
  ports: [{ name: sql, port: 5432, targetPort: sql }]
---
apiVersion: v1
kind: Service
metadata: { name: empty, namespace: shop }
spec: { clusterIPs: [10.96.0.6], selector: { app: none }, ports: [{ port: 80 }] }
---
apiVersion: v1
kind: Service
metadata: { name: members, namespace: shop }
spec: { clusterIP: None, selector: { app: db }, ports: [{ port: 5432 }] }
---
apiVersion: v1
kind: Service
metadata: { name: web, namespace: shop }
spec:
  type: NodePort
  clusterIPs: [10.96.0.7, "fd96::7"]
  selector: { app: web }
  ports: [{ name: http, port: 80, targetPort: http, nodePort: 30080 }]
`;

const policies = `
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: main-db, namespace: shop }
spec:
  podSelector: { matchLabels: { role: main } }
  ingress:
    - from: [{ podSelector: { matchLabels: { app: agent } } }]
      ports: [{ port: 5432 }]
    - from: [{ podSelector: { matchLabels: { app: web } } }]
      ports: [{ port: 443 }]
`;

const objects = (text: string) => parseAllDocuments(text).map((document) => document.toJS() as KubeObject);

function cluster(text: string): ClusterModel {
  const { value, problems } = readCluster(overlay([], objects(text), 'apply').value);
  expect(problems).toEqual([]);
  return value;
}

function ask(
  text: string,
  from: string,
  to: string,
  port?: string,
  more: Partial<ClusterModel> = {},
): Answer {
  const model = { ...cluster(text), ...more };
  const question = readQuestion(model, { from, to, ...(port === undefined ? {} : { port }) });
  if ('refused' in question) throw new Error(question.refused);
  const answer = explain(model, question.value);
  if (answer === undefined) throw new Error('no answer');
  return answer;
}

const shortOf = (step: Step) => `${step.kind} ${step.outcome}`;

test('without a policy everybody may, and both families are one answer', () => {
  const { verdict, paths } = ask(base, 'shop/web', 'shop/db-0', 'tcp/5432');
  expect(verdict).toBe('allowed');
  expect(paths).toHaveLength(1);
  expect(paths[0]?.families).toEqual([4, 6]);
  expect(paths[0]?.steps.map(({ text }) => text)).toEqual([
    'no policy selects pod shop/web for egress',
    'no policy selects pod shop/db-0 for ingress',
  ]);
});

test('a default denial names who isolates, and the rule that came nearest', () => {
  const { verdict, paths } = ask(base + policies, 'shop/web', 'shop/db-0', 'tcp/5432');
  expect(verdict).toBe('denied');
  const step = paths[0]?.steps.at(-1);
  expect(step).toMatchObject({
    kind: 'ingress',
    outcome: 'denied',
    isolatedBy: ['NetworkPolicy/shop/main-db'],
    nearest: {
      policy: 'NetworkPolicy/shop/main-db',
      rule: 'spec.ingress[1]',
      because: 'tcp/5432 is not among tcp/443',
    },
  });
});

test('backends of a Service with different answers are told apart', () => {
  const { verdict, paths } = ask(base + policies, 'shop/web', 'svc/shop/db');
  expect(verdict).toBe('partly');
  expect(paths.map((path) => [path.verdict, path.to.map(({ name }) => name)])).toEqual([
    ['denied', ['pod shop/db-0']],
    ['allowed', ['pod shop/db-1']],
  ]);
  expect(paths[0]?.steps.map(shortOf)).toEqual(['egress allowed', 'service allowed', 'ingress denied']);
});

test('an address is whoever has it: a Service, a pod, a node', () => {
  expect(
    ask(base + policies, 'shop/web', '10.96.0.5', 'tcp/5432').paths.map(({ to }) => to[0]?.name),
  ).toEqual(['pod shop/db-0', 'pod shop/db-1']);
  expect(ask(base, 'shop/web', '10.1.0.2', 'tcp/1').paths[0]?.to[0]?.name).toBe('pod shop/db-0');
  expect(ask(base, 'shop/web', '192.168.0.2', 'tcp/30080').paths[0]?.to[0]?.name).toBe('pod shop/web');
});

test('what nobody serves is refused inside, and dropped for the outside', () => {
  expect(ask(base, 'shop/web', 'svc/shop/empty').verdict).toBe('refused');
  expect(ask(base, 'shop/web', 'svc/shop/db', 'tcp/9').paths[0]?.steps.map(shortOf)).toEqual([
    'service refused',
  ]);
  expect(ask(base, 'world', 'svc/shop/db', 'tcp/5432').verdict).toBe('denied');
  expect(ask(base, '203.0.113.7', '10.96.0.5', 'tcp/5432').verdict).toBe('denied');
});

test('the outside comes in where the Subnet lets it, or through what is published', () => {
  const refused = ask(base, 'world', 'shop/web', 'tcp/8080');
  expect(refused.verdict).toBe('denied');
  expect(refused.paths[0]?.steps.map(shortOf)).toEqual(['subnet denied', 'ingress allowed']);
  expect(ask(base, '203.0.113.7', 'shop/web', 'tcp/8080').verdict).toBe('allowed');
  expect(ask(base, 'world', 'svc/shop/web').verdict).toBe('allowed');
  const stray = ask(base, '10.1.9.9', 'shop/web', 'tcp/8080');
  expect(stray.paths[0]?.steps[0]?.text).toContain('no pod has 10.1.9.9');
});

const onlyFrom = (pod: string, cidr: string) => `
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: only, namespace: shop }
spec: { podSelector: { matchLabels: { app: ${pod} } }, ingress: [{ from: [{ ipBlock: { cidr: ${cidr} } }] }] }
`;
const stepsOf = ({ paths }: Answer) =>
  paths.map(({ steps }) => steps.map((step) => [shortOf(step), step.kind === 'source' ? step.text : '']));

test("through another node's node port the outside is that node, through the pod's own it is itself", () => {
  const client = base + onlyFrom('web', '198.51.100.9/32');
  expect(ask(client, '198.51.100.9', '192.168.0.1', 'tcp/30080').verdict).toBe('allowed');
  const elsewhere = ask(client, '198.51.100.9', '192.168.0.2', 'tcp/30080');
  expect(elsewhere.verdict).toBe('denied');
  expect(stepsOf(elsewhere)).toEqual([
    [
      ['service allowed', ''],
      ['source allowed', 'masqueraded by node n2: it comes as node n2'],
      ['ingress denied', ''],
    ],
  ]);
  const node = base + onlyFrom('web', '192.168.0.2/32');
  expect(ask(node, '198.51.100.9', '192.168.0.2', 'tcp/30080').verdict).toBe('allowed');
  expect(ask(node, '198.51.100.9', '192.168.0.1', 'tcp/30080').verdict).toBe('denied');
});

test('a host port is its pod, at its node only, and whoever asks keeps his address', () => {
  const hosted = onlyFrom('web', '198.51.100.9/32');
  const port = 'ports: [{ name: http, containerPort: 8080';
  const cluster = base.replace(port, `${port}, hostPort: 9080`) + hosted;
  const outside = ask(cluster, '198.51.100.9', '192.168.0.1', 'tcp/9080');
  expect(outside.verdict).toBe('allowed');
  expect(outside.paths[0]?.steps[0]).toMatchObject({
    kind: 'service',
    isHostPort: true,
    service: 'shop/web',
    text: '192.168.0.1:9080 (tcp) is its port 8080',
  });
  expect(ask(cluster, '198.51.100.8', '192.168.0.1', 'tcp/9080').verdict).toBe('denied');
  expect(ask(cluster, '198.51.100.8', '192.168.0.2', 'tcp/9080').paths[0]?.to[0]?.name).toBe('node n2');
});

test("a pod leaves for another node's node port as its own node, and is asked for that node first", () => {
  const isolated = base.replace(
    'metadata: { name: shop }',
    'metadata: { name: shop, annotations: { netloom.dev/isolation: namespace } }',
  );
  const guest = `${isolated}
---
apiVersion: v1
kind: Namespace
metadata: { name: guest, labels: { who: guest } }
---
apiVersion: v1
kind: Pod
metadata: { name: g, namespace: guest }
spec: { nodeName: n2, containers: [{ name: c }] }
status: { podIPs: [{ ip: 10.1.0.7 }, { ip: "fd01::7" }] }
`;
  // The pod is on n1, the guest on n2: its own node translates at once and keeps its address.
  expect(ask(guest, 'guest/g', '192.168.0.2', 'tcp/30080').verdict).toBe('denied');
  const through = ask(guest, 'guest/g', '192.168.0.1', 'tcp/30080');
  expect(through.verdict).toBe('allowed');
  expect(stepsOf(through)).toEqual([
    [
      ['egress allowed', ''],
      ['source allowed', 'leaves for node n1 as node n2'],
      ['service allowed', ''],
      ['ingress allowed', ''],
    ],
  ]);
  const noNodes = `${guest}
---
apiVersion: policy.networking.k8s.io/v1alpha2
kind: ClusterNetworkPolicy
metadata: { name: no-nodes }
spec:
  tier: Admin
  priority: 1
  subject: { namespaces: { matchLabels: { who: guest } } }
  egress: [{ action: Deny, to: [{ nodes: {} }] }]
`;
  expect(ask(noNodes, 'guest/g', '192.168.0.1', 'tcp/30080').verdict).toBe('denied');
  // Addresses of routed pods lead back from any node: they keep them.
  const routed = guest.replace('allowInboundFrom: [203.0.113.0/24]', 'mode: routed');
  expect(ask(routed, 'guest/g', '192.168.0.1', 'tcp/30080').verdict).toBe('denied');
});

test("a node is judged as another one where its own pod is asked through that one's node port", () => {
  const closed = base + onlyFrom('web', '203.0.113.1/32');
  expect(ask(closed, 'node/n1', '192.168.0.1', 'tcp/30080').verdict).toBe('allowed');
  expect(ask(closed, 'node/n1', '192.168.0.2', 'tcp/30080').verdict).toBe('denied');
  expect(ask(base + onlyFrom('web', '192.168.0.2/32'), 'node/n1', '192.168.0.2', 'tcp/30080').verdict).toBe(
    'allowed',
  );
});

test('a Service without a word of the node: through each of them', () => {
  expect(stepsOf(ask(base, 'world', 'svc/shop/web')).flat()).toContainEqual([
    'source allowed',
    "through the pod's own node it keeps its address, through another it comes as that node",
  ]);
  const { verdict, paths } = ask(base + onlyFrom('web', '192.168.0.0/24'), 'world', 'svc/shop/web');
  expect(verdict).toBe('partly');
  expect(paths.map((path) => [path.verdict, path.steps[1]?.text])).toEqual([
    ['denied', "through the pod's own node: it keeps its address"],
    ['allowed', "through node n2, not the pod's own: it comes as that node, which masquerades"],
    // Of IPv6 the rule says nothing.
    ['denied', "through the pod's own node it keeps its address, through another it comes as that node"],
  ]);
});

test('by externalTrafficPolicy Local a node has its own pods only, and the client keeps its address', () => {
  const local = base.replace('type: NodePort', 'type: NodePort\n  externalTrafficPolicy: Local');
  const closed = local + onlyFrom('web', '198.51.100.9/32');
  expect(ask(closed, '198.51.100.9', '192.168.0.1', 'tcp/30080').verdict).toBe('allowed');
  expect(ask(closed, '198.51.100.9', 'svc/shop/web').verdict).toBe('allowed');
  const elsewhere = ask(closed, '198.51.100.9', '192.168.0.2', 'tcp/30080');
  expect(elsewhere.paths.map(({ verdict, steps }) => [verdict, ...steps.map(({ text }) => text)])).toEqual([
    [
      'denied',
      '192.168.0.2:30080 (tcp): none of its endpoints is on node n2, and its traffic policy is Local',
    ],
  ]);
});

test('the world may be a machine that is known', () => {
  const model = cluster(base);
  const asked = readQuestion(model, { from: 'world', to: 'shop/web', port: 'tcp/80' }, ['203.0.113.7']);
  if ('refused' in asked) throw new Error(asked.refused);
  const { verdict, paths, notes } = explain(model, asked.value, [4]) as Answer;
  expect([verdict, paths[0]?.from]).toEqual(['allowed', { name: 'world', addresses: ['203.0.113.7'] }]);
  expect(notes).toContain('world: the machine outside that packets are sent from, 203.0.113.7');
});

test('a private Subnet keeps out who is not named, but no node', () => {
  const isPrivate = `${base}
---
apiVersion: netloom.dev/v1alpha1
kind: Subnet
metadata: { name: closed }
spec: { cidrs: [10.2.0.0/16], private: true, namespaces: [closed] }
---
apiVersion: v1
kind: Pod
metadata: { name: p, namespace: closed }
spec: { nodeName: n1, containers: [{ name: c }] }
`;
  expect(ask(isPrivate, 'shop/web', 'closed/p', 'tcp/80').paths[0]?.steps.map(shortOf)).toEqual([
    'egress allowed',
    'subnet denied',
    'ingress allowed',
  ]);
  expect(ask(isPrivate, 'node/n2', 'closed/p', 'tcp/80').verdict).toBe('allowed');
});

test("a node's own pods are never kept from it, and a pod on its network is the node", () => {
  expect(ask(base + policies, 'node/n1', 'shop/db-0', 'tcp/5432').verdict).toBe('allowed');
  const remote = ask(base + policies, 'shop/agent', 'shop/db-0', 'tcp/5432');
  expect(remote.verdict).toBe('denied');
  expect(remote.paths[0]?.from.name).toBe('node n2');
});

test('a pod and itself: straight it never leaves, through a Service NetworkPolicies keep out of it', () => {
  expect(ask(base + policies, 'shop/db-0', 'shop/db-0', 'tcp/5432').paths[0]?.steps).toEqual([]);
  const through = ask(base + policies, 'shop/db-0', 'svc/shop/db');
  expect(through.verdict).toBe('allowed');
});

test('loopback is the pod itself, whatever policy says', () => {
  const closed = `${base}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: closed, namespace: shop }
spec: { podSelector: {}, policyTypes: [Egress] }
`;
  const { verdict, paths, notes } = ask(closed, 'shop/web', '127.0.0.1', 'tcp/80');
  expect([verdict, paths[0]?.steps]).toEqual(['allowed', []]);
  expect(notes).toEqual(['127.0.0.1 is whoever asks, itself: the connection never leaves it']);
});

test('without a port every one is answered, those alike as one', () => {
  const { verdict, paths } = ask(base + policies, 'shop/web', 'shop/db-0');
  expect(verdict).toBe('partly');
  expect(paths.map((path) => [path.verdict, path.ports.length])).toEqual([
    ['denied', 5],
    ['allowed', 1],
  ]);
  expect(paths[1]?.ports).toEqual([{ protocol: 'tcp', first: 443, last: 443 }]);
});

test.each([
  ['shop/nope', 'shop/web', undefined, 'there is no pod shop/nope'],
  ['svc/shop/db', 'shop/web', undefined, 'svc/shop/db: a Service opens no connection; name a pod'],
  [
    'shop/web',
    'svc/shop/nope',
    undefined,
    "there is no Service shop/nope with an address (one that is headless or an ExternalName has none: ask its pods, or the name's address)",
  ],
  [
    'shop/web',
    'svc/shop/members',
    undefined,
    'Service shop/members is headless, and nothing is translated: ask one of its pods, shop/db-0, shop/db-1',
  ],
  ['shop/web', 'node/n9', undefined, 'there is no node n9'],
  [
    'shop/web',
    'a/b/c/d',
    undefined,
    'a/b/c/d is no NAMESPACE/POD, svc/NAMESPACE/NAME, node/NAME, address or "world"',
  ],
  ['shop/web', 'shop/db-0', 'tcp/0', 'tcp/0 is no port such as tcp/80, udp/53, sctp/9999 or icmp'],
  ['shop/web', 'shop/db-0', 'http/80', 'http/80 is no port such as tcp/80, udp/53, sctp/9999 or icmp'],
])('%s to %s %s: %s', (from, to, port, refused) => {
  const words = { from, to, ...(port === undefined ? {} : { port }) };
  expect(readQuestion(cluster(base), words)).toEqual({ refused });
});

test('an address that a rule takes by its name is told with the name', () => {
  const byName = `
---
apiVersion: policy.networking.k8s.io/v1alpha2
kind: ClusterNetworkPolicy
metadata: { name: names }
spec:
  tier: Admin
  priority: 1
  subject: { namespaces: {} }
  egress:
    - { name: packages, action: Accept, to: [{ domainNames: ["*.example.org"] }, { networks: [198.51.100.9/32] }] }
    - { name: rest, action: Deny, to: [{ networks: [0.0.0.0/0, "::/0"] }] }
`;
  const names = new Map([
    ['a.example.org', new Set(['198.51.100.7', '198.51.100.9'])],
    ['b.example.org', new Set(['198.51.100.7'])],
    ['c.example.com', new Set(['198.51.100.8'])],
  ]);
  const told = (to: string, more: Partial<ClusterModel> = { names }) =>
    ask(base + byName, 'shop/web', to, 'tcp/443', more).paths[0]?.steps[0];
  const policy = 'by ClusterNetworkPolicy names spec.egress';
  expect(told('198.51.100.7')).toMatchObject({
    outcome: 'allowed',
    text: `${policy}[0] (packages): its node was told 198.51.100.7 for a.example.org, b.example.org`,
  });
  expect(told('198.51.100.9')).toMatchObject({ text: `${policy}[0] (packages)` });
  expect(told('198.51.100.8')).toMatchObject({ outcome: 'denied', text: `${policy}[1] (rest)` });
  // Without the node's word nobody knows.
  expect(told('198.51.100.7', {})).toMatchObject({ outcome: 'denied' });
});
