/** Names and labels of what an instance of the gateway is made of; pure. */
import { createHash } from 'node:crypto';
import { group } from '#api/kind.ts';
import { gatewayGroup } from '#api/kinds/gatewayparts.ts';
import type { InstanceKind } from '#compile/gateway/instances/origin.ts';

export type InstanceNames = {
  readonly namespace: string;
  /** Of Deployment, Service, ServiceAccount and PodDisruptionBudget. */
  readonly name: string;
  /** Of the Secret with the key. */
  readonly feed: string;
};

/** On everything that belongs to an instance, of whichever Gateway. */
export const instanceComponent = {
  'app.kubernetes.io/name': 'netloom',
  'app.kubernetes.io/component': 'gateway',
} as const;

export const instanceSelector: string = Object.entries(instanceComponent)
  .map(([name, value]) => `${name}=${value}`)
  .join(',');

/** Label whose value is the instance's name: pods are selected by it. */
export const instanceLabel = 'app.kubernetes.io/instance';

const feedSuffix = '-feed';
/** A Service's name is a label of DNS, and so is the longest name with a suffix. */
const longest = 63 - feedSuffix.length;
const hashDigits = 8;

type Named = {
  readonly namespace: string;
  readonly name: string;
  readonly className: string;
  /** Absent: a Gateway's. */
  readonly kind?: InstanceKind;
};

/** `GATEWAY-CLASS`, of an ALB `NAME-alb`; where that is no name of a Service, what is left of it with a hash behind. */
export function instanceNames({ namespace, name, className }: Named): InstanceNames {
  const instance = shortened(`${name}-${className}`, longest, /^[a-z]([-a-z0-9]*[a-z0-9])?$/);
  return { namespace, name: instance, feed: `${instance}${feedSuffix}` };
}

/** What selects the instance's pods; never changes while the instance lives. */
export function instancePodLabels(gateway: Named): Readonly<Record<string, string>> {
  return { ...instanceComponent, [instanceLabel]: instanceNames(gateway).name };
}

/** On all objects of the instance; those of Gateway API by their names there. A label holds 63 characters, a name 253. */
export function instanceLabels(gateway: Named): Readonly<Record<string, string>> {
  const value = /^[a-zA-Z0-9]([-._a-zA-Z0-9]*[a-zA-Z0-9])?$/;
  const all = { ...instancePodLabels(gateway), 'app.kubernetes.io/part-of': 'netloom' };
  const { kind = 'Gateway', name } = gateway;
  if (kind !== 'Gateway') return { ...all, [`${group}/${kind.toLowerCase()}`]: shortened(name, 63, value) };
  return {
    ...all,
    [`${gatewayGroup}/gateway-name`]: shortened(gateway.name, 63, value),
    [`${gatewayGroup}/gateway-class-name`]: shortened(gateway.className, 63, value),
  };
}

function shortened(text: string, length: number, valid: RegExp): string {
  if (text.length <= length && valid.test(text)) return text;
  const hash = createHash('sha256').update(text).digest('hex').slice(0, hashDigits);
  const plain = text.replaceAll(/[^-a-z0-9]/g, '-').replace(/^[^a-z]+/, '');
  const kept = plain.slice(0, length - hashDigits - 1).replace(/-+$/, '');
  return kept === '' ? `g-${hash}` : `${kept}-${hash}`;
}
