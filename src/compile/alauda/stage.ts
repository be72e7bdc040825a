/** ALB's objects in the book: each ALB2 and each Frontend with its Rules is translated when something that it was made of changes. */
import { labelsOf } from '#model/alauda/frontend.ts';
import type { RuleModel } from '#model/alauda/types.ts';
import type { Problem } from '#model/problem.ts';
import type { Asking } from '../gateway/inputs.ts';
import { albInstance } from '../gateway/instances/derived-gateway.ts';
import { conditionOf } from '../gateway/listeners/listener-conditions.ts';
import type { Lookups } from '../gateway/lookups.ts';
import type { Statuses } from '../gateway/status/statuses.ts';
import type { GatewayInput, GatewayInputs, GatewayStatus } from '../gateway/types.ts';
import { frontendParts } from './frontends.ts';
import { alb2Of, albKey, frontendOf } from './names.ts';
import { albOf, policiesForIngresses, redirectParts } from './translate.ts';

export type AlaudaStage = {
  /** Before the Gateways: what was made of ALB's objects is among the inputs. */
  settle(): void;
  /** In the place of the status of what was made of them; undefined: it is an object of its own. */
  restated(status: GatewayStatus): GatewayStatus | undefined;
};

export type AlaudaStageContext = {
  readonly lookups: Lookups;
  readonly ask: Asking;
  /** As in GatewayBook. */
  readonly put: <K extends GatewayInput>(kind: K, key: string, value: GatewayInputs[K] | undefined) => void;
  /** Its status may be something else. */
  readonly restate: (id: string) => void;
  readonly statuses: Pick<Statuses, 'say' | 'leave'>;
};

type Thing = {
  readonly [K in GatewayInput]: { readonly kind: K; readonly key: string; readonly value: GatewayInputs[K] };
}[GatewayInput];
type Made = {
  readonly things: readonly Thing[];
  readonly problems: readonly Problem[];
  readonly rules: readonly RuleModel[];
  readonly instance: string;
};

export function createAlaudaStage({ lookups, ask, put, restate, statuses }: AlaudaStageContext): AlaudaStage {
  /** By what it was made of: `alb2 KEY` and `frontend KEY`; `albRule KEY` while it has no Frontend. */
  const made = new Map<string, Made>();

  /** Who made what last: a Rule that goes to another Frontend may have been made by that already. */
  const makers = new Map<string, string>();
  const isLast = (id: string, source: string): boolean => {
    if (makers.get(id) !== source) return false;
    makers.delete(id);
    return true;
  };

  const replace = (source: string, next: Made | undefined): void => {
    const before = made.get(source);
    if (next === undefined) made.delete(source);
    else made.set(source, next);
    const idOf = ({ kind, key }: Thing) => `${kind} ${key}`;
    const kept = new Set(next?.things.map(idOf));
    for (const thing of before?.things ?? [])
      if (!kept.has(idOf(thing)) && isLast(idOf(thing), source)) put(thing.kind, thing.key, undefined);
    for (const thing of next?.things ?? []) {
      makers.set(idOf(thing), source);
      put(thing.kind, thing.key, thing.value as never);
    }
    sayRules(source, before, next);
  };
  /** Their kind has no status: only what is wrong with them is said. */
  const sayRules = (source: string, before: Made | undefined, next: Made | undefined): void => {
    const wrong = Map.groupBy(
      next?.problems ?? [],
      ({ object: { kind, namespace, name } }) => `${kind}/${namespace}/${name}`,
    );
    const now = new Set(next?.rules.map(({ key }) => key));
    for (const { key } of before?.rules ?? [])
      if (!now.has(key) && isLast(`Rule/${key}`, source)) statuses.leave(`Rule/${key}`);
    for (const { key, generation } of next?.rules ?? []) {
      makers.set(`Rule/${key}`, source);
      const problems = wrong.get(`Rule/${key}`) ?? [];
      statuses.say(`Rule/${key}`, generation, {
        kind: 'Rule',
        key,
        instance: next?.instance ?? '',
        problems,
      });
    }
  };
  const alb2 = (key: string): Made | undefined => {
    const model = ask.get('alb2', key);
    if (model?.isServed !== true) return undefined;
    const frontends = ask.frontendsOf(key);
    const { listenerSets, routes } = redirectParts(model, frontends);
    const { policies, wafPolicies } = policiesForIngresses(model, frontends);
    const things: Thing[] = [
      { kind: 'alb', key: albKey(key), value: albOf(model, frontends) },
      ...listenerSets.map((value) => ({ kind: 'listenerSet' as const, key: value.key, value })),
      ...routes.map((value) => ({ kind: 'route' as const, key: `${value.kind}/${value.key}`, value })),
      ...policies.map((value) => ({ kind: 'policy' as const, key: value.key, value })),
      ...wafPolicies.map((value) => ({ kind: 'wafPolicy' as const, key: value.key, value })),
    ];
    return { things, problems: [], rules: [], instance: albInstance(albKey(key)) };
  };
  const frontend = (key: string): Made | undefined => {
    const model = ask.get('frontend', key);
    const owner = model && ask.get('alb2', `${model.namespace}/${model.alb}`);
    if (model === undefined || owner?.isServed !== true) return undefined;
    const rules = ask.rulesOf(key);
    const { listenerSets, routes, policies, wafPolicies, problems } = frontendParts(owner, model, rules);
    return {
      things: [
        ...listenerSets.map((value) => ({ kind: 'listenerSet' as const, key: value.key, value })),
        ...routes.map((value) => ({ kind: 'route' as const, key: `${value.kind}/${value.key}`, value })),
        ...policies.map((value) => ({ kind: 'policy' as const, key: value.key, value })),
        ...wafPolicies.map((value) => ({ kind: 'wafPolicy' as const, key: value.key, value })),
      ],
      problems,
      rules,
      instance: albInstance(albKey(owner.key)),
    };
  };
  /** One whose Frontend isn't there: no Frontend says what is wrong with it. */
  const orphan = (key: string): Made | undefined => {
    const rule = ask.get('albRule', key);
    if (rule === undefined || ask.get('frontend', `${rule.namespace}/${rule.frontend}`) !== undefined)
      return undefined;
    const owner = rule.alb === undefined ? undefined : ask.get('alb2', `${rule.namespace}/${rule.alb}`);
    if (owner?.isServed !== true) return undefined;
    const field = `metadata.labels[${labelsOf.frontend}]`;
    const message = `there is no Frontend ${rule.frontend}: the Rule is not served`;
    const problem: Problem = { object: rule.origin, field, code: 'ReferenceNotFound', message };
    return { things: [], problems: [problem], rules: [rule], instance: albInstance(albKey(owner.key)) };
  };
  const makeOf = { alb2, frontend, albRule: orphan } as const;

  return {
    settle() {
      for (const source of lookups.take('alauda')) {
        const [kind, key] = source.split(' ') as [keyof typeof makeOf, string];
        const next = lookups.track('alauda', source, () => makeOf[kind](key));
        const isGone = ask.get(kind, key) === undefined;
        if (isGone) lookups.forget('alauda', source);
        replace(source, next);
        if (kind === 'frontend') restate(`ListenerSet/${key}~frontend`);
      }
    },
    restated(status) {
      if (status.kind === 'ALB') {
        const key = alb2Of(status.key);
        if (key === undefined) return undefined;
        const programmed = conditionOf(status.conditions, 'Programmed');
        const waits =
          programmed?.status === 'True' ? {} : { waits: programmed?.message ?? 'It is not there yet' };
        return { kind: 'ALB2', key, instance: albInstance(status.key), ...waits, problems: [] };
      }
      if (status.kind !== 'ListenerSet') return undefined;
      const key = frontendOf(status.key);
      if (key === undefined) return undefined;
      const conflict = status.listeners.some(
        ({ conditions }) => conditionOf(conditions, 'Conflicted')?.status === 'True',
      );
      const unmet = status.listeners.flatMap(({ name, conditions }) =>
        conditions.flatMap(({ type, status: is, message }): Problem[] => {
          if (type !== 'ResolvedRefs' || is !== 'False') return [];
          const [namespace = '', own = ''] = key.split('/');
          const object = { kind: 'Frontend', namespace, name: own };
          const of = name === 'frontend' ? '' : ` (${name.replace('domain.', '')})`;
          return [
            { object, field: 'spec.certificate_name', code: 'ReferenceNotFound', message: `${message}${of}` },
          ];
        }),
      );
      return {
        kind: 'Frontend',
        key,
        instance: made.get(`frontend ${key}`)?.instance ?? '',
        conflict,
        problems: [
          ...(made.get(`frontend ${key}`)?.problems.filter(({ object }) => object.kind === 'Frontend') ?? []),
          ...unmet,
        ],
      };
    },
  };
}
