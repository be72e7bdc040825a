/** Pods and workloads: what is filled in, and what is refused, as users of kubectl see it. */
import { describe, expect, it } from 'vitest';
import { at, list } from './fields.ts';
import { admitAs, fields, type Given, make } from './testing.ts';

const pod = make({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'p', namespace: 'd' },
  spec: { containers: [{ name: 'a', image: 'web:1' }] },
});

describe('pods', () => {
  it('get the defaults of the API reference', () => {
    const given = pod({
      spec: {
        containers: [{ name: 'a', image: 'web', livenessProbe: { httpGet: { port: 80 } } }],
        volumes: [{ name: 'v' }],
      },
    });
    const { value, problems } = admitAs(given);
    expect(problems).toEqual([]);
    expect(value.spec).toMatchObject({
      restartPolicy: 'Always',
      dnsPolicy: 'ClusterFirst',
      terminationGracePeriodSeconds: 30,
      enableServiceLinks: true,
      containers: [
        {
          imagePullPolicy: 'Always',
          livenessProbe: { periodSeconds: 10, httpGet: { path: '/', scheme: 'HTTP' } },
        },
      ],
      volumes: [{ name: 'v', emptyDir: {} }],
    });
  });

  it('hold quantities in canonical form', () => {
    const { value } = admitAs(
      pod({
        spec: {
          containers: [
            { name: 'a', image: 'b', resources: { requests: { cpu: '1000m', memory: '1024Ki' } } },
          ],
        },
      }),
    );
    expect(at(list(at(value, 'spec').containers)[0], 'resources', 'requests')).toEqual({
      cpu: '1',
      memory: '1Mi',
    });
  });

  const one = (container: object) => pod({ spec: { containers: [{ name: 'a', image: 'b', ...container }] } });
  it.each<[string, Given, readonly string[]]>([
    ['no containers', pod({ spec: { containers: [] } }), ['spec.containers']],
    ['no image', pod({ spec: { containers: [{ name: 'a' }] } }), ['spec.containers[0].image']],
    [
      'the same name twice',
      pod({ spec: { initContainers: [{ name: 'a', image: 'b' }] } }),
      ['spec.containers[0].name'],
    ],
    [
      'a port beyond the highest',
      one({ ports: [{ containerPort: 65536 }] }),
      ['spec.containers[0].ports[0].containerPort'],
    ],
    [
      'a mount without volume',
      one({ volumeMounts: [{ name: 'v', mountPath: '/v' }] }),
      ['spec.containers[0].volumeMounts[0].name'],
    ],
    [
      'a request above its limit',
      one({ resources: { requests: { cpu: '2' }, limits: { cpu: '1' } } }),
      ['spec.containers[0].resources.requests'],
    ],
    [
      'a quantity that is none',
      one({ resources: { requests: { cpu: 'two' } } }),
      ['spec.containers[0].resources.requests.cpu'],
    ],
    [
      'a probe of two kinds',
      one({ livenessProbe: { tcpSocket: { port: 1 }, exec: { command: ['a'] } } }),
      ['spec.containers[0].livenessProbe.tcpSocket'],
    ],
    ['a restart policy of its own', pod({ spec: { restartPolicy: 'Sometimes' } }), ['spec.restartPolicy']],
    ['no nameserver of its own', pod({ spec: { dnsPolicy: 'None' } }), ['spec.dnsConfig.nameservers']],
    [
      'a volume of two kinds',
      pod({ spec: { volumes: [{ name: 'v', emptyDir: {}, hostPath: { path: '/' } }] } }),
      ['spec.volumes[0].hostPath'],
    ],
  ])('refuses %s', (_, given, expected) => {
    expect(fields(given)).toEqual(expected);
  });

  it('may set a variable twice, with a warning', () => {
    const env = ['1', '2'].map((value) => ({ name: 'x', value }));
    const { problems, warnings } = admitAs(one({ env }));
    expect(problems).toEqual([]);
    expect(warnings).toEqual([
      expect.stringMatching(/^spec.containers\[0\].env\[1\]: hides previous definition of "x"/),
    ]);
  });

  it('change in their images alone', () => {
    expect(fields(pod({ spec: { containers: [{ name: 'a', image: 'web:2' }] } }), pod({}))).toEqual([]);
    expect(fields(pod({ spec: { hostNetwork: true } }), pod({}))).toEqual(['spec']);
    expect(fields(pod({ spec: { nodeName: 'n1' } }), pod({}))).toEqual([]);
    expect(fields(pod({ spec: { nodeName: 'n2' } }), pod({ spec: { nodeName: 'n1' } }))).toEqual(['spec']);
  });
});

const deployment = make({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'w', namespace: 'd' },
  spec: {
    selector: { matchLabels: { app: 'w' } },
    template: { metadata: { labels: { app: 'w' } }, spec: { containers: [{ name: 'a', image: 'b' }] } },
  },
});

describe('workloads', () => {
  it('fill in replicas and strategy', () => {
    expect(admitAs(deployment({})).value.spec).toMatchObject({
      replicas: 1,
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '25%', maxUnavailable: '25%' } },
    });
  });

  it.each<[string, object, readonly string[]]>([
    [
      'a selector that the template does not match',
      { spec: { selector: { matchLabels: { app: 'x' } } } },
      ['spec.template.metadata.labels'],
    ],
    ['an empty selector', { spec: { selector: { matchLabels: null } } }, ['spec.selector']],
    ['replicas below zero', { spec: { replicas: -1 } }, ['spec.replicas']],
    [
      'pods that end',
      { spec: { template: { spec: { restartPolicy: 'Never' } } } },
      ['spec.template.spec.restartPolicy'],
    ],
    [
      'a rollout that cannot move',
      { spec: { strategy: { rollingUpdate: { maxSurge: 0, maxUnavailable: 0 } } } },
      ['spec.strategy.rollingUpdate.maxUnavailable'],
    ],
    [
      'a percentage that is none',
      { spec: { strategy: { rollingUpdate: { maxSurge: 'half' } } } },
      ['spec.strategy.rollingUpdate.maxSurge'],
    ],
  ])('refuse %s', (_, patch, expected) => {
    expect(fields(deployment(patch))).toEqual(expected);
  });

  it('keep their selector', () => {
    const labels = { app: 'w', x: 'y' };
    const other = { spec: { selector: { matchLabels: labels }, template: { metadata: { labels } } } };
    expect(fields(deployment(other), deployment({}))).toEqual(['spec.selector']);
  });

  it('StatefulSets change in few fields', () => {
    const set = make({ ...deployment({}), kind: 'StatefulSet' });
    expect(fields(set({ spec: { replicas: 3 } }), set({}))).toEqual([]);
    expect(fields(set({ spec: { serviceName: 'x' } }), set({}))).toEqual(['spec']);
  });

  it('jobs tell their pods by their UID', () => {
    const spec = { template: { spec: { restartPolicy: 'Never', containers: [{ name: 'a', image: 'b' }] } } };
    const { value, problems } = admitAs({
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { name: 'j', uid: 'u' },
      spec,
    });
    expect(problems).toEqual([]);
    expect(value.spec).toMatchObject({
      completions: 1,
      selector: { matchLabels: { 'batch.kubernetes.io/controller-uid': 'u' } },
      template: { metadata: { labels: { 'job-name': 'j' } } },
    });
  });

  it.each(['* * * * *', '*/5 0-6 1,15 jan mon-fri', '@hourly'])('cron jobs take %s', (schedule) => {
    const spec = { template: { spec: { restartPolicy: 'Never', containers: [{ name: 'a', image: 'b' }] } } };
    const cron = {
      apiVersion: 'batch/v1',
      kind: 'CronJob',
      metadata: { name: 'c' },
      spec: { schedule, jobTemplate: { spec } },
    };
    expect(fields(cron)).toEqual([]);
    expect(fields({ ...cron, spec: { ...cron.spec, schedule: '61 * * * *' } })).toEqual(['spec.schedule']);
  });
});
