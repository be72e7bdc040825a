/** What the server serves, for clients that ask: /api, /apis and their aggregated form. */
import { createHash } from 'node:crypto';
import type { Kinds } from './kinds.ts';
import type { ServedKind } from './types.ts';

type Subresource = {
  readonly name: string;
  readonly kind: string;
  readonly group?: string;
  readonly version?: string;
  readonly verbs: readonly string[];
};

const verbs = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'];
const readWrite = ['get', 'patch', 'update'];

/** Kinds that are asked but not stored. */
type Question = {
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly kind: string;
};
export const questions: readonly Question[] = [
  { group: 'authentication.k8s.io', version: 'v1', plural: 'selfsubjectreviews', kind: 'SelfSubjectReview' },
  { group: 'authentication.k8s.io', version: 'v1', plural: 'tokenreviews', kind: 'TokenReview' },
  {
    group: 'authorization.k8s.io',
    version: 'v1',
    plural: 'selfsubjectaccessreviews',
    kind: 'SelfSubjectAccessReview',
  },
  {
    group: 'authorization.k8s.io',
    version: 'v1',
    plural: 'subjectaccessreviews',
    kind: 'SubjectAccessReview',
  },
];

const podSubresources: readonly Subresource[] = [
  { name: 'binding', kind: 'Binding', verbs: ['create'] },
  { name: 'eviction', kind: 'Eviction', group: 'policy', version: 'v1', verbs: ['create'] },
  { name: 'exec', kind: 'PodExecOptions', verbs: ['create', 'get'] },
  { name: 'log', kind: 'Pod', verbs: ['get'] },
  { name: 'proxy', kind: 'PodProxyOptions', verbs: ['create', 'delete', 'get', 'patch', 'update'] },
];

/** Subresources that a kind has. */
export function subresourcesOf(kind: ServedKind): readonly Subresource[] {
  const list: Subresource[] = [];
  const is = (plural: string): boolean => kind.group === '' && kind.plural === plural;
  if (is('pods')) list.push(...podSubresources);
  if (is('serviceaccounts')) {
    list.push({
      name: 'token',
      kind: 'TokenRequest',
      group: 'authentication.k8s.io',
      version: 'v1',
      verbs: ['create'],
    });
  }
  if (is('namespaces')) list.push({ name: 'finalize', kind: 'Namespace', verbs: ['update'] });
  if (kind.scale !== undefined) {
    list.push({ name: 'scale', kind: 'Scale', group: 'autoscaling', version: 'v1', verbs: readWrite });
  }
  if (kind.hasStatus) list.push({ name: 'status', kind: kind.kind, verbs: readWrite });
  return list;
}

type Group = { readonly name: string; readonly versions: readonly string[] };

/** Groups in the order served, versions best first: stable before beta before alpha, higher before lower. */
function groupsOf(kinds: Kinds): readonly Group[] {
  const groups = new Map<string, Set<string>>();
  for (const { group, version } of [...kinds.all, ...questions]) {
    if (!groups.has(group)) groups.set(group, new Set());
    groups.get(group)!.add(version);
  }
  return [...groups].map(([name, versions]) => ({ name, versions: [...versions].toSorted(compareVersions) }));
}

/** Kubernetes version order (v2, v1, v1beta1, v1alpha1, then names), best first. */
export function compareVersions(a: string, b: string): number {
  const rank = (version: string): readonly number[] => {
    const found = /^v(\d+)(?:(alpha|beta)(\d+))?$/.exec(version);
    if (found === null) return [0, 0, 0];
    const stage = found[2] === undefined ? 3 : found[2] === 'beta' ? 2 : 1;
    return [stage, Number(found[1]), Number(found[3] ?? 0)];
  };
  const [left, right] = [rank(a), rank(b)];
  for (const [index, value] of left.entries()) {
    if (value !== right[index]) return right[index]! - value;
  }
  return a < b ? -1 : a > b ? 1 : 0;
}

/** `/api`. */
export function apiVersions(): object {
  return { kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs: [] };
}

/** `/apis`. */
export function apiGroupList(kinds: Kinds): object {
  const groups = groupsOf(kinds).filter(({ name }) => name !== '');
  return { kind: 'APIGroupList', apiVersion: 'v1', groups: groups.map(apiGroup) };
}

/** `/apis/GROUP`; undefined for a group that is not served. */
export function apiGroupDocument(kinds: Kinds, name: string): object | undefined {
  const group = groupsOf(kinds).find((each) => each.name === name && name !== '');
  return group && { kind: 'APIGroup', apiVersion: 'v1', ...apiGroup(group) };
}

function apiGroup({ name, versions }: Group): object {
  const list = versions.map((version) => ({ groupVersion: `${name}/${version}`, version }));
  return { name, versions: list, preferredVersion: list[0] };
}

/** `/api/v1` and `/apis/GROUP/VERSION`; undefined for what is not served. */
export function apiResourceList(kinds: Kinds, group: string, version: string): object | undefined {
  const served = kinds.all.filter((kind) => kind.group === group && kind.version === version);
  const asked = questions.filter((each) => each.group === group && each.version === version);
  if (served.length + asked.length === 0) return undefined;
  const resources = served.flatMap((kind) => [
    {
      name: kind.plural,
      singularName: kind.singular,
      namespaced: kind.namespaced,
      kind: kind.kind,
      verbs,
      ...(kind.shortNames.length > 0 ? { shortNames: kind.shortNames } : {}),
      ...(kind.categories.length > 0 ? { categories: kind.categories } : {}),
      storageVersionHash: storageHash(kind),
    },
    ...subresourcesOf(kind).map((sub) => ({
      name: `${kind.plural}/${sub.name}`,
      singularName: '',
      namespaced: kind.namespaced,
      ...(sub.group === undefined ? {} : { group: sub.group, version: sub.version }),
      kind: sub.kind,
      verbs: sub.verbs,
    })),
  ]);
  const reviews = asked.map(({ plural, kind }) => ({
    name: plural,
    singularName: kind.toLowerCase(),
    namespaced: false,
    kind,
    verbs: ['create'],
  }));
  return {
    kind: 'APIResourceList',
    apiVersion: 'v1',
    groupVersion: group === '' ? version : `${group}/${version}`,
    resources: [...resources, ...reviews],
  };
}

/** APIGroupDiscoveryList of `/api` (`core` true) or `/apis` (KEP-3352). `apiVersion` is v2 or v2beta1. */
export function aggregatedDiscovery(kinds: Kinds, core: boolean, version: string): object {
  const groups = groupsOf(kinds).filter(({ name }) => (name === '') === core);
  return {
    kind: 'APIGroupDiscoveryList',
    apiVersion: `apidiscovery.k8s.io/${version}`,
    metadata: {},
    items: groups.map(({ name, versions }) => ({
      metadata: name === '' ? {} : { name },
      versions: versions.map((each) => ({
        version: each,
        freshness: 'Current',
        resources: [
          ...kinds.all.filter((kind) => kind.group === name && kind.version === each).map(discovered),
          ...questions
            .filter((asked) => asked.group === name && asked.version === each)
            .map(discoveredQuestion),
        ],
      })),
    })),
  };
}

function discovered(kind: ServedKind): object {
  const { group, version } = kind;
  return {
    resource: kind.plural,
    responseKind: { group, version, kind: kind.kind },
    scope: kind.namespaced ? 'Namespaced' : 'Cluster',
    singularResource: kind.singular,
    verbs,
    ...(kind.shortNames.length > 0 ? { shortNames: kind.shortNames } : {}),
    ...(kind.categories.length > 0 ? { categories: kind.categories } : {}),
    subresources: subresourcesOf(kind).map((sub) => ({
      subresource: sub.name,
      responseKind: { group: sub.group ?? group, version: sub.version ?? version, kind: sub.kind },
      verbs: sub.verbs,
    })),
  };
}

function discoveredQuestion({ group, version, plural, kind }: Question): object {
  return {
    resource: plural,
    responseKind: { group, version, kind },
    scope: 'Cluster',
    singularResource: kind.toLowerCase(),
    verbs: ['create'],
  };
}

function storageHash(kind: ServedKind): string {
  const text = `${kind.group}/${kind.storageVersion}/${kind.kind}`;
  return createHash('sha512').update(text).digest().subarray(0, 8).toString('base64');
}
