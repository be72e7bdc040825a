/** Reads Services of type LoadBalancer: which addresses they ask for, and which they have. */
import type { KubeObject } from '#api/object.ts';
import { canonicalAddr, type Family } from '#net/addr.ts';
import type { LoadBalancerModel } from './loadbalancer.ts';
import { isPort, protocolOf } from './port.ts';
import { collectProblems, originOf, type Read, type Refuse } from './problem.ts';

/** The class that a Service can name to be ours whatever else serves in the cluster. */
export const ownLoadBalancerClass = 'netloom.dev/loadbalancer';

/** Of Services; each is read by its old prefix, too. */
export const loadBalancerAnnotations = {
  addresses: 'metallb.io/loadBalancerIPs',
  pool: 'metallb.io/address-pool',
  sharing: 'metallb.io/allow-shared-ip',
  /** Ours to write, as the next one. */
  from: 'metallb.io/ip-allocated-from-pool',
  announcer: 'netloom.dev/announcer',
  /** `serving`: see LoadBalancerModel. */
  while: 'netloom.dev/announce-while',
} as const;

/** Conditions that a Service has while something is wrong with its addresses. */
export const loadBalancerConditions = {
  /** An address of it is in no pool. */
  inPool: 'netloom.dev/AddressInPool',
  /** It has not all that it asks for. */
  allocated: 'netloom.dev/AddressAllocated',
} as const;

const oldPrefix = 'metallb.universe.tf/';

/** core/v1 Service, cut to what is read here. */
type Raw = {
  readonly spec?: {
    readonly type?: string;
    readonly loadBalancerClass?: string;
    readonly loadBalancerIP?: string;
    readonly clusterIPs?: readonly string[];
    readonly clusterIP?: string;
    readonly ipFamilies?: readonly string[];
    readonly ipFamilyPolicy?: string;
    readonly externalTrafficPolicy?: string;
    readonly selector?: Readonly<Record<string, string>>;
    readonly ports?: readonly { readonly protocol?: string; readonly port?: number }[];
  };
  readonly status?: {
    readonly loadBalancer?: { readonly ingress?: readonly { readonly ip?: string }[] };
    readonly conditions?: readonly { readonly type?: string }[];
  };
};

/** `onlyClass`: serve this class and no other, as --load-balancer-class says. */
export type ClassChoice = { readonly onlyClass?: string };

/**
 * A Service that isn't ours to serve has no value and no problem. One whose wishes can't be read keeps what it has and gets nothing:
 * any other address would not be what its author means.
 */
export function readLoadBalancer(object: KubeObject, { onlyClass }: ClassChoice): Read<LoadBalancerModel> {
  const origin = originOf(object);
  const { problems, refuse } = collectProblems(origin);
  const { spec = {}, status } = object as Raw;
  if (spec.type !== 'LoadBalancer' || !isOurs(spec.loadBalancerClass, onlyClass))
    return { value: undefined, problems: [] };
  const { metadata } = object;
  const annotations = metadata.annotations ?? {};
  const said = (name: string): string | undefined => annotationOf(annotations, name)?.text;
  const families = familiesOf(spec);
  const familyPolicy = policyOf(spec.ipFamilyPolicy);
  const requested = readRequest(spec, annotations, families, familyPolicy, refuse);
  const pool = said(loadBalancerAnnotations.pool);
  const sharingKey = said(loadBalancerAnnotations.sharing);
  const assignedFrom = said(loadBalancerAnnotations.from);
  const announcer = annotations[loadBalancerAnnotations.announcer];
  const assigned = (status?.loadBalancer?.ingress ?? []).flatMap(({ ip }) => canonicalAddr(ip ?? '') ?? []);
  const value: LoadBalancerModel = {
    origin,
    key: `${metadata.namespace ?? ''}/${metadata.name}`,
    namespace: metadata.namespace ?? '',
    uid: metadata.uid ?? '',
    created: metadata.creationTimestamp ?? '',
    labels: metadata.labels ?? {},
    families,
    familyPolicy,
    ...(requested === undefined ? {} : { requested }),
    ...(problems.length === 0 ? {} : { unreadable: true as const }),
    ...(pool === undefined ? {} : { pool }),
    ...(sharingKey === undefined ? {} : { sharingKey }),
    local: spec.externalTrafficPolicy === 'Local',
    selector: selectorText(spec.selector ?? {}),
    ports: (spec.ports ?? []).flatMap(({ protocol = 'TCP', port }) => {
      const known = protocolOf(protocol);
      return known === undefined || !isPort(port) ? [] : [{ protocol: known, port }];
    }),
    assigned: [...new Set(assigned)],
    ...(assignedFrom === undefined ? {} : { assignedFrom }),
    ...(announcer === undefined ? {} : { announcer }),
    ...(annotations[loadBalancerAnnotations.while] === 'serving' ? { whileServing: true as const } : {}),
    deleted: metadata.deletionTimestamp !== undefined,
  };
  return { value, problems };
}

/** Whether a Service that is no load balancer any more still says what was written on it when it was one. */
export function hasLeftovers(object: KubeObject): boolean {
  const { spec = {}, status = {} } = object as Raw;
  if (spec.type === 'LoadBalancer') return false;
  const annotations = object.metadata.annotations ?? {};
  const { from, announcer } = loadBalancerAnnotations;
  const own: readonly string[] = Object.values(loadBalancerConditions);
  return (
    [from, announcer].some((name) => name in annotations) ||
    (status.conditions ?? []).some(({ type = '' }) => own.includes(type))
  );
}

function isOurs(given: string | undefined, onlyClass: string | undefined): boolean {
  if (onlyClass !== undefined) return given === onlyClass;
  return given === undefined || given === '' || given === ownLoadBalancerClass;
}

/** The new prefix wins; a text without content is as good as none. */
function annotationOf(
  annotations: Readonly<Record<string, string>>,
  name: string,
): { readonly name: string; readonly text: string } | undefined {
  const names = [name, name.replace('metallb.io/', oldPrefix)];
  for (const each of names) {
    const text = Object.hasOwn(annotations, each) ? annotations[each]?.trim() : undefined;
    if (text) return { name: each, text };
  }
  return undefined;
}

function familiesOf({ clusterIPs, clusterIP, ipFamilies = [] }: NonNullable<Raw['spec']>): readonly Family[] {
  const addresses = (clusterIPs ?? [clusterIP ?? '']).flatMap((text) => canonicalAddr(text) ?? []);
  const families = addresses.map((address): Family => (address.includes(':') ? 6 : 4));
  const named = ipFamilies.map((family): Family => (family === 'IPv6' ? 6 : 4));
  return [...new Set(families.length > 0 ? families : named)];
}

function policyOf(policy: string | undefined): LoadBalancerModel['familyPolicy'] {
  return policy === 'PreferDualStack' || policy === 'RequireDualStack' ? policy : 'SingleStack';
}

function readRequest(
  { loadBalancerIP }: NonNullable<Raw['spec']>,
  annotations: Readonly<Record<string, string>>,
  families: readonly Family[],
  policy: LoadBalancerModel['familyPolicy'],
  refuse: Refuse,
): LoadBalancerModel['requested'] {
  const annotation = annotationOf(annotations, loadBalancerAnnotations.addresses);
  const inSpec = loadBalancerIP?.trim() || undefined;
  const field = annotation === undefined ? 'spec.loadBalancerIP' : `metadata.annotations[${annotation.name}]`;
  if (annotation !== undefined && inSpec !== undefined)
    return refuse(
      field,
      'InvalidAnnotation',
      'goes not together with spec.loadBalancerIP; write one of them',
    );
  const text = annotation?.text ?? inSpec;
  if (text === undefined) return undefined;
  const addresses: string[] = [];
  for (const each of text.split(',').map((part) => part.trim())) {
    const address = canonicalAddr(each);
    if (address === undefined) return refuse(field, 'InvalidAddress', `"${each}" is not an IP address`);
    addresses.push(address);
  }
  const asked = addresses.map((address): Family => (address.includes(':') ? 6 : 4));
  if (new Set(asked).size < asked.length)
    return refuse(field, 'DuplicateFamily', `${addresses.join(', ')} has two addresses of one family`);
  const missing = asked.find((family) => families.length > 0 && !families.includes(family));
  if (missing !== undefined)
    return refuse(field, 'InvalidAddress', `the Service has no IPv${missing} cluster address`);
  if (policy === 'RequireDualStack' && asked.length < 2)
    return refuse(field, 'InvalidAddress', 'is of one family, and spec.ipFamilyPolicy asks for both');
  return { field, addresses };
}

function selectorText(selector: Readonly<Record<string, string>>): string {
  const entries = Object.entries(selector).sort(([a], [b]) => (a < b ? -1 : 1));
  return entries.map(([key, value]) => `${key}=${value}`).join(',');
}
