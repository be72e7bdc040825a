/** A namespace's posture: who stays reachable, tenants, and that a bad word isolates. */
import { describe, expect, test } from 'vitest';
import { readNamespace } from './namespace.ts';
import { namespacePosture } from './posture.ts';

const posture = (isolation: string | undefined, labels = {}, name = 'shop', annotations = {}) => {
  const said = isolation === undefined ? {} : { 'netloom.dev/isolation': isolation };
  const { value = [], problems } = namespacePosture(
    readNamespace({
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name, labels, annotations: { ...annotations, ...said } },
    }),
  );
  return {
    policy: value[0],
    count: value.length,
    problems: problems.map(({ field, code }) => [field, code]),
  };
};
const field = 'metadata.annotations[netloom.dev/isolation]';
const pods = (namespaces: object | string) => [{ kind: 'pods', select: { namespaces } }];

describe('the posture of a namespace', () => {
  test('that says nothing is none', () => {
    expect(posture(undefined)).toEqual({ policy: undefined, count: 0, problems: [] });
  });

  test('namespace: pods of its own and the DNS, no other pods; all that is no pod as before', () => {
    const dns = [
      { protocol: 'udp', first: 53, last: 53 },
      { protocol: 'tcp', first: 53, last: 53 },
    ];
    expect(posture(' namespace ')).toMatchObject({
      count: 1,
      problems: [],
      policy: {
        origin: { kind: 'Namespace', name: 'shop' },
        key: 'Namespace/shop',
        tier: 'baseline',
        audit: false,
        subject: { namespaces: 'shop' },
        ingress: [
          { field: `${field} (own pods)`, action: 'accept', peers: pods('shop') },
          { field: `${field} (other pods)`, action: 'deny', peers: pods({}) },
        ],
        egress: [
          { field: `${field} (own pods)`, action: 'accept', peers: pods('shop') },
          { field: `${field} (cluster DNS)`, action: 'accept', peers: pods('kube-system'), ports: dns },
          { field: `${field} (other pods)`, action: 'deny', peers: pods({}) },
        ],
      },
    });
  });

  test('comes after every policy of an admin', () => {
    expect(posture('namespace').policy?.priority).toBeGreaterThan(1001);
  });

  test('the cluster’s DNS stays reachable in a namespace that is isolated itself', () => {
    expect(posture('namespace', {}, 'kube-system').policy?.ingress?.map(({ action }) => action)).toEqual([
      'accept',
      'accept',
      'deny',
    ]);
  });

  test.each<[string, Record<string, string>, object | string]>([
    ['tenant=team', { team: 'blue' }, { matchLabels: { team: 'blue' } }],
    ['tenant=team', { team: '' }, { matchLabels: { team: '' } }],
    [
      'tenant=example.org/team',
      { 'example.org/team': 'blue' },
      { matchLabels: { 'example.org/team': 'blue' } },
    ],
    ['tenant=team', { crew: 'blue' }, 'shop'],
    ['tenant=constructor', {}, 'shop'],
  ])('%s of labels %j', (text, labels, namespaces) => {
    const { policy, problems } = posture(text, labels);
    expect(problems).toEqual([]);
    expect(policy?.ingress?.[0]?.peers).toEqual(pods(namespaces));
    expect(policy?.egress?.[0]?.peers).toEqual(pods(namespaces));
  });

  test.each(['', 'none', 'tenant', 'tenant=', 'tenant=a/b/c', 'tenant=-a', 'tenant=/a', 'Namespace'])(
    '%j is a problem, and isolates the namespace for itself',
    (text) => {
      const { policy, problems } = posture(text, { team: 'blue' });
      expect(problems).toEqual([[field, 'InvalidAnnotation']]);
      expect(policy?.ingress?.[0]?.peers).toEqual(pods('shop'));
    },
  );

  test('audit of the namespace holds for its posture', () => {
    expect(posture('namespace', {}, 'shop', { 'netloom.dev/audit': 'true' }).policy?.audit).toBe(true);
    expect(posture(undefined, {}, 'shop', { 'netloom.dev/audit': '1' }).problems).toEqual([
      ['metadata.annotations[netloom.dev/audit]', 'InvalidAnnotation'],
    ]);
  });
});
