/**
 * Gateways, change by change: what each instance holds, and what is said of every object. Nothing is computed in another way than for the
 * whole; only what looked at something that changed is computed again, in this order: Gateways with their listeners, routes, backends,
 * statuses.
 */
import type { GatewayIntent } from '#intent/gateway.ts';
import type { ALBModel } from '#model/gateway/policy-types.ts';
import type { GatewayObject } from '#model/gateway/types.ts';
import { alb2Of, frontendOf } from '../alauda/names.ts';
import { createAlaudaStage } from '../alauda/stage.ts';
import { createIngressStage } from '../ingress/stage.ts';
import { createEntryContext, policyContext } from './entries/entry-context.ts';
import { createHolding, type Holding } from './entries/holding.ts';
import { tlsPolicyConditions, tlsPolicyReferences } from './entries/tls-policies.ts';
import { type GatewayView, type InstanceView, needParents, viewInstance } from './gateway-view.ts';
import { createInputs, gatewayNamed } from './inputs.ts';
import { albInstance, albOf, derivedGateway } from './instances/derived-gateway.ts';
import type { ListenerGroup } from './listeners/listeners.ts';
import { createLookups } from './lookups.ts';
import { createPolicyBook } from './policies/policy-book.ts';
import { createRouteBook } from './routes/route-book.ts';
import { listenerText } from './routes/same-attachments.ts';
import { albStatus } from './status/alb-status.ts';
import { classStatus } from './status/class-status.ts';
import { acceptedGateway, gatewayStatus, type StatusContext } from './status/gateway-status.ts';
import { sayHostnameGrant } from './status/hostname-grant-status.ts';
import { acceptedSet, listenerSetStatus } from './status/listener-set-status.ts';
import { createStatuses } from './status/statuses.ts';
import { createNameClaims } from './tenancy/name-claims.ts';
import {
  controllerName,
  type GatewayBook,
  type GatewayChanges,
  type GatewayInput,
  type GatewaySlots,
  type GatewayStatus,
} from './types.ts';

/** A policy's status has room for this many (the CRD's limit). */
const mostAncestors = 16;

export function createGatewayBook(slots: GatewaySlots): GatewayBook {
  const lookups = createLookups();
  const inputs = createInputs(lookups);
  const { ask } = inputs;
  const instances = new Map<string, InstanceView>();
  const views = new Map<string, GatewayView>();
  const holdings = new Map<string, Holding>();
  const statuses = createStatuses();
  /** Instances that were told of, and those that may have something to tell. */
  const told = new Set<string>();
  const touched = new Set<string>();
  /** By Gateway: what the statuses of its ListenerSets say besides their own listeners. */
  const outsides = new Map<string, string>();

  const holdingOf = (instance: string): Holding | undefined => {
    touched.add(instance);
    return holdings.get(instance);
  };
  const restate = (id: string): void => lookups.mark('status', id);
  const names = createNameClaims(lookups);
  const { holders } = names;
  const routes = createRouteBook({ lookups, inputs, views, holders, holdingOf, restate });
  const reach = {
    isOurs(gateway: string): boolean {
      lookups.note(`parent Gateway/${gateway}`);
      return views.has(gateway);
    },
    instanceOf(gateway: string): string | undefined {
      lookups.note(`parent Gateway/${gateway}`);
      return views.get(gateway)?.instance;
    },
    gatewaysOfRoute: (id: string) => routes.gatewaysOfRoute(id),
    listenersOfRoute: (id: string) => routes.listenersOfRoute(id),
    gatewaysOfService: (service: string) => routes.gatewaysOf(service),
  };
  const policies = createPolicyBook(
    inputs,
    lookups,
    statuses,
    reach,
    createEntryContext(ask, views, lookups)(''),
    (key, conditions) => ingresses.judged(key, conditions),
  );

  const lookAtInstance = (key: string): void => {
    const before = instances.get(key);
    const after = lookups.track('gateway', key, () =>
      viewInstance(key, slots, ask, (...asked) => names.held(...asked), before),
    );
    if (inputs.peek('gateway', key) === undefined) lookups.forget('gateway', key);
    touched.add(key);
    names.claim(before, after);
    if (after === undefined) instances.delete(key);
    else instances.set(key, after);
    if (after?.runs === true) {
      if (!holdings.has(key)) holdings.set(key, createHolding());
      needParents(key, holdings.get(key), before, after);
    } else holdings.delete(key);
    for (const gateway of before?.gateways.keys() ?? []) {
      // Another instance may have it by now.
      if (after?.gateways.has(gateway) !== true && views.get(gateway)?.instance === key)
        lookAtGateway(gateway, undefined);
    }
    for (const [gateway, view] of after?.gateways ?? []) lookAtGateway(gateway, view);
  };

  const lookAtGateway = (key: string, after: GatewayView | undefined): void => {
    const before = views.get(key);
    if (after === undefined) views.delete(key);
    else views.set(key, after);
    const sets = new Set([...(before?.sets.keys() ?? []), ...(after?.sets.keys() ?? [])]);
    const outside = after === undefined ? '' : outsideText(contextOf(after));
    const sameOutside = outside === outsides.get(key);
    if (after === undefined) outsides.delete(key);
    else outsides.set(key, outside);
    for (const parent of [`Gateway/${key}`, ...[...sets].map((set) => `ListenerSet/${set}`)]) {
      const [old, group] = [before?.parents.get(parent), after?.parents.get(parent)];
      if (old !== group && groupText(old) !== groupText(group)) lookups.touch(`parent ${parent}`);
      if (before?.terms !== after?.terms) lookups.touch(`parent ${parent}`);
      const set = parent.slice(parent.indexOf('/') + 1);
      if (old !== group || !sameOutside || before?.sets.get(set) !== after?.sets.get(set)) restate(parent);
    }
    restate(`Gateway/${key}`);
    if (before?.terms !== after?.terms) lookups.mark('tenants', key);
    if (before?.clientCertificate !== after?.clientCertificate) lookups.touch(`clientCertificate ${key}`);
  };

  const contextOf = (view: GatewayView): StatusContext => {
    const facts = ask.facts(view.instance);
    return {
      facts,
      accepted: acceptedGateway(view, facts),
      attachedRoutes: (listener: string) => routes.attachedRoutes(listener),
    };
  };
  const sayGateway = (key: string): void => {
    const view = views.get(key);
    if (view === undefined) {
      statuses.leave(`Gateway/${key}`);
      return;
    }
    const context = contextOf(view);
    const sets = [...view.sets.keys()].filter((set) => acceptedSet(set, view, context).status === 'True');
    statuses.say(`Gateway/${key}`, view.model.generation, gatewayStatus(view, context, sets.length));
  };
  const sayALB = (key: string): void => {
    const instance = instances.get(albInstance(key));
    const view = views.get(albInstance(key));
    const id = alb2Of(key) === undefined ? `ALB/${key}` : `ALB2/${alb2Of(key)}`;
    if (view === undefined || instance === undefined) statuses.leave(id);
    else statuses.say(id, view.model.generation, restated(albStatus(key, instance, contextOf(view))));
  };
  const restated = (status: GatewayStatus | undefined) => status && (alauda.restated(status) ?? status);
  const setStatus = (key: string): GatewayStatus | undefined => {
    const model = inputs.peek('listenerSet', key);
    const gateway = model && gatewayNamed(model.parent);
    const view = gateway === undefined ? undefined : views.get(gateway);
    return model === undefined || view?.sets.has(key) !== true
      ? undefined
      : listenerSetStatus(model, view, contextOf(view));
  };
  const saySet = (key: string): void => {
    const frontend = frontendOf(key);
    const id = frontend === undefined ? `ListenerSet/${key}` : `Frontend/${frontend}`;
    const status = setStatus(key);
    if (status === undefined) statuses.leave(id);
    else statuses.say(id, inputs.peek('listenerSet', key)?.generation, restated(status));
  };
  const sayClass = (key: string): void => {
    const model = inputs.peek('class', key);
    if (model?.controllerName !== controllerName) statuses.leave(`GatewayClass/${key}`);
    else statuses.say(`GatewayClass/${key}`, model.generation, classStatus(model));
  };
  const say = (id: string): void => {
    const slash = id.indexOf('/');
    const [kind, key] = [id.slice(0, slash), id.slice(slash + 1)];
    if (ingresses.isPart(key)) return;
    const alb = albOf(key);
    if (kind === 'Gateway' && alb !== undefined) sayALB(alb);
    else if (kind === 'Gateway') sayGateway(key);
    else if (kind === 'ListenerSet') saySet(key);
    else if (kind === 'GatewayClass') sayClass(key);
    else if (kind === 'HostnameGrant') sayHostnameGrant(key, inputs.peek('hostnameGrant', key), statuses);
    else sayRoute(id);
  };
  const sayRoute = (id: string): void => {
    const route = inputs.peek('route', id);
    if (route === undefined) statuses.leave(id);
    else statuses.say(id, route.generation, routes.status(id));
  };
  const sayPolicy = (key: string): void => {
    const id = `BackendTLSPolicy/${key}`;
    const status = lookups.track('policy', key, () => {
      const policy = ask.get('tlsPolicy', key);
      if (policy === undefined) return undefined;
      const gateways = new Set(
        tlsPolicyReferences(policy).services.flatMap((service) => routes.gatewaysOf(service)),
      );
      if (gateways.size === 0) return undefined;
      const conditions = tlsPolicyConditions(policy, policyContext(ask));
      const ancestors = [...gateways].sort().map((gateway) => ({ gateway, conditions }));
      return { kind: 'BackendTLSPolicy' as const, key, ancestors: ancestors.slice(0, mostAncestors) };
    });
    const policy = inputs.peek('tlsPolicy', key);
    if (policy !== undefined) statuses.say(id, policy.generation, status);
    else {
      lookups.forget('policy', key);
      statuses.leave(id);
    }
  };

  const derive = (key: string, alb: ALBModel | undefined): void => {
    inputs.set('gateway', albInstance(key), alb && derivedGateway(alb));
    lookups.mark('gateway', albInstance(key));
  };

  const put: GatewayBook['set'] = (kind, key, value) => {
    if (!inputs.set(kind, key, value)) return;
    if (kind === 'policy' || kind === 'wafPolicy' || kind === 'backendPolicy') policies.mark(kind, key);
    if (kind === 'alb') derive(key, value as ALBModel | undefined);
    const stage = stageOf[kind];
    if (stage === undefined) return;
    lookups.mark(
      stage,
      stage === 'status' ? `${statusKind[kind]}/${key}` : stage === 'alauda' ? `${kind} ${key}` : key,
    );
  };
  const alauda = createAlaudaStage({ lookups, ask, put, restate, statuses });
  const ingresses = createIngressStage({
    lookups,
    ask,
    put,
    statuses,
    statusOf: (kind, key) => (kind === 'route' ? routes.status(key) : setStatus(key)),
  });

  const takeInstances = (): GatewayChanges['instances'] => {
    const changes = new Map<string, ReturnType<Holding['take']>>();
    for (const key of [...touched].sort()) {
      const holding = holdings.get(key);
      const delta = holding?.take();
      if (holding === undefined) {
        if (told.delete(key)) changes.set(key, undefined);
      } else if (delta !== undefined || !told.has(key)) {
        told.add(key);
        changes.set(key, delta ?? { put: {}, remove: {} });
      }
    }
    touched.clear();
    return changes;
  };

  return {
    set: put,
    setFacts: (instance, facts) => inputs.setFacts(instance, facts),
    settle() {
      alauda.settle();
      ingresses.settle();
      names.settle(lookAtInstance, routes);
      routes.settle();
      for (const id of lookups.take('status')) say(id);
      for (const key of lookups.take('policy')) sayPolicy(key);
      policies.settle();
      ingresses.say();
      return { instances: takeInstances(), statuses: statuses.take() };
    },
    whole: (instance): GatewayIntent | undefined => holdings.get(instance)?.whole(),
    instanceOf(gateway) {
      const instance = views.get(gateway)?.instance;
      return instance !== undefined && holdings.has(instance) ? instance : undefined;
    },
    isUnshared: (gateway) => views.get(gateway)?.unshared !== undefined,
    gatewaysOf: (instance) => [...(instances.get(instance)?.gateways.keys() ?? [])],
    references: () => lookups.references(),
  };
}

/** What is due as soon as an object is set, besides those who looked at it. */
const stageOf: {
  readonly [K in GatewayInput]?: 'alauda' | 'ingress' | 'gateway' | 'route' | 'policy' | 'status';
} = {
  alb2: 'alauda',
  frontend: 'alauda',
  albRule: 'alauda',
  ingress: 'ingress',
  class: 'status',
  gateway: 'gateway',
  listenerSet: 'status',
  hostnameGrant: 'status',
  route: 'route',
  tlsPolicy: 'policy',
};

const statusKind: { readonly [K in GatewayInput]?: GatewayObject['origin']['kind'] } = {
  class: 'GatewayClass',
  listenerSet: 'ListenerSet',
  hostnameGrant: 'HostnameGrant',
};

/** What routes see of a parent. */
function groupText(group: ListenerGroup | undefined): string {
  return group === undefined ? '' : JSON.stringify(group.listeners.map(listenerText));
}

/** What ListenerSets are told of their Gateway. */
function outsideText({ facts, accepted }: StatusContext): string {
  return JSON.stringify([accepted.status, { ...facts, slots: facts === undefined ? undefined : null }]);
}
