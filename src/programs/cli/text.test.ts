/** What commands tell people: readiness, status, findings, test counts. */
import { expect, test } from 'vitest';
import type { KubeObject } from '#api/object.ts';
import type { LabStatus } from '#lab/lab.ts';
import { probedLines } from './answers/probe.ts';
import { findingLines } from './doctor.ts';
import { subnetFindings } from './doctor-network.ts';
import { kernelSuffices } from './doctor-probes.ts';
import { statusLines } from './lab-status.ts';
import { policyLines, sumsOf } from './policy.ts';
import { readiness } from './readiness.ts';
import { countTests, failedFiles, failureLines, summaryLine, withSecondTry } from './testcount.ts';
import { explanationLines } from './why-ip.ts';

const ready = { conditions: [{ type: 'Ready', status: 'True' }] };
const node = (name: string, status: object = ready): KubeObject =>
  ({ apiVersion: 'v1', kind: 'Node', metadata: { name }, status }) as KubeObject;
const pod = (
  name: string,
  component: string,
  status: object = ready,
  namespace = 'netloom-system',
): KubeObject =>
  ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, labels: { 'app.kubernetes.io/component': component } },
    status,
  }) as KubeObject;

test('a cluster is ready when its nodes are and every system pod is', () => {
  const pods = [pod('a', 'node'), pod('b', 'node'), pod('c', 'controller')];
  expect(readiness([node('n1'), node('n2')], pods, 2)).toEqual([]);
  expect(readiness([node('n1'), node('n2')], [...pods, pod('user', '', {}, 'default')], 2)).toEqual([]);
});

test('it says what it waits for', () => {
  const waiting = {
    containerStatuses: [{ name: 'agent', state: { waiting: { reason: 'CrashLoopBackOff' } } }],
  };
  const down = {
    conditions: [{ type: 'Ready', status: 'False', reason: 'NoNetwork', message: 'no CNI configuration' }],
  };
  expect(readiness([node('n1', down)], [pod('a', 'node', waiting), pod('c', 'controller')], 2)).toEqual([
    '1 of 2 nodes have not registered',
    'node n1 is not ready (no CNI configuration)',
    'a node has no Netloom pod yet',
    'pod a is not ready (agent: CrashLoopBackOff)',
  ]);
  expect(readiness([], [], 1)).toContain('no other system pod yet');
});

test('doctor tells what nodes found of the network below underlay Subnets, and of no others', () => {
  const subnet = (name: string, mode: 'overlay' | 'underlay', status?: 'True' | 'False') => ({
    apiVersion: 'netloom.dev/v1alpha1',
    kind: 'Subnet',
    metadata: { name },
    spec: { cidrs: ['10.0.0.0/16'], mode },
    ...(status === undefined
      ? {}
      : {
          status: {
            conditions: [
              { type: 'UnderlayCarries', status, reason: 'R', message: 'at n1', lastTransitionTime: '' },
            ],
          },
        }),
  });
  const findings = subnetFindings([
    subnet('default', 'overlay'),
    subnet('good', 'underlay', 'True'),
    subnet('bad', 'underlay', 'False'),
    subnet('new', 'underlay'),
  ]);
  expect(findings.map(({ name, state }) => [name, state])).toEqual([
    ['network below Subnet good', 'ok'],
    ['network below Subnet bad', 'missing'],
    ['network below Subnet new', 'unknown'],
  ]);
  expect(findingLines(findings)).toContain(
    "missing  network below Subnet bad: at n1; needed: a layer 2 network that carries pods' addresses from and to every node",
  );
});

test('status of a lab', () => {
  const status: LabStatus = {
    spec: {
      name: 'x',
      family: 'dual',
      mtu: 1500,
      nodes: ['node1'],
      imageRoot: '/i',
      apiPort: 1,
      createdAt: '2026-01-01T00:00:00Z',
    },
    phase: 'running',
    machines: [
      { name: 'router', role: 'router', pid: 12, addresses: ['192.168.66.1'], running: true },
      { name: 'node1', role: 'node', pid: 0, addresses: ['192.168.66.11'], running: false },
    ],
    processes: [
      {
        name: 'kubelet',
        running: true,
        pid: 77,
        restarts: 2,
        startedAt: '2026-01-01T00:59:00Z',
        lastExit: 'SIGKILL',
      },
    ],
  };
  expect(statusLines(status, Date.parse('2026-01-01T01:00:00Z'))).toEqual([
    'lab x: running, dual, MTU 1500, age 60m',
    '',
    'MACHINE  STATE    PID  ADDRESSES',
    'router   running  12   192.168.66.1',
    'node1    down     -    192.168.66.11',
    '',
    'PROCESS  STATE    PID  RESTARTS  AGE',
    'kubelet  running  77   2         60s',
  ]);
});

test('findings end with a verdict', () => {
  expect(findingLines([{ name: 'root', state: 'ok', mend: 'sudo' }]).at(-1)).toBe(
    'this machine has all that Netloom needs',
  );
  expect(
    findingLines([{ name: 'veth', state: 'missing', detail: 'Not supported', mend: 'CONFIG_VETH' }]),
  ).toEqual(['missing  veth: Not supported; needed: CONFIG_VETH', '', '1 missing']);
  expect(findingLines([{ name: 'veth', state: 'unknown' }]).at(-1)).toBe(
    'nothing found missing, 1 could not be told',
  );
});

test.each([
  ['5.15.0', true],
  ['5.14.21-rt', false],
  ['6.1.0-18-amd64', true],
  ['4.19.0', false],
])('kernel %s', (release, enough) => {
  expect(kernelSuffices(release)).toBe(enough);
});

test('tests are counted, broken files and silent failures too', () => {
  const file = (name: string, ...statuses: readonly string[]) => ({
    name: `/src/${name}`,
    status: statuses.includes('failed') || statuses.length === 0 ? 'failed' : 'passed',
    message: statuses.length === 0 ? 'cannot be loaded' : '',
    assertionResults: statuses.map((status, index) => ({
      status,
      fullName: `test ${index}`,
      failureMessages: status === 'failed' ? ['Error: no answer\n\n    at x:1\n{ seed: 3 }\nmore'] : [],
    })),
  });
  const report = { testResults: [file('a', 'passed', 'passed', 'skipped')] };
  expect(countTests(report, 0)).toEqual({ passed: 2, failed: 0, skipped: 1 });
  expect(countTests(report, 1).failed).toBe(1);
  expect(countTests(undefined, 1)).toEqual({ passed: 0, failed: 1, skipped: 0 });
  const bad = { testResults: [...report.testResults, file('b', 'passed', 'failed'), file('c')] };
  expect(countTests(bad, 1)).toEqual({ passed: 3, failed: 2, skipped: 1 });
  expect(failedFiles(bad)).toEqual(['/src/b', '/src/c']);
  expect(failureLines(bad, '/src')).toEqual([
    'FAILED  b > test 1: Error: no answer | { seed: 3 }',
    'FAILED  c: cannot be loaded',
  ]);
  const better = withSecondTry(bad, { testResults: [file('b', 'passed', 'passed'), file('c', 'passed')] });
  expect(countTests(better, 0)).toEqual({ passed: 5, failed: 0, skipped: 1 });
  expect(summaryLine({ passed: 5, failed: 0, skipped: 0 })).toBe('5 passed, 0 failed');
  expect(summaryLine({ passed: 5, failed: 1, skipped: 2 })).toBe('5 passed, 1 failed, 2 skipped');
});

test('why a pod has its addresses, and why another one has none', () => {
  const pool = { kind: 'IPPool', name: 'web', by: 'selection by the pool' } as const;
  const lines = explanationLines({
    pod: 'shop/db-0',
    node: 'node1',
    considered: [
      { ...pool, taken: false, reason: "its podSelector doesn't take the pod's labels" },
      { kind: 'Subnet', name: 'default', by: 'default Subnet', taken: true, reason: 'no other serves it' },
    ],
    placement: { subnet: 'default', keep: 'Pod:db-0', release: 'Never', fromBlocks: false, ordinary: false },
    addresses: [
      {
        address: '10.0.0.5',
        claim: 'v4-10-0-0-5-32',
        node: 'node1',
        single: true,
        keep: 'Pod:db-0',
        generation: 2,
      },
    ],
  });
  expect(lines).toEqual([
    'pod shop/db-0 on node1',
    '',
    "   IPPool web      selection by the pool  its podSelector doesn't take the pod's labels",
    '→  Subnet default  default Subnet         no other serves it',
    '',
    'takes addresses of Subnet default that are claimed for it alone, and kept for Pod:db-0 (Never)',
    '  10.0.0.5  own claim v4-10-0-0-5-32  on node1  Pod:db-0, generation 2',
  ]);
  const waits = 'IPPool web: no free IPv4 address';
  expect(explanationLines({ pod: 'shop/a', node: '', considered: [], addresses: [], waits })).toEqual([
    'pod shop/a',
    '',
    `has no address: ${waits}`,
  ]);
});

test('what a packet did, and whether the model said so', () => {
  const tcp = { family: 4, packet: 'tcp/80 to 10.0.0.1', model: 'denied' } as const;
  expect(
    probedLines([
      { ...tcp, outcome: 'silent', agrees: true },
      { ...tcp, outcome: 'answered', agrees: false },
      { ...tcp, packet: 'udp/53 to 10.0.0.1', model: 'allowed', outcome: 'silent' },
    ]),
  ).toEqual([
    'packet tcp/80 to 10.0.0.1: silent, as the model says',
    'packet tcp/80 to 10.0.0.1: answered, NOT as the model says',
    'packet udp/53 to 10.0.0.1: silent, which tells nothing',
  ]);
});

test('what rules decided is summed over nodes, and says what nothing met', () => {
  const web = { kind: 'NetworkPolicy', namespace: 'shop', name: 'web' };
  const rule = { ...web, rule: 'spec.ingress[0]' };
  const one = { policy: rule, direction: 'ingress', verdict: 'allow', connections: 3 } as const;
  const sums = sumsOf([
    [one, { policy: web, direction: 'ingress', verdict: 'deny', connections: 0 }],
    [
      { ...one, connections: 4 },
      { verdict: 'allow', direction: 'egress', connections: 9 },
    ],
    [{ ...one, verdict: 'audit' }],
  ]);
  expect(policyLines(sums)).toEqual([
    'POLICY                  RULE                          DIRECTION  VERDICT     CONNECTIONS  NODES',
    'NetworkPolicy shop/web  isolates, and no rule allows  ingress    deny        never        1',
    'NetworkPolicy shop/web  spec.ingress[0]               ingress    allow       7            2',
    'NetworkPolicy shop/web  spec.ingress[0]               ingress    would deny  3            1',
    'no policy                                             egress     allow       9            1',
  ]);
  expect(policyLines([])).toEqual(['no policy is in force on these nodes']);
});
