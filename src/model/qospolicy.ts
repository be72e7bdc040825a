/** Reads QoSPolicies. */
import type { QoSPolicy } from '#api/kinds/qospolicy.ts';
import type { LabelSelector } from '#api/object.ts';
import type { Origin } from '#intent/origin.ts';
import {
  burstBounds,
  type Direction,
  directions,
  type RateModel,
  rateBounds,
  readBits,
} from './bandwidth.ts';
import { collectProblems, originOf, type Read } from './problem.ts';

export type QoSPolicyModel = {
  readonly origin: Origin;
  readonly namespace: string;
  readonly name: string;
  readonly podSelector: LabelSelector;
  /** The higher one wins. */
  readonly priority: number;
} & { readonly [D in Direction]?: RateModel };

/** A policy with a bad rate or burst limits nothing at all: half of it would be what nobody asked for. */
export function readQoSPolicy(object: QoSPolicy): Read<QoSPolicyModel> {
  const origin = originOf(object);
  const { problems, refuse } = collectProblems(origin);
  const { spec, metadata } = object;
  const rates: { [D in Direction]?: RateModel } = {};
  for (const direction of directions) {
    const given = spec[direction];
    if (given === undefined) continue;
    const field = `spec.${direction}`;
    const bitsPerSecond = readBits(String(given.rate), `${field}.rate`, rateBounds, refuse);
    const burstBits =
      given.burst === undefined
        ? undefined
        : readBits(String(given.burst), `${field}.burst`, burstBounds, refuse);
    if (bitsPerSecond === undefined) continue;
    rates[direction] = { bitsPerSecond, ...(burstBits === undefined ? {} : { burstBits }) };
  }
  if (spec.ingress === undefined && spec.egress === undefined)
    refuse('spec', 'Required', 'limits nothing; give spec.ingress or spec.egress');
  if (problems.length > 0) return { value: undefined, problems };
  const { namespace = '', name } = metadata;
  const podSelector = spec.podSelector as LabelSelector;
  return {
    value: { origin, namespace, name, podSelector, priority: spec.priority ?? 0, ...rates },
    problems,
  };
}
