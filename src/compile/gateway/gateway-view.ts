/** One instance with its Gateways and their ListenerSets: what is served by it, and what is known of each for its status and for routes. */
import type { GatewayIntent } from '#intent/gateway.ts';
import type { ALBModel } from '#model/gateway/policy-types.ts';
import type { GatewayModel, ListenerSetModel } from '#model/gateway/types.ts';
import { olderFirst } from './age.ts';
import type { Holding } from './entries/holding.ts';
import type { Asking } from './inputs.ts';
import { albOf } from './instances/derived-gateway.ts';
import { lostIngressClass } from './instances/ingress-class.ts';
import { nodePortRefusal } from './instances/node-ports.ts';
import { type Sharing, sharingOf } from './instances/sharing.ts';
import { isTenant } from './instances/tenants.ts';
import { gatewayGroup, type Refusal } from './listeners/listener-protocols.ts';
import { certificateIntent, compileListeners, type ListenerGroup } from './listeners/listeners.ts';
import { findCertificate } from './named-objects.ts';
import { allowsNamespace } from './routes/namespaces.ts';
import { acceptsParameters } from './status/class-status.ts';
import { claimsOfListeners, type ListenerClaims } from './tenancy/listener-claims.ts';
import { type Terms, termsOf } from './tenancy/terms.ts';
import { controllerName, type GatewaySlots } from './types.ts';

export type InstanceView = {
  /** False: nothing is served, and there is no data plane. */
  readonly runs: boolean;
  /** The first is the Gateway's whose key the instance has. */
  readonly gateways: ReadonlyMap<string, GatewayView>;
  /** What isn't of a single parent. */
  readonly intent: Partial<GatewayIntent>;
  /** Hostnames that ListenerSets want to be the first to have. */
  readonly claims: ListenerClaims;
};

export type GatewayView = {
  readonly model: GatewayModel;
  readonly instance: string;
  /** That the instance is of. */
  readonly alb?: ALBModel;
  readonly terms: Terms;
  /** A sentence: Ingresses of the class that the ALB asks for go elsewhere. */
  readonly lostClass?: string;
  /** A sentence, while its class isn't accepted: then nothing is served by it. */
  readonly classWaits?: string;
  /** A sentence, where the ALB that it is to share can't be: nothing is served by it, either. */
  readonly unshared?: string;
  /** By `KIND/namespace/name` of the Gateway and of the ListenerSets that it takes. */
  readonly parents: ReadonlyMap<string, ListenerGroup>;
  /** Keys of ListenerSets that name it: whether it allows them. */
  readonly sets: ReadonlyMap<string, boolean>;
  /** Key in GatewayIntent.certificates: what it shows to backends. */
  readonly clientCertificate?: string;
  /** Why it shows nothing although it should. */
  readonly clientCertificateRefused?: Refusal;
};

/** A Gateway with the ListenerSets that it takes. */
type Member = {
  readonly model: GatewayModel;
  readonly sets: ReadonlyMap<string, boolean>;
  readonly taken: readonly ListenerSetModel[];
};

const nothing: ListenerGroup = { listeners: [], intent: { listeners: {}, certificates: {} }, marks: [] };
const noClaims: ListenerClaims = new Map();
const unserved = { runs: true, intent: { ports: {}, authorities: {} }, claims: noClaims } as const;

/** `undefined`: there is none, or it is somebody else's. `held`: who holds a hostname that is claimed. `before`: as it was, of which the same parts are kept. */
export function viewInstance(
  key: string,
  slots: GatewaySlots,
  ask: Asking,
  held: (id: string, instance: string, hostname: string) => string | undefined,
  before: InstanceView | undefined,
): InstanceView | undefined {
  const own = ask.get('gateway', key);
  if (own === undefined) return undefined;
  const sharing = ownSharing(own, ask);
  if (sharing === undefined) return undefined;
  const first = memberOf(own, sharing, ask);
  const alb = 'refused' in sharing ? undefined : sharing.alb;
  const terms = kept(termsOf(own, alb), before?.gateways.get(key)?.terms);
  const waiting = { model: own, instance: key, terms, parents: emptyParents(own), sets: first.sets };
  if ('refused' in sharing) {
    const view = { ...waiting, unshared: sharing.refused };
    return { runs: false, gateways: new Map([[key, view]]), intent: {}, claims: noClaims };
  }
  if (sharing.instance !== key) return undefined;
  if (albOf(key) === undefined && !acceptsParameters(ask.class(own.className)?.parameters)) {
    const view = { ...waiting, classWaits: `GatewayClass ${own.className} is not accepted` };
    return { ...unserved, gateways: new Map([[key, view]]) };
  }
  const members = [first, ...sharersOf(key, ask)];
  const sets = members.flatMap(({ taken }) => taken).sort(olderFirst);
  const { claims, refusalOf } = claimsOfListeners(
    members.map(({ model }) => model),
    sets,
    terms,
    ask,
    held,
  );
  const { groups, intent } = compileListeners(
    {
      key,
      gateways: members.map(({ model }) => model),
      sets,
      refused: (listener) => nodePortRefusal(sharing.alb, listener),
    },
    slots,
    ask,
    refusalOf,
    before && parentsOf(before),
  );
  const shown = clientCertificate(own, ask);
  const lostClass = alb === undefined ? undefined : lostIngressClass(alb, ask);
  const gateways = members.map(({ model, sets, taken }): readonly [string, GatewayView] => {
    const names = [`Gateway/${model.key}`, ...taken.map((each) => `ListenerSet/${each.key}`)];
    const parents = new Map(names.map((name) => [name, groups.get(name) ?? nothing]));
    return [
      model.key,
      {
        model,
        instance: key,
        terms,
        ...(sharing.alb === undefined ? {} : { alb: sharing.alb }),
        ...(lostClass === undefined || model !== own ? {} : { lostClass }),
        parents,
        sets,
        ...(model === own ? shown.view : foreignCertificate(model)),
      },
    ];
  });
  return { runs: true, gateways: new Map(gateways), intent: { ...intent, ...shown.intent }, claims };
}

/** The same object while it says the same: each route of the instance has it. */
function kept(terms: Terms, before: Terms | undefined): Terms {
  return before !== undefined && JSON.stringify(before) === JSON.stringify(terms) ? before : terms;
}

/** Where a Gateway of ours is served; undefined: it is another controller's. */
function ownSharing(model: GatewayModel, ask: Asking): Sharing | undefined {
  if (albOf(model.key) !== undefined) return sharingOf(model, undefined, ask);
  const gatewayClass = ask.class(model.className);
  return gatewayClass?.controllerName === controllerName ? sharingOf(model, gatewayClass, ask) : undefined;
}

/** Gateways that share the instance of an ALB, the oldest first. */
function sharersOf(instance: string, ask: Asking): readonly Member[] {
  const alb = albOf(instance);
  if (alb === undefined) return [];
  const members = ask.sharersOf(alb).flatMap((key) => {
    const model = ask.get('gateway', key);
    const sharing = model && ownSharing(model, ask);
    if (model === undefined || sharing === undefined || 'refused' in sharing) return [];
    return sharing.instance === instance ? [memberOf(model, sharing, ask)] : [];
  });
  return members.sort((a, b) => olderFirst(a.model, b.model));
}

function memberOf(model: GatewayModel, sharing: Sharing, ask: Asking): Member {
  const alb = 'refused' in sharing ? undefined : sharing.alb;
  const named = ask.setsOf(model.key).flatMap((each) => ask.get('listenerSet', each) ?? []);
  const taken = named.filter(
    ({ namespace }) =>
      allowsNamespace(model.allowedListeners, model.namespace, namespace, ask) &&
      (alb === undefined || isTenant(alb, namespace, ask)),
  );
  const sets = new Map(named.map((each) => [each.key, false]));
  for (const each of taken) sets.set(each.key, true);
  return { model, sets, taken };
}

function emptyParents({ key }: GatewayModel): GatewayView['parents'] {
  return new Map([[`Gateway/${key}`, nothing]]);
}

export function parentsOf({ gateways }: InstanceView): GatewayView['parents'] {
  return new Map([...gateways.values()].flatMap(({ parents }) => [...parents]));
}

/** What the parents of an instance need of its data plane. */
export function needParents(
  key: string,
  holding: Holding | undefined,
  before: InstanceView | undefined,
  after: InstanceView,
): void {
  holding?.need(`instance ${key}`, after.intent);
  const old = before === undefined ? undefined : parentsOf(before);
  const parents = parentsOf(after);
  for (const parent of old?.keys() ?? []) if (!parents.has(parent)) holding?.need(parent, {});
  for (const [parent, group] of parents) if (group !== old?.get(parent)) holding?.need(parent, group.intent);
}

function clientCertificate(
  { namespace, clientCertificate: reference }: GatewayModel,
  ask: Asking,
): {
  readonly view: Pick<GatewayView, 'clientCertificate' | 'clientCertificateRefused'>;
  readonly intent: Pick<Partial<GatewayIntent>, 'certificates'>;
} {
  if (reference === undefined) return { view: {}, intent: {} };
  const from = { group: gatewayGroup, kind: 'Gateway', namespace };
  const { value, refused } = findCertificate(from, reference, 'InvalidClientCertificateRef', ask);
  if (value === undefined) return { view: refused ? { clientCertificateRefused: refused } : {}, intent: {} };
  return {
    view: { clientCertificate: value.key },
    intent: { certificates: { [value.key]: certificateIntent(value) } },
  };
}

/** Connections to backends are the instance's: what one Gateway shows must not open doors to routes of another. */
function foreignCertificate({ clientCertificate: reference }: GatewayModel): Partial<GatewayView> {
  if (reference === undefined) return {};
  const message = 'A Gateway that shares an ALB shows no certificate to backends';
  return { clientCertificateRefused: { reason: 'InvalidClientCertificateRef', message } };
}
