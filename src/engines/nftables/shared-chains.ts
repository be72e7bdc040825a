/**
 * The chains that Services share. A frontend's whole behaviour is in the name of the chain that its one lookup finds, and there is one
 * chain for each behaviour, however many Services have it. Pure in the name, so that a listing tells what must be in a chain.
 *
 *     choose4x3         one of the backends in slots 0 to 2
 *     choose4x3x2       one of the backends in slots 2 to 4
 *     stick4x3, …x2     the remembered backend, else as choose
 *     split4x2x3        who comes from outside gets one of the slots 0 to 1, who comes from here one of 2 to 4; split4x0x3 drops the outside
 *     splitStick4x2x3   the same with memory
 *     learn4x60         remembers for 60 s where a connection went
 *     from_NAME         the above, for connections from the frontend's source ranges only
 *     policyIngress7    judges by a class (policy-chains.ts)
 */
import type { Family } from '#net/addr.ts';
import { chain, rule } from './chain.ts';
import { fromPod } from './guards.ts';
import type { Chain } from './objects.ts';
import { classChainOnDemand } from './policy-chains.ts';

/** What a frontend does with a new connection. */
export type Behaviour = {
  readonly family: Family;
  /** Backends for connections from this node, and from everywhere where `outside` is absent. They stand behind those of `outside`. */
  readonly backends: number;
  /** Backends for connections from outside, in the first slots. */
  readonly outside?: number | undefined;
  readonly sticky: boolean;
  /** Only for the frontend's source ranges. */
  readonly ranged: boolean;
};

type Ip = 'ip' | 'ip6';

/** What is translated, before and after: the key of every map of frontends. */
export const frontend = (ip: Ip) => `${ip} daddr . meta l4proto . th dport`;
export const original = (ip: Ip) => `ct original ${ip} daddr . meta l4proto . ct original proto-dst`;

/** The verdict of a frontend, and the chains that must be there for it. */
export function behaviourChains(behaviour: Behaviour): {
  readonly verdict: string;
  readonly chains: readonly string[];
} {
  const { family, backends, outside, sticky, ranged } = behaviour;
  const chains: string[] = [];
  const pick = (count: number, first: number): string => {
    const suffix = `${family}x${count}${first === 0 ? '' : `x${first}`}`;
    chains.push(`choose${suffix}`);
    if (sticky) chains.push(`stick${suffix}`);
    return `${sticky ? 'stick' : 'choose'}${suffix}`;
  };
  let target: string;
  if (outside === undefined) target = backends === 0 ? 'refuse' : pick(backends, 0);
  else {
    if (outside > 0) pick(outside, 0);
    if (backends > 0) pick(backends, outside);
    target = `split${sticky ? 'Stick' : ''}${family}x${outside}x${backends}`;
    chains.push(target);
  }
  if (ranged) {
    target = `from_${target}${outside === undefined && backends === 0 ? family : ''}`;
    chains.push(target);
  }
  return { verdict: `goto ${target}`, chains };
}

export function learnChain(family: Family, seconds: number): string {
  return `learn${family}x${seconds}`;
}

/** The chain of such a name; `undefined` for any other name. */
export function chainOnDemand(name: string): Chain | undefined {
  if (name.startsWith('from_')) return rangedChain(name);
  const learn = /^learn([46])x([1-9]\d*)$/.exec(name);
  if (learn !== null) return learningChain(name, Number(learn[1]) as Family, Number(learn[2]));
  const split = /^split(Stick)?([46])x(0|[1-9]\d*)x(0|[1-9]\d*)$/.exec(name);
  if (split !== null) {
    const family = Number(split[2]) as Family;
    return splitChain(name, family, split[1] !== undefined, Number(split[3]), Number(split[4]));
  }
  const pick = /^(choose|stick)([46])x([1-9]\d*)(?:x([1-9]\d*))?$/.exec(name);
  if (pick === null) return classChainOnDemand(name);
  const family = Number(pick[2]) as Family;
  return pick[1] === 'choose'
    ? chooseChain(name, family, Number(pick[3]), Number(pick[4] ?? 0))
    : stickChain(name, family);
}

function chooseChain(name: string, family: Family, count: number, first: number): Chain {
  const ip = ipOf(family);
  const slot = `numgen random mod ${count}${first === 0 ? '' : ` offset ${first}`}`;
  return chain(name, [rule(`dnat ${ip} to ${frontend(ip)} . ${slot} map @backends${family}`)]);
}

function stickChain(name: string, family: Family): Chain {
  const ip = ipOf(family);
  return chain(name, [
    rule(`dnat ${ip} to ${frontend(ip)} . ${ip} saddr map @affinity${family}`, 'remembered'),
    rule(`goto ${name.replace('stick', 'choose')}`),
  ]);
}

/** A pod of this node, or the node itself, is inside: for it the policy of the outside doesn't hold, as if it went out and came back. */
function splitChain(name: string, family: Family, sticky: boolean, outside: number, inside: number): Chain {
  const pick = sticky ? 'stick' : 'choose';
  const own = inside === 0 ? 'refuse' : `${pick}${family}x${inside}${outside === 0 ? '' : `x${outside}`}`;
  return chain(name, [
    rule(`${fromPod} goto ${own}`),
    rule(`fib saddr type local goto ${own}`),
    outside === 0
      ? rule('drop', 'no endpoint on this node: the balancer asks another one')
      : rule(`goto ${pick}${family}x${outside}`),
  ]);
}

function rangedChain(name: string): Chain | undefined {
  const inner = name.slice('from_'.length);
  const refused = /^refuse([46])$/.exec(inner);
  if (refused === null && (inner.startsWith('from_') || inner.startsWith('learn') || !chainOnDemand(inner)))
    return undefined;
  const family = Number(/[46]/.exec(inner)?.[0]) as Family;
  const ip = ipOf(family);
  return chain(name, [
    rule(`${frontend(ip)} . ${ip} saddr @sourceRanges${family} goto ${refused === null ? inner : 'refuse'}`),
    rule('counter name "droppedSourceRange" drop', 'loadBalancerSourceRanges'),
  ]);
}

function learningChain(name: string, family: Family, time: number): Chain {
  const ip = ipOf(family);
  return chain(name, [
    rule(
      `update @affinity${family} { ${original(ip)} . ${ip} saddr timeout ${seconds(time)} : ${ip} daddr . th dport }`,
    ),
  ]);
}

function ipOf(family: Family): Ip {
  return family === 4 ? 'ip' : 'ip6';
}

/** nft prints times as days to seconds, zero parts left out. */
function seconds(total: number): string {
  const parts = [
    [Math.floor(total / 86_400), 'd'],
    [Math.floor(total / 3_600) % 24, 'h'],
    [Math.floor(total / 60) % 60, 'm'],
    [total % 60, 's'],
  ] as const;
  return parts.map(([count, unit]) => (count === 0 ? '' : `${count}${unit}`)).join('');
}
