/** What of a policy isn't heard at a Gateway, since somebody further out insists: said of it by whom, as far as he may be known. */
import type { AttachedPolicy, PolicyTarget } from '#model/gateway/policy-types.ts';
import { type Asking, gatewayNamed } from '../inputs.ts';
import { albInstance } from '../instances/derived-gateway.ts';
import { condition, shortened } from '../listeners/listener-conditions.ts';
import type { GatewayCondition } from '../types.ts';
import {
  inForce,
  type ListenerPlace,
  listenerTargets,
  ownTargets,
  type Target,
  targetKey,
} from './levels.ts';
import { type FieldsOf, overrides, writtenField } from './merge.ts';
import type { Reach } from './policy-targets.ts';

/** `at`: all policies of its kind at a target. Undefined: all of it is heard, as far as others insist. */
export function overridden<P extends AttachedPolicy, F extends object>(
  policy: P,
  gateway: string,
  fields: FieldsOf<P, F>,
  at: (target: string) => readonly P[],
  ask: Asking,
  reach: Reach,
): GatewayCondition | undefined {
  const texts = policy.targets.flatMap((own) =>
    chainsOf(policy, own, gateway, ask, reach).flatMap((chain) => {
      const levels = chain.map(({ target, section }) => inForce(at(target), target, section));
      return overrides(policy, levels, fields).map(({ field, winner }) => {
        const where = chain[levels.findLastIndex((level) => level.includes(winner))];
        return `${writtenField(field, fields)} of ${own.kind} ${own.name}${sectionText(own)} is overridden by ${whoText(policy, winner, where)}`;
      });
    }),
  );
  if (texts.length === 0) return undefined;
  return condition('Overridden', 'True', 'Enforced', shortened([...new Set(texts)].join('; ')));
}

/** Targets further out than one of a policy's, the nearest first: one list for each listener that requests may come by. */
function chainsOf(
  policy: AttachedPolicy,
  own: PolicyTarget,
  gateway: string,
  ask: Asking,
  reach: Reach,
): readonly (readonly Target[])[] {
  const key = targetKey(policy, own);
  if (key === undefined) return [];
  const { kind, section } = own;
  const beyond = (all: readonly Target[]): readonly (readonly Target[])[] => {
    const index = all.findIndex((each) => each.target === key && each.section === section);
    return index < 0 || index === all.length - 1 ? [] : [all.slice(index + 1)];
  };
  const name = `${policy.namespace}/${own.name}`;
  const instance = reach.instanceOf(gateway);
  const placesOf = (
    owner: ListenerPlace['owner'],
    listeners: readonly ListenerPlace['model'][] = [],
  ): readonly ListenerPlace[] => {
    const own = listeners.filter(({ name }) => section === undefined || name === section);
    const models = own.length === 0 ? [{ name: section ?? '' }] : own;
    return models.map((model) => ({
      owner,
      model,
      gateway,
      ...(instance === undefined ? {} : { instance }),
    }));
  };
  const beyondListeners = (...place: Parameters<typeof placesOf>): readonly (readonly Target[])[] =>
    placesOf(...place).flatMap((each) => beyond(listenerTargets(each, ask.attached)));
  const ofRoute = (id: string) => {
    const route = ask.get('route', id);
    const listeners = reach.listenersOfRoute(id).filter((each) => each.gateway === gateway);
    return route === undefined
      ? []
      : listeners.flatMap((each) =>
          beyond([...ownTargets(route, section), ...listenerTargets(each, ask.attached, route)]),
        );
  };
  switch (kind) {
    case 'Service':
      return beyond([
        ...(section === undefined ? [] : [{ target: key, section, part: 'own' as const }]),
        { target: key, section: undefined, part: 'own' },
      ]);
    case 'Gateway':
      return name === gateway
        ? beyondListeners({ kind: 'Gateway', key: name }, ask.get('gateway', name)?.listeners)
        : [];
    case 'ALB': {
      const derived = albInstance(name);
      return derived === gateway ? beyondListeners({ kind: 'Gateway', key: derived }) : [];
    }
    case 'ListenerSet': {
      const set = ask.get('listenerSet', name);
      return set !== undefined && gatewayNamed(set.parent) === gateway
        ? beyondListeners({ kind: 'ListenerSet', key: name }, set.listeners)
        : [];
    }
    case 'Ingress':
      return ask.routesOf(`Ingress/${name}`).flatMap(ofRoute);
    default:
      return ofRoute(`${kind}/${name}`);
  }
}

/** Whoever attaches something knows what it is attached to. What others call their policies is theirs to know. */
function whoText(
  { namespace }: AttachedPolicy,
  { origin }: AttachedPolicy,
  where: Target | undefined,
): string {
  const { target = '', section } = where ?? {};
  const [kind = '', of = '', name = ''] = target.split('/');
  const place = `${kind} ${of}/${name}${section === undefined ? '' : ` ${section}`}`;
  const who = of === namespace ? `${origin.kind} ${origin.name}` : `a ${origin.kind}`;
  return `${who} of ${place}, which is enforced`;
}

function sectionText({ section }: PolicyTarget): string {
  return section === undefined ? '' : ` ${section}`;
}
