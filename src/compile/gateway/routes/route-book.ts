/** Routes in the book: where each is attached, what it gets beside others, and what it says to the data planes of its Gateways. */
import type { ParentReference, RouteModel } from '#model/gateway/types.ts';
import { backendEntries } from '../entries/backend-entries.ts';
import { createEntryContext } from '../entries/entry-context.ts';
import type { Holding } from '../entries/holding.ts';
import { type PoliciesSize, policiesSize, samePoliciesSize } from '../entries/policies-size.ts';
import { routeEntries } from '../entries/route-entries.ts';
import type { GatewayView } from '../gateway-view.ts';
import { gatewayNamed, type Inputs } from '../inputs.ts';
import { gatewayGroup } from '../listeners/listener-protocols.ts';
import type { Lookups } from '../lookups.ts';
import { createBarrierStage } from '../tenancy/barrier-stage.ts';
import type { FirstHolders } from '../tenancy/first-holders.ts';
import { noRights, type Rights, rightsOf, sameRights } from '../tenancy/hostname-rights.ts';
import { createShadows } from '../tenancy/shadows.ts';
import { createShares } from '../tenancy/shares.ts';
import { createTenants, hasRates } from '../tenancy/tenants.ts';
import type { Terms } from '../tenancy/terms.ts';
import type { Attachment, BackendUse, GatewayCondition, GatewayStatus, Listener } from '../types.ts';
import { createUsers } from '../users.ts';
import { attach, type Parent } from './attach.ts';
import { routeStatus } from './route-outcome.ts';
import { sameAttachments } from './same-attachments.ts';
import { servingGateways, servingListeners, servingText } from './serving.ts';

export type RouteBook = {
  /** After the Gateways: where routes that are due want to be, which says what they claim. */
  claim(): void;
  /** After the claims: brings all routes that are due to what they are now. */
  settle(): void;
  /** It holds other hostnames than before. */
  touch(id: string): void;
  /** `undefined`: no parent of the route is ours. */
  status(id: string): GatewayStatus | undefined;
  attachedRoutes(listener: string): number;
  /** Gateways whose routes name a Service. */
  gatewaysOf(service: string): readonly string[];
  /** Gateways that a route is attached to. */
  gatewaysOfRoute(id: string): readonly string[];
  /** Listeners that serve a route. */
  listenersOfRoute(id: string): readonly Listener[];
};

/** What the rest of the book gives. */
export type RouteBookContext = {
  readonly lookups: Lookups;
  readonly inputs: Inputs;
  readonly views: ReadonlyMap<string, GatewayView>;
  readonly holders: FirstHolders;
  /** By instance. */
  readonly holdingOf: (instance: string) => Holding | undefined;
  /** By `KIND/namespace/name`: what is said of the object may be something else. */
  readonly restate: (id: string) => void;
};

/** A route as it was when it was last looked at. */
type Known = {
  readonly route: RouteModel;
  readonly wanted: readonly Attachment[];
  readonly rights: Rights;
  readonly policed: PoliciesSize;
  /** By Gateway: what came of it. */
  readonly parts: ReadonlyMap<string, Part>;
};

type Part = {
  /** That its entries are in. */
  readonly instance: string;
  readonly attachments: readonly Attachment[];
  readonly conditions: readonly GatewayCondition[];
};

export function createRouteBook({
  lookups,
  inputs,
  views,
  holders,
  holdingOf,
  restate,
}: RouteBookContext): RouteBook {
  const { ask } = inputs;
  const known = new Map<string, Known>();
  const shares = createShares(holders);
  /** By instance, the namespaces whose routes it has. */
  const tenants = createTenants();
  const shadows = createShadows();
  const barriers = createBarrierStage({ lookups, ask, views, holders, holdingOf });
  const attached = createUsers();
  const backends = createUsers();
  const uses = new Map<string, BackendUse>();
  /** Services by who names them, and by the Gateways of those. */
  const services = createUsers();
  const gatewaysBy = new Map<string, Set<string>>();
  const owners = new Map<string, Listener['owner']>();
  const contextOf = createEntryContext(ask, views, lookups);

  const parentOf = (reference: ParentReference): Parent | undefined => {
    const { group, kind, namespace, name } = reference;
    const isSet = group === gatewayGroup && kind === 'ListenerSet';
    const key = isSet ? `${namespace}/${name}` : gatewayNamed(reference);
    if (key === undefined) return undefined;
    const parent = `${isSet ? 'ListenerSet' : 'Gateway'}/${key}`;
    lookups.note(`parent ${parent}`);
    const set = isSet ? ask.get('listenerSet', key)?.parent : undefined;
    const gateway = isSet ? set && gatewayNamed(set) : key;
    const view = gateway === undefined ? undefined : views.get(gateway);
    if (gateway === undefined || view === undefined) return undefined;
    if (isSet && !view.sets.has(key)) return undefined;
    const listeners = view.parents.get(parent)?.listeners ?? [];
    return view.alb === undefined ? { gateway, listeners } : { gateway, listeners, alb: view.alb.key };
  };

  /** Routes note the parent already, which is touched where its terms change. */
  const termsOf = (gateway: string): Terms | undefined => views.get(gateway)?.terms;
  const lookAt = (id: string): void => {
    const route = inputs.peek('route', id);
    const before = known.get(id);
    const { wanted, rights, policed } = lookups.track('route', id, () => {
      const asked = ask.get('route', id);
      if (asked === undefined) return { wanted: [], rights: noRights, policed: new Map<string, number>() };
      const attachments = attach(asked, parentOf, ask);
      return {
        wanted: attachments,
        rights: rightsOf(asked, attachments, termsOf, ask),
        policed: policiesSize(asked, attachments, contextOf('')),
      };
    });
    if (route === undefined) lookups.forget('route', id);
    if (
      before !== undefined &&
      before.route === route &&
      sameAttachments(before.wanted, wanted) &&
      sameRights(before.rights, rights) &&
      samePoliciesSize(before.policed, policed)
    )
      return;
    shares.set(id, route, wanted, rights, policed);
    if (route !== undefined)
      known.set(id, { route, wanted, rights, policed, parts: before?.parts ?? new Map<string, Part>() });
  };

  const compute = (id: string): void => {
    const route = inputs.peek('route', id);
    const before = known.get(id);
    if (before === undefined) return;
    const wanted = route === undefined ? [] : shares.attachments(id);
    const parts = new Map<string, Part>();
    const wantedOf = new Set(wanted.map(({ gateway }) => gateway));
    const gateways = new Set([...before.parts.keys(), ...wantedOf]);
    lookups.track('entries', id, () => {
      for (const gateway of gateways) {
        const own = wanted.filter((each) => each.gateway === gateway);
        const part =
          route === undefined || own.length === 0
            ? undefined
            : computePart(id, route, gateway, own, wantedOf.size);
        const old = before.parts.get(gateway)?.instance;
        if (part === undefined) release(id, gateway);
        else parts.set(gateway, part);
        if (old !== undefined && old !== part?.instance) holdingOf(old)?.need(whoOf(id, gateway, old), {});
      }
    });
    if (servingText(parts) !== servingText(before.parts)) lookups.touch(`gateways of ${id}`);
    const listeners = [...parts.values()].flatMap(acceptingListeners);
    for (const { key, owner } of listeners) owners.set(key, owner);
    const { added, removed } = attached.set(
      id,
      listeners.map(({ key }) => key),
    );
    for (const key of [...added, ...removed]) {
      const owner = owners.get(key);
      if (owner !== undefined) restate(`${owner.kind}/${owner.key}`);
      if (attached.of(key).size === 0) owners.delete(key);
    }
    const here = [...parts.values()].filter(
      ({ instance, attachments }) =>
        hasRates(views.get(instance)?.terms) && attachments.some((each) => each.listeners.length > 0),
    );
    const instances = [...new Set(here.map(({ instance }) => instance))];
    for (const each of tenants.set(id, before.route.namespace, instances)) lookups.mark('tenants', each);
    const served = [...parts.values()].flatMap(({ attachments }) => attachments);
    barriers.set(id, before.route.namespace, served);
    if (route === undefined) {
      lookups.forget('entries', id);
      known.delete(id);
    } else known.set(id, { ...before, route, parts });
    restate(id);
  };

  const computePart = (
    id: string,
    route: RouteModel,
    gateway: string,
    attachments: readonly Attachment[],
    gateways: number,
  ): Part => {
    const served = attachments.filter(({ listeners }) => listeners.length > 0);
    const asked = new Set<string>();
    const instance = views.get(gateway)?.instance ?? gateway;
    const entries = routeEntries(route, served, contextOf(instance, asked), gateways);
    holdingOf(instance)?.need(whoOf(id, gateway, instance), served.length === 0 ? {} : entries.intent);
    useBackends(id, gateway, instance, served.length === 0 ? [] : entries.backends);
    nameServices(id, gateway, served.length === 0 ? [] : asked);
    const fields = route.rules.map((rule) => ('field' in rule ? rule.field : undefined));
    shadows.set(id, gateway, route.origin, served.length === 0 ? {} : entries.intent.rules, fields);
    return { instance, attachments, conditions: entries.conditions };
  };
  const release = (id: string, gateway: string): void => {
    useBackends(id, gateway, gateway, []);
    nameServices(id, gateway, []);
    shadows.set(id, gateway, nobody, {});
  };

  const limitTenants = (instance: string): void => {
    const intents = tenants.intents(instance, views.get(instance)?.terms);
    holdingOf(instance)?.need('tenants', { tenants: intents });
  };

  const useBackends = (
    id: string,
    gateway: string,
    instance: string,
    wanted: readonly BackendUse[],
  ): void => {
    const thing = ({ key }: BackendUse) => `${instance} ${key}`;
    for (const use of wanted) uses.set(thing(use), use);
    const { added, removed } = backends.set(`${gateway} ${id}`, wanted.map(thing));
    for (const each of added) lookups.mark('backend', each);
    for (const each of removed) if (backends.of(each).size === 0) lookups.mark('backend', each);
  };
  const nameServices = (id: string, gateway: string, named: Iterable<string>): void => {
    const things = [...named].map((service) => `${service} ${gateway}`);
    const { added, removed } = services.set(`${gateway} ${id}`, things);
    const first = added.filter((thing) => services.of(thing).size === 1);
    const last = removed.filter((thing) => services.of(thing).size === 0);
    for (const thing of [...first, ...last]) {
      const [service = ''] = thing.split(' ');
      const those = gatewaysBy.get(service) ?? new Set<string>();
      if (first.includes(thing)) those.add(gateway);
      else those.delete(gateway);
      if (those.size === 0) gatewaysBy.delete(service);
      else gatewaysBy.set(service, those);
      lookups.touch(`users ${service}`);
    }
  };

  const computeBackend = (thing: string): void => {
    const [instance = ''] = thing.split(' ');
    const use = uses.get(thing);
    if (use === undefined) return;
    if (backends.of(thing).size === 0) {
      uses.delete(thing);
      lookups.forget('backend', thing);
      holdingOf(instance)?.need(`backend ${use.key}`, {});
      return;
    }
    const entries = lookups.track('backend', thing, () => backendEntries(use, contextOf(instance)));
    holdingOf(instance)?.need(`backend ${use.key}`, entries);
  };

  return {
    claim() {
      for (const id of lookups.take('route')) lookAt(id);
    },
    touch: (id) => shares.touch(id),
    settle() {
      for (const id of shares.settle()) lookups.mark('entries', id);
      for (const id of lookups.take('entries')) compute(id);
      for (const id of shadows.settle()) restate(id);
      for (const thing of lookups.take('backend')) computeBackend(thing);
      barriers.settle();
      for (const instance of lookups.take('tenants')) limitTenants(instance);
    },
    status(id) {
      const one = known.get(id);
      if (one === undefined) return undefined;
      return routeStatus(one.route, one.wanted, one.parts, (gateway) => shadows.conditions(id, gateway));
    },
    attachedRoutes: (listener) => attached.of(listener).size,
    gatewaysOf(service) {
      lookups.note(`users ${service}`);
      return [...(gatewaysBy.get(service) ?? [])].sort();
    },
    gatewaysOfRoute(id) {
      lookups.note(`gateways of ${id}`);
      return servingGateways(known.get(id)?.parts);
    },
    listenersOfRoute(id) {
      lookups.note(`gateways of ${id}`);
      return servingListeners(known.get(id)?.parts);
    },
  };
}

/** Of an instance that several Gateways share each has its own entries of a route. */
function whoOf(id: string, gateway: string, instance: string): string {
  return gateway === instance ? id : `${id} ${gateway}`;
}

const nobody = { kind: '', name: '' };

/** Listeners that count the route: those of accepted attachments, whether they are served or not. */
function acceptingListeners({ attachments, conditions }: Part): readonly Listener[] {
  if (conditions.some(({ type, status }) => type === 'Accepted' && status === 'False')) return [];
  return attachments.flatMap(({ listeners }) => listeners.map(({ listener }) => listener));
}
