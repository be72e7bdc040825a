import { describe, expect, test } from 'vitest';
import type { Container } from '../objects/container.ts';
import type { Pod } from '../objects/pod.ts';
import { crashBackoff, startBackoff } from './backoff.ts';
import { allCapabilities } from './capabilities.ts';
import { containerEnvironment, type EnvSources, expand } from './env.ts';
import { createLogFormatter, parseLogLine, selectEntries, showEntry } from './logformat.ts';
import { containerConfig } from './oci.ts';
import { freshProbe, probed } from './probe.ts';
import { podHosts, podResolvConf } from './resolv.ts';
import { type ContainerRecord, type PodObservation, podPhase, podStatus } from './status.ts';
import { isInside, volumePlan } from './volumes.ts';

const podOf = (spec: Record<string, unknown> = {}, metadata: Record<string, unknown> = {}): Pod =>
  ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web', namespace: 'shop', uid: 'u1', ...metadata },
    spec: { containers: [{ name: 'c', image: 'netloom/client' }], ...spec },
  }) as unknown as Pod;

describe('environment', () => {
  const sources: EnvSources = {
    pod: podOf({}, { labels: { "it's": 'x', app: 'web' } }),
    podIPs: ['10.0.0.2', 'fd00::2'],
    hostIPs: ['192.168.66.11'],
    configMap: (name) =>
      name === 'map'
        ? { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: { a: '1', b: '2' } }
        : undefined,
    secret: () => undefined,
    services: [
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'my-db', namespace: 'shop' },
        spec: { clusterIP: '10.96.0.7', ports: [{ name: 'sql', port: 5432 }] },
      },
    ],
    image: { PATH: '/bin', FROM_IMAGE: 'yes' },
  };
  const environment = (container: Partial<Container>) =>
    containerEnvironment({ name: 'c', ...container }, sources);

  test('references are expanded once, escapes and unknown names stay', () => {
    expect(expand('$(A) $$(A) $(B) $(', { A: '$(B)' })).toBe('$(B) $(A) $(B) $(');
  });

  test('later sources win, and Services are there', () => {
    const { value, problems } = environment({
      envFrom: [{ prefix: 'P_', configMapRef: { name: 'map' } }],
      env: [
        { name: 'P_a', value: 'own' },
        { name: 'BOTH', value: '$(P_a)-$(P_b)-$(MY_DB_SERVICE_HOST)' },
        { name: 'IPS', valueFrom: { fieldRef: { fieldPath: 'status.podIPs' } } },
        { name: 'APP', valueFrom: { fieldRef: { fieldPath: "metadata.labels['app']" } } },
      ],
    });
    expect(problems).toEqual([]);
    expect(value).toMatchObject({
      FROM_IMAGE: 'yes',
      P_b: '2',
      BOTH: 'own-2-10.96.0.7',
      IPS: '10.0.0.2,fd00::2',
      APP: 'web',
      MY_DB_PORT_5432_TCP: 'tcp://10.96.0.7:5432',
    });
  });

  test('what is missing is named, unless it is optional', () => {
    const { problems } = environment({
      env: [
        { name: 'A', valueFrom: { secretKeyRef: { name: 'none', key: 'k' } } },
        { name: 'B', valueFrom: { configMapKeyRef: { name: 'map', key: 'nokey' } } },
        { name: 'C', valueFrom: { configMapKeyRef: { name: 'none', key: 'k', optional: true } } },
        { name: 'D', valueFrom: { fieldRef: { fieldPath: 'spec.secretThing' } } },
      ],
    });
    expect(problems).toEqual([
      'secret "none" not found',
      `couldn't find key nokey in configmap "map"`,
      'unsupported fieldPath: spec.secretThing',
    ]);
  });
});

describe('OCI configuration', () => {
  const config = (container: Partial<Container>, spec: Record<string, unknown> = {}) => {
    const made = containerConfig({
      pod: podOf(spec),
      container: { name: 'c', ...container },
      image: { entrypoint: ['/entry'], command: ['arg'], env: {}, workingDir: '/w', uid: 0, gid: 0 },
      env: { A: 'b' },
      netns: spec.hostNetwork === true ? undefined : '/run/netns/x',
      uts: undefined,
      ipc: undefined,
      binds: [],
      available: new Set(allCapabilities),
    });
    // biome-ignore lint/suspicious/noExplicitAny: the test looks into a document of another specification.
    return { ...made, value: made.value as any };
  };

  test('command and args replace what the image says', () => {
    expect(config({}).value.process.args).toEqual(['/entry', 'arg']);
    expect(config({ args: ['x $(A)'] }).value.process.args).toEqual(['/entry', 'x b']);
    expect(config({ command: ['sh'] }).value.process.args).toEqual(['sh']);
  });

  test('a privileged container has every capability and no mask, another user none in effect', () => {
    const privileged = config({ securityContext: { privileged: true } }).value;
    expect(privileged.process.capabilities.effective).toContain('CAP_SYS_ADMIN');
    expect(privileged.linux.maskedPaths).toBeUndefined();
    const user = config({
      securityContext: { runAsUser: 7, capabilities: { add: ['NET_ADMIN'], drop: ['ALL'] } },
    }).value;
    expect(user.process.user).toMatchObject({ uid: 7, gid: 0 });
    expect(user.process.capabilities).toMatchObject({ bounding: ['CAP_NET_ADMIN'], effective: [] });
  });

  test('what can not be is refused', () => {
    expect(config({ securityContext: { runAsNonRoot: true } }).problems).toEqual([
      'container has runAsNonRoot and image will run as root',
    ]);
    expect(config({ securityContext: { capabilities: { add: ['FLY'] } } }).problems).toEqual([
      'securityContext.capabilities: there is no capability "CAP_FLY"',
    ]);
  });

  test('hostNetwork and hostPID leave these namespaces to the node', () => {
    const types = (spec: Record<string, unknown>) =>
      config({}, spec).value.linux.namespaces.map(({ type }: { readonly type: string }) => type);
    expect(types({})).toEqual(['mount', 'pid', 'network']);
    expect(types({ hostNetwork: true, hostPID: true })).toEqual(['mount']);
  });
});

describe('volumes', () => {
  const sources = {
    pod: podOf(),
    podIPs: [],
    hostIPs: [],
    configMap: () => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'm' }, data: { a: 'text' } }),
    secret: () => undefined,
    token: () => undefined,
  };
  test('a path that leads out of its volume, a missing object and an unknown source are problems', () => {
    expect(isInside('a/../../b')).toBe(false);
    const plan = (volume: Record<string, unknown>) =>
      volumePlan(podOf(), { name: 'v', ...volume } as never, sources);
    expect(plan({ configMap: { name: 'm', items: [{ key: 'a', path: '../../etc/shadow' }] } })).toMatchObject(
      { problem: expect.stringContaining('no path inside a volume') },
    );
    expect(plan({ secret: { secretName: 's' } })).toEqual({ problem: 'secret "s" not found' });
    expect(plan({ secret: { secretName: 's', optional: true } })).toEqual({
      value: { kind: 'files', files: [] },
    });
    expect(plan({ persistentVolumeClaim: { claimName: 'c' } })).toMatchObject({
      problem: expect.stringContaining('persistentVolumeClaim is not part of the lab'),
    });
  });
});

describe('resolv.conf and hosts', () => {
  const dns = { addresses: ['10.96.0.10'], domain: 'cluster.local' };
  const node = 'nameserver 192.168.66.1\nsearch example.org\n';
  test('policies choose the resolver', () => {
    const cluster =
      'search shop.svc.cluster.local svc.cluster.local cluster.local example.org\nnameserver 10.96.0.10\noptions ndots:5\n';
    expect(podResolvConf(podOf(), dns, node)).toBe(cluster);
    expect(podResolvConf(podOf({ hostNetwork: true }), dns, node)).toBe(
      'search example.org\nnameserver 192.168.66.1\n',
    );
    expect(podResolvConf(podOf({ hostNetwork: true, dnsPolicy: 'ClusterFirstWithHostNet' }), dns, node)).toBe(
      cluster,
    );
    const own = {
      dnsPolicy: 'None',
      dnsConfig: { nameservers: ['1.1.1.1'], options: [{ name: 'ndots', value: '2' }] },
    };
    expect(podResolvConf(podOf(own), dns, node)).toBe('nameserver 1.1.1.1\noptions ndots:2\n');
  });
  test('a pod of a subdomain knows its full name', () => {
    const hosts = podHosts(
      podOf({ hostname: 'db-0', subdomain: 'db', hostAliases: [{ ip: '1.2.3.4', hostnames: ['x'] }] }),
      ['10.0.0.2'],
      'cluster.local',
      '',
    );
    expect(hosts).toContain('10.0.0.2\tdb-0.db.shop.svc.cluster.local\tdb-0\n1.2.3.4\tx\n');
  });
});

describe('status', () => {
  const record = (more: Partial<ContainerRecord>): ContainerRecord => ({
    name: 'c',
    attempt: 0,
    ready: false,
    started: false,
    ...more,
  });
  const running = record({ startedAt: 't', ready: true, started: true, containerID: 'x' });
  const ended = (code: number) =>
    record({ startedAt: 't', exit: { code, finishedAt: 't', reason: code === 0 ? 'Completed' : 'Error' } });
  const seen = (
    containers: PodObservation['containers'],
    more: Partial<PodObservation> = {},
  ): PodObservation => ({
    containers,
    podIPs: ['10.0.0.2'],
    hostIPs: ['192.168.66.11'],
    startTime: 't0',
    sandboxReady: true,
    terminating: false,
    now: 'now',
    ...more,
  });
  test('the phase follows restart policy and exits', () => {
    const phase = (policy: string, containers: PodObservation['containers']) =>
      podPhase(podOf({ restartPolicy: policy }), seen(containers));
    expect(phase('Always', {})).toBe('Pending');
    expect(phase('Always', { c: running })).toBe('Running');
    expect(phase('Always', { c: ended(0) })).toBe('Running');
    expect(phase('OnFailure', { c: ended(1) })).toBe('Running');
    expect(phase('OnFailure', { c: ended(0) })).toBe('Succeeded');
    expect(phase('Never', { c: ended(1) })).toBe('Failed');
    const withInit = podOf({ restartPolicy: 'Never', initContainers: [{ name: 'i' }] });
    expect(podPhase(withInit, seen({ i: { ...ended(1), name: 'i' } }))).toBe('Failed');
    expect(podPhase(withInit, seen({ i: { ...ended(0), name: 'i' } }))).toBe('Pending');
  });
  test('conditions keep the time of their last change, and those of others stay', () => {
    const before = podOf({ readinessGates: [{ conditionType: 'gate' }] });
    const old = {
      ...before,
      status: {
        conditions: [
          { type: 'Initialized', status: 'True', lastTransitionTime: 'old' },
          { type: 'gate', status: 'False' },
        ],
      },
    } as Pod;
    const { conditions } = podStatus(old, seen({ c: running }));
    const of = (type: string) => conditions?.find((condition) => condition.type === type);
    expect(of('Initialized')?.lastTransitionTime).toBe('old');
    expect(of('ContainersReady')).toMatchObject({ status: 'True', lastTransitionTime: 'now' });
    expect(of('Ready')).toMatchObject({ status: 'False', reason: 'ReadinessGatesNotReady' });
    expect(of('gate')).toEqual({ type: 'gate', status: 'False' });
  });
});

describe('probes and logs', () => {
  test('thresholds decide', () => {
    const probe = { failureThreshold: 2, successThreshold: 1 };
    const after = (results: readonly boolean[]) =>
      results.reduce((state, result) => probed(state, probe, result), freshProbe).passing;
    expect(after([false])).toBeUndefined();
    expect(after([true, false])).toBe(true);
    expect(after([true, false, false])).toBe(false);
    expect(after([false, false, true])).toBe(true);
  });
  test('lines are whole however they come, long ones are cut, and the last one needs no end', () => {
    const formatter = createLogFormatter('stdout', () => 'T');
    const bytes = Buffer.from('grüße\nzwei');
    const written = Buffer.concat([...bytes].map((byte) => formatter.write(Buffer.of(byte))));
    expect(written.toString()).toBe('T stdout F grüße\n');
    expect(formatter.end().toString()).toBe('T stdout P zwei\n');
    const long = formatter
      .write(Buffer.from(`${'x'.repeat(40_000)}\n`))
      .toString()
      .trim()
      .split('\n');
    expect(long.map((line) => line.slice(0, 11))).toEqual(['T stdout P ', 'T stdout P ', 'T stdout F ']);
    const entries = long.flatMap((line) => parseLogLine(line) ?? []);
    expect(entries.map((entry) => showEntry(entry, {})).join('')).toBe(`${'x'.repeat(40_000)}\n`);
    expect(selectEntries(entries, { tailLines: 1 })).toEqual(entries);
  });
});

describe('back-off', () => {
  test('the first restart comes at once, a loop waits ever longer to a minute, a good run ends it', () => {
    expect([0, 1, 2, 3, 7, 40].map((attempt) => crashBackoff(attempt, 500))).toEqual([
      0, 1000, 2000, 4000, 60_000, 60_000,
    ]);
    expect(crashBackoff(40, 600_000)).toBe(0);
  });

  test('what could not be started is tried again soon, then later', () => {
    expect([1, 2, 3, 9].map((failures) => startBackoff(failures))).toEqual([1000, 2000, 4000, 60_000]);
  });
});
