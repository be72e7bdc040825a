/** Configuration and the rest: what is filled in, and what is refused. */
import { describe, expect, it } from 'vitest';
import { builtinKinds } from '../builtins.ts';
import { admitAs, fields, type Given, make } from './testing.ts';

describe('configuration', () => {
  const secret = make({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 's' }, data: { a: 'YQ==' } });
  const map = make({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'c' }, data: { a: 'b' } });

  it('Secrets take text and hold it in base64', () => {
    const { value } = admitAs(secret({ stringData: { b: 'text' } }));
    expect(value).toMatchObject({ type: 'Opaque', data: { a: 'YQ==', b: 'dGV4dA==' } });
    expect(value).not.toHaveProperty('stringData');
  });

  it.each<[string, Given, Given | undefined, readonly string[]]>([
    ['data that is no base64', secret({ data: { a: '!' } }), undefined, ['data.a']],
    ['a key with a slash', map({ data: { 'a/b': '' } }), undefined, ['data[a/b]']],
    [
      'TLS without key',
      secret({ type: 'kubernetes.io/tls', data: { 'tls.crt': '' } }),
      undefined,
      ['data[tls.key]'],
    ],
    ['a type that changes', secret({ type: 'x/y' }), secret({}), ['type']],
    [
      'a change of what is immutable',
      map({ immutable: true, data: { a: 'c' } }),
      map({ immutable: true }),
      ['data'],
    ],
    ['mutable again', map({}), map({ immutable: true }), ['immutable']],
  ])('refuses %s', (_, given, old, expected) => {
    expect(fields(given, old)).toEqual(expected);
  });
});

describe('the rest', () => {
  const rbac = 'rbac.authorization.k8s.io';
  it.each<[string, Given, readonly string[]]>([
    [
      'a role with a colon',
      {
        apiVersion: `${rbac}/v1`,
        kind: 'ClusterRole',
        metadata: { name: 'system:x' },
        rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['get'] }],
      },
      [],
    ],
    [
      'a rule without verbs',
      {
        apiVersion: `${rbac}/v1`,
        kind: 'Role',
        metadata: { name: 'r' },
        rules: [{ apiGroups: [''], resources: ['pods'], verbs: [] }],
      },
      ['rules[0].verbs'],
    ],
    [
      'a binding to nothing',
      {
        apiVersion: `${rbac}/v1`,
        kind: 'RoleBinding',
        metadata: { name: 'r' },
        roleRef: { kind: 'Pod', name: 'x', apiGroup: rbac },
      },
      ['roleRef.kind'],
    ],
    [
      'a namespace with a dot',
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'a.b' } },
      ['metadata.name'],
    ],
    [
      'a lease of no time',
      {
        apiVersion: 'coordination.k8s.io/v1',
        kind: 'Lease',
        metadata: { name: 'l' },
        spec: { leaseDurationSeconds: 0 },
      },
      ['spec.leaseDurationSeconds'],
    ],
    [
      'a budget of both kinds',
      {
        apiVersion: 'policy/v1',
        kind: 'PodDisruptionBudget',
        metadata: { name: 'b' },
        spec: { minAvailable: 1, maxUnavailable: 1 },
      },
      ['spec'],
    ],
    [
      'two ranges of one family',
      {
        apiVersion: 'v1',
        kind: 'Node',
        metadata: { name: 'n' },
        spec: { podCIDRs: ['10.0.0.0/24', '10.0.1.0/24'] },
      },
      ['spec.podCIDRs'],
    ],
    [
      'a policy of nothing',
      {
        apiVersion: 'admissionregistration.k8s.io/v1',
        kind: 'ValidatingAdmissionPolicy',
        metadata: { name: 'p' },
        spec: {},
      },
      ['spec.validations', 'spec.matchConstraints.resourceRules'],
    ],
  ])('%s', (_, given, expected) => {
    expect(fields(given)).toEqual(expected);
  });

  it('says which kinds are stored without effect', () => {
    const quiet = builtinKinds()
      .filter((each) => each.warning !== undefined)
      .map((each) => each.kind);
    expect(quiet.sort()).toEqual([
      'ClusterRole',
      'ClusterRoleBinding',
      'CronJob',
      'LimitRange',
      'PersistentVolume',
      'PersistentVolumeClaim',
      'PodDisruptionBudget',
      'PriorityClass',
      'ReplicationController',
      'ResourceQuota',
      'Role',
      'RoleBinding',
      'StorageClass',
      'ValidatingAdmissionPolicy',
      'ValidatingAdmissionPolicyBinding',
    ]);
  });
});
