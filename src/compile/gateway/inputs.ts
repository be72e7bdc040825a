/** The objects as they are now, with the indexes that questions about them need; whoever asks is noted. */
import type { FrontendModel, RuleModel } from '#model/alauda/types.ts';
import type { ALBModel, AttachedPolicy } from '#model/gateway/policy-types.ts';
import type { BackendTLSPolicyModel, GatewayClassModel, ObjectReference } from '#model/gateway/types.ts';
import type { IngressModel } from '#model/ingress/types.ts';
import type { Labels } from '#model/selector.ts';
import type { EndpointSliceModel } from '#model/service.ts';
import { namesOf } from '../ingress/sites.ts';
import { olderFirst } from './age.ts';
import { createGrants, grantTopic } from './grants.ts';
import { albInstance, albOf, isALB } from './instances/derived-gateway.ts';
import { type Lookups, referenceTopic } from './lookups.ts';
import { ingressOf, targetKey } from './policies/levels.ts';
import type { AttachedPolicies, TargetPolicies } from './policies/types.ts';
import { createHostnameGrants, type HostnameGrants, zoneTopic } from './tenancy/hostname-grants.ts';
import type { GatewayInput, GatewayInputs, InstanceFacts, Permits } from './types.ts';

export type Inputs = {
  /** `undefined` removes. Who looked at it is due; false: it is the same as before. */
  set<K extends GatewayInput>(kind: K, key: string, value: GatewayInputs[K] | undefined): boolean;
  setFacts(gateway: string, facts: InstanceFacts | undefined): void;
  readonly ask: Asking;
  /** Without a note. */
  peek<K extends GatewayInput>(kind: K, key: string): GatewayInputs[K] | undefined;
};

/** What is asked for by a reference, which is noted whatever comes of it. */
type Referred = 'authority' | 'certificate' | 'users' | 'firewallRules';

/** Questions of those who compute. */
export type Asking = {
  get<K extends Exclude<GatewayInput, Referred | 'namespace'>>(
    kind: K,
    key: string,
  ): GatewayInputs[K] | undefined;
  class(name: string): GatewayClassModel | undefined;
  facts(gateway: string): InstanceFacts | undefined;
  /** No labels while the namespace isn't known. */
  labels(namespace: string): Labels;
  /** What a reference to a Secret with a certificate leads to; it is watched from now on, whatever comes of it. */
  certificate(reference: ObjectReference): GatewayInputs['certificate'] | undefined;
  authority(reference: ObjectReference): GatewayInputs['authority'] | undefined;
  users(secret: string): GatewayInputs['users'] | undefined;
  firewallRules(configMap: string): GatewayInputs['firewallRules'] | undefined;
  readonly permits: Permits;
  /** Keys of ListenerSets that name a Gateway, or the ALB that it is derived of. */
  setsOf(gateway: string): readonly string[];
  /** Keys of the routes that an Ingress (`Ingress/namespace/name`) was made into. */
  routesOf(ingress: string): readonly string[];
  /** Keys of Gateways that name an ALB, by themselves or by their class, in vain or not. */
  sharersOf(alb: string): readonly string[];
  slicesOf(service: string): readonly EndpointSliceModel[];
  /** Frontends of an ALB2, Rules of a Frontend: by their names. */
  frontendsOf(alb2: string): readonly FrontendModel[];
  rulesOf(frontend: string): readonly RuleModel[];
  /** Of a namespace with a hostname ('' any), the oldest first. Noted as one. */
  ingressesAt(namespace: string, hostname: string): readonly IngressModel[];
  /** That say they serve an IngressClass, the oldest first. */
  albsOfClass(name: string): readonly ALBModel[];
  /** Names of those that are the default. */
  defaultIngressClasses(): readonly string[];
  /** Policies that have the Service among their targets. */
  policiesOf(service: string): readonly BackendTLSPolicyModel[];
  readonly attached: AttachedPolicies;
  /** HostnameGrants that decide about a hostname. */
  readonly hostnameGrants: HostnameGrants['about'];
  /** Names of HostnameGrants below a wildcard. */
  readonly grantedBelow: HostnameGrants['below'];
  /** Keys of Gateways with defaultScope All, the oldest first. */
  defaultGateways(): readonly string[];
};

const gatewayGroup = 'gateway.networking.k8s.io';

export function createInputs(lookups: Lookups): Inputs {
  const stores = new Map<GatewayInput, Map<string, unknown>>();
  const facts = new Map<string, InstanceFacts>();
  const grants = createGrants();
  const hostnames = createHostnameGrants();
  /** Topics of all zones that somebody asked about. */
  const zones = new Set<string>();
  const indexes = new Map<string, Map<string, Set<string>>>();

  const peek = <K extends GatewayInput>(kind: K, key: string): GatewayInputs[K] | undefined =>
    stores.get(kind)?.get(key) as GatewayInputs[K] | undefined;
  const get = <K extends GatewayInput>(kind: K, key: string): GatewayInputs[K] | undefined => {
    lookups.note(`${kind} ${key}`);
    return peek(kind, key);
  };
  const listed = (index: string, of: string): readonly string[] => {
    lookups.note(`${index}s of ${of}`);
    return [...(indexes.get(index)?.get(of) ?? [])].sort();
  };
  /** By target, until one of them is another one: every route asks for those of its Gateway. */
  const attachedTo = new Map<string, TargetPolicies>();
  const attached: AttachedPolicies = {
    at(target) {
      lookups.note(`policies at ${target}`);
      const known = attachedTo.get(target);
      if (known !== undefined) return known;
      const of = <K extends 'policy' | 'wafPolicy'>(kind: K): readonly GatewayInputs[K][] =>
        [...(indexes.get(kind)?.get(target) ?? [])].flatMap((key) => peek(kind, key) ?? []);
      const found = { traffic: of('policy'), firewall: of('wafPolicy') };
      if (found.traffic.length + found.firewall.length === 0) return noPolicies;
      attachedTo.set(target, found);
      return found;
    },
    entranceAt(alb, port) {
      const { http, https } = get('alb', alb) ?? {};
      if (https?.port === port) return 'https';
      return http?.port === port ? 'http' : undefined;
    },
    ofService: (service) => members('backendPolicy', `Service/${service}`),
  };
  /** By index: what `members` answered, until one of them is another one. */
  const lists = new Map<string, readonly unknown[]>();
  let defaults: readonly string[] | undefined;
  /**
   * The objects that an index leads to, by their keys. Noted as one: where thousands of policies are for one Service, each of them looks at all
   * others.
   */
  const members = <
    K extends 'slice' | 'tlsPolicy' | 'backendPolicy' | 'frontend' | 'albRule' | 'ingress' | 'alb',
  >(
    kind: K,
    of: string,
  ): readonly GatewayInputs[K][] => {
    const topic = `all ${kind}s of ${of}`;
    lookups.note(topic);
    const known = lists.get(topic);
    if (known !== undefined) return known as readonly GatewayInputs[K][];
    const keys = [...(indexes.get(kind)?.get(of) ?? [])].sort();
    const found = keys.flatMap((key) => peek(kind, key) ?? []);
    if (found.length > 0) lists.set(topic, found);
    return found;
  };
  const move = (index: string, key: string, from: readonly string[], to: readonly string[]): void => {
    const map = indexes.get(index) ?? new Map<string, Set<string>>();
    indexes.set(index, map);
    for (const of of from) if (!to.includes(of)) map.get(of)?.delete(key);
    for (const of of to) map.set(of, (map.get(of) ?? new Set<string>()).add(key));
    for (const of of new Set([...from, ...to])) {
      if (map.get(of)?.size === 0) map.delete(of);
      if (from.includes(of) !== to.includes(of)) lookups.touch(`${index}s of ${of}`);
      lists.delete(`all ${index}s of ${of}`);
      if (index === 'gateway' && of === 'default') defaults = undefined;
      lookups.touch(`all ${index}s of ${of}`);
      if (index !== 'policy' && index !== 'wafPolicy') continue;
      attachedTo.delete(of);
      lookups.touch(`policies at ${of}`);
    }
  };

  return {
    set(kind, key, value) {
      const before = peek(kind, key);
      if (before === value || textOf(before) === textOf(value)) return false;
      const store = stores.get(kind) ?? new Map<string, unknown>();
      stores.set(kind, store);
      if (value === undefined) store.delete(key);
      else store.set(key, value);
      if (kind === 'grant') {
        for (const topic of grants.set(key, value as GatewayInputs['grant'] | undefined))
          lookups.touch(topic);
      } else if (kind === 'hostnameGrant') {
        const topics = hostnames.set(key, value as GatewayInputs['hostnameGrant'] | undefined);
        // A name of one label, such as of `*.example`, is of all zones.
        for (const topic of topics.includes(zoneTopic('')) ? zones : topics) lookups.touch(topic);
        lookups.touch('hostnames');
      } else if (kind === 'certificate') lookups.touch(referenceTopic('Secret', key));
      else if (kind === 'users') lookups.touch(referenceTopic('Secret', key));
      else if (kind === 'firewallRules') lookups.touch(referenceTopic('ConfigMap', key));
      else if (kind === 'authority') lookups.touch(`reference ${key}`);
      else lookups.touch(`${kind} ${key}`);
      const index = indexOf[kind] as ((model: unknown) => readonly string[]) | undefined;
      if (index !== undefined) move(kind, key, before ? index(before) : [], value ? index(value) : []);
      return true;
    },
    setFacts(gateway, value) {
      if (textOf(value) === textOf(facts.get(gateway))) return;
      if (value === undefined) facts.delete(gateway);
      else facts.set(gateway, value);
      lookups.touch(`facts ${gateway}`);
    },
    peek,
    ask: {
      get,
      class: (name) => get('class', name),
      facts(gateway) {
        lookups.note(`facts ${gateway}`);
        return facts.get(gateway);
      },
      labels: (namespace) => get('namespace', namespace) ?? {},
      certificate({ kind, namespace, name }) {
        lookups.note(referenceTopic(kind, `${namespace}/${name}`));
        return peek('certificate', `${namespace}/${name}`);
      },
      authority({ kind, namespace, name }) {
        lookups.note(referenceTopic(kind, `${namespace}/${name}`));
        return peek('authority', `${kind}/${namespace}/${name}`);
      },
      users(secret) {
        lookups.note(referenceTopic('Secret', secret));
        return peek('users', secret);
      },
      firewallRules(configMap) {
        lookups.note(referenceTopic('ConfigMap', configMap));
        return peek('firewallRules', configMap);
      },
      permits(from, to) {
        if (from.namespace !== to.namespace) lookups.note(grantTopic(from, to));
        return grants.permits(from, to);
      },
      setsOf: (gateway) => listed('listenerSet', gateway),
      routesOf: (ingress) => listed('route', ingress),
      sharersOf(alb) {
        const classes = listed('class', `alb ${alb}`);
        const named = [`alb ${alb}`, ...classes.map((name) => `class ${name}`)];
        return [...new Set(named.flatMap((each) => listed('gateway', each)))].sort();
      },
      slicesOf: (service) => members('slice', service),
      frontendsOf: (alb2) => members('frontend', alb2),
      rulesOf: (frontend) => members('albRule', frontend),
      ingressesAt: (namespace, hostname) =>
        members('ingress', `${namespace} ${hostname}`).toSorted(olderFirst),
      albsOfClass: (name) => members('alb', name).toSorted(olderFirst),
      defaultIngressClasses: () => listed('ingressClass', 'default'),
      policiesOf: (service) => members('tlsPolicy', service),
      attached,
      hostnameGrants(hostname) {
        const topic = zoneTopic(hostname);
        zones.add(topic);
        lookups.note(topic);
        return hostnames.about(hostname);
      },
      grantedBelow(wide) {
        lookups.note('hostnames');
        return hostnames.below(wide);
      },
      defaultGateways() {
        lookups.note('all gateways of default');
        defaults ??= [...(indexes.get('gateway')?.get('default') ?? [])]
          .flatMap((key) => peek('gateway', key) ?? [])
          .sort(olderFirst)
          .map(({ key }) => key);
        return defaults;
      },
    },
  };
}

const noPolicies: TargetPolicies = { traffic: [], firewall: [] };

/** What objects of a kind are found by besides their key. */
const indexOf: { readonly [K in GatewayInput]?: (model: GatewayInputs[K]) => readonly string[] } = {
  class: ({ parameters }) => albNamed(parameters),
  listenerSet: ({ parent }) => [gatewayNamed(parent) ?? []].flat(),
  slice: ({ service }) => [service],
  ingress: (ingress) => namesOf(ingress).map((name) => `${ingress.namespace} ${name}`),
  alb: ({ ingressClass }) => (ingressClass === undefined ? [] : [ingressClass.name]),
  ingressClass: ({ isDefault }) => (isDefault ? ['default'] : []),
  frontend: ({ namespace, alb }) => [`${namespace}/${alb}`],
  albRule: ({ namespace, frontend }) => [`${namespace}/${frontend}`],
  tlsPolicy: ({ namespace, targets }) =>
    targets.flatMap(({ group, kind, name }) =>
      group === '' && kind === 'Service' ? [`${namespace}/${name}`] : [],
    ),
  policy: attachedTargets,
  wafPolicy: attachedTargets,
  backendPolicy: attachedTargets,
  route(route) {
    const ingress = ingressOf(route);
    return ingress === undefined ? [] : [ingress];
  },
  gateway: ({ key, defaultScope, className, infrastructure: { parameters } }) => [
    ...(defaultScope === 'All' ? ['default'] : []),
    ...(albOf(key) === undefined ? [`class ${className}`, ...albNamed(parameters)] : []),
  ],
};

function albNamed(parameters: ObjectReference | undefined): readonly string[] {
  if (parameters === undefined || !isALB(parameters)) return [];
  return [`alb ${parameters.namespace}/${parameters.name}`];
}

/** The Gateway that a reference to a parent leads to. */
export function gatewayNamed(parent: ObjectReference): string | undefined {
  const key = `${parent.namespace}/${parent.name}`;
  if (isALB(parent)) return albInstance(key);
  return parent.group === gatewayGroup && parent.kind === 'Gateway' ? key : undefined;
}

function attachedTargets(policy: AttachedPolicy): readonly string[] {
  return [...new Set(policy.targets.flatMap((target) => targetKey(policy, target) ?? []))];
}

function textOf(value: unknown): string | undefined {
  return JSON.stringify(value, (_key, each: unknown) => (each instanceof Map ? [...each] : each));
}
