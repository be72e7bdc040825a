/** The options that say what a lab looks like, checked. */
import type { SubnetMode } from '#intent/node.ts';
import type { Family } from '#lab/config.ts';
import { labNameProblem, nodeCountProblem } from '#lab/lab.ts';
import { maxSegments } from '#lab/topology.ts';
import { type Invocation, UsageError } from './command.ts';

/** The `--name` of a lab. Throws UsageError. */
export function labName({ values }: Invocation): string {
  const name = String(values.name);
  const problem = labNameProblem(name);
  if (problem !== undefined) throw new UsageError(`--name: ${problem}`);
  return name;
}

export type LabShape = {
  readonly name: string;
  readonly nodes: number;
  readonly family: Family;
  readonly mode: SubnetMode;
  readonly mtu: number;
  readonly segments: number;
  readonly bgp: boolean;
  readonly bgpRouter: boolean;
};

/** Throws UsageError. */
export function labShape(invocation: Invocation): LabShape {
  const { values } = invocation;
  const nodes = wholeNumber('--nodes', values.nodes);
  const problem = nodeCountProblem(nodes);
  if (problem !== undefined) throw new UsageError(`--nodes: ${problem}`);
  const mtu = wholeNumber('--mtu', values.mtu);
  // IPv6 needs 1280 inside of the tunnel, which takes 70.
  if (mtu < 1350 || mtu > 65_535) throw new UsageError('--mtu: from 1350 to 65535');
  const segments = wholeNumber('--segments', values.segments);
  if (segments < 1 || segments > maxSegments) throw new UsageError(`--segments: from 1 to ${maxSegments}`);
  return {
    name: labName(invocation),
    nodes,
    family: values.family as Family,
    mode: values.mode as SubnetMode,
    mtu,
    segments,
    bgp: values.bgp === true,
    bgpRouter: values.bgp === true || values['bgp-router'] === true,
  };
}

function wholeNumber(option: string, text: string | boolean | undefined): number {
  if (typeof text !== 'string' || !/^\d+$/.test(text))
    throw new UsageError(`${option}: ${JSON.stringify(text)} is no number`);
  return Number(text);
}
