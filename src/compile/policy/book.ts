/** The policies of a class by whom their rules are about, so that a peer is compared with few rules, however many policies there are. */
import type { PolicyRowIntent } from '#intent/policy.ts';
import type { NamedPort, PodModel } from '#model/pod.ts';
import type { PodsSelector, PolicyDirection, PolicyModel, PolicyRule } from '#model/policy.ts';
import type { PolicyClass } from './classes.ts';
import {
  type Asked,
  askedBy,
  facts,
  featureView,
  peerText,
  peerTextOf,
  portFeature,
  selfView,
  subjectPorts,
} from './features.ts';
import { rulesOf } from './order.ts';
import { flattenPolicies } from './rows.ts';

export type PolicyBook = {
  readonly direction: PolicyDirection;
  /** In order; all say something of the direction. */
  readonly policies: readonly PolicyModel[];
  readonly asked: readonly Asked[];
  /** Equal for equal lists of policies. */
  readonly key: string;
  /** What a pod may meet in itself: all but NetworkPolicies, of which it only counts that there are any. */
  readonly forItself: readonly PolicyModel[];
  /** The policies with those rules only that may take somebody with these features; flattened, they give what all give. */
  readonly about: (features: Iterable<string>) => readonly PolicyModel[];
};

/** `undefined`: none of the policies says anything of the direction. */
export function openBook(
  direction: PolicyDirection,
  selecting: readonly PolicyModel[],
): PolicyBook | undefined {
  const policies = selecting.filter((policy) => rulesOf(policy, direction) !== undefined);
  if (policies.length === 0) return undefined;
  const pages = new Map<string, Place[]>();
  const open: Place[] = [];
  const strict: Place[] = [];
  for (const [policy, model] of policies.entries())
    for (const [rule, { action, peers }] of (rulesOf(model, direction) ?? []).entries()) {
      const place = { policy, rule };
      if (peers === undefined || peers.some(({ kind }) => kind === 'everybody')) {
        open.push(place);
        continue;
      }
      if (action === 'deny' && peers.some(({ kind }) => kind === 'pods')) strict.push(place);
      for (const text of new Set(peers.map(peerText))) {
        if (text === undefined) continue;
        const page = pages.get(text);
        if (page === undefined) pages.set(text, [place]);
        else page.push(place);
      }
    }
  const standing = standingFor(policies);
  return {
    direction,
    policies,
    asked: policies.map((policy) => askedBy(policy, direction)),
    key: JSON.stringify(policies.map(({ key }) => key)),
    forItself: policies.filter((policy, index) => policy.tier !== 'network' || standing.includes(index)),
    about(features) {
      const places = [...open];
      for (const feature of features)
        for (const place of feature === facts.unknown ? strict : (pages.get(peerTextOf(feature)) ?? []))
          places.push(place);
      const rules = new Map<number, Set<number>>(standing.map((index) => [index, new Set()]));
      for (const { policy, rule } of places) rules.set(policy, (rules.get(policy) ?? new Set()).add(rule));
      const sorted = [...rules].sort(([a], [b]) => a - b);
      return sorted.flatMap(([index, chosen]) => withRules(policies[index], direction, chosen));
    },
  };
}

/** As PolicyClass, and with the same meaning of its key. */
export function classIn(
  book: PolicyBook,
  pod: PodModel,
  takesPod: (selector: PodsSelector) => boolean,
): PolicyClass {
  const { direction, policies } = book;
  const ports = subjectPorts(policies, direction, pod);
  const itself = flattenPolicies(book.forItself, direction, selfView(pod, takesPod));
  const key = JSON.stringify([direction, book.key, ports.map(portFeature), itself]);
  return { key, direction, policies, ports, itself };
}

/** What the class of these ports does with whoever has these features. */
export function rowsFor(
  book: PolicyBook,
  ports: readonly NamedPort[],
  features: readonly string[],
): readonly PolicyRowIntent[] {
  const { direction } = book;
  const view = featureView(new Set(features), direction, ports, peerText);
  return flattenPolicies(book.about(features), direction, view);
}

type Place = { readonly policy: number; readonly rule: number };

/**
 * NetworkPolicies that stay without any rule, since a denial by isolation is told of the first: of all, of those in force, of those in
 * audit mode.
 */
function standingFor(policies: readonly PolicyModel[]): readonly number[] {
  const isNetwork = ({ tier }: PolicyModel) => tier === 'network';
  const firsts = [
    policies.findIndex(isNetwork),
    policies.findIndex((policy) => isNetwork(policy) && !policy.audit),
    policies.findIndex((policy) => isNetwork(policy) && policy.audit),
  ];
  return [...new Set(firsts)].filter((index) => index !== -1);
}

function withRules(
  policy: PolicyModel | undefined,
  direction: PolicyDirection,
  chosen: ReadonlySet<number>,
): PolicyModel[] {
  if (policy === undefined) return [];
  const rules: PolicyRule[] = (policy[direction] ?? []).filter((_, index) => chosen.has(index));
  return [{ ...policy, [direction]: rules }];
}
