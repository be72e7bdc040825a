/** Whose an instance is: the Gateway or the ALB that it is made for, in whose namespace it stands; pure. */

import { group, version } from '#api/kind.ts';
import { gatewayGroup } from '#api/kinds/gatewayparts.ts';
import { albInstance, albOf } from '#compile/gateway/instances/derived-gateway.ts';
import type { ALBModel } from '#model/gateway/policy-types.ts';
import type { GatewayModel } from '#model/gateway/types.ts';

export type InstanceOwner = {
  readonly kind: 'Gateway' | 'ALB';
  readonly apiVersion: string;
  /** Of the instance, in the book. */
  readonly key: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly created: string;
  /** Behind its name in the instance's. */
  readonly className: string;
  /** On all objects of the instance. */
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** That its Service is to have. */
  readonly addresses: readonly string[];
};

/** Instances of Gateways are called after their class here. */
const albClass = 'alb';

export function gatewayOwner(gateway: GatewayModel): InstanceOwner {
  const { key, namespace, name, uid, created, className, infrastructure, addresses } = gateway;
  return {
    kind: 'Gateway',
    apiVersion: `${gatewayGroup}/v1`,
    key,
    namespace,
    name,
    uid,
    created,
    className,
    labels: infrastructure.labels,
    annotations: infrastructure.annotations,
    addresses: addresses.flatMap(({ type, value }) =>
      type === 'IPAddress' && value !== undefined && value !== '' ? [value] : [],
    ),
  };
}

export function albOwner(alb: ALBModel): InstanceOwner {
  const { key, namespace, name, uid, created, instance } = alb;
  return {
    kind: 'ALB',
    apiVersion: `${group}/${version}`,
    key: albInstance(key),
    namespace,
    name,
    uid,
    created,
    className: albClass,
    labels: {},
    annotations: {},
    addresses: instance.addresses,
  };
}

/** The object that an instance is made for, by the instance's key. */
export function ownerObject(instance: string): {
  readonly kind: InstanceOwner['kind'];
  readonly namespace: string;
  readonly name: string;
} {
  const alb = albOf(instance);
  const [namespace = '', name = ''] = (alb ?? instance).split('/');
  return { kind: alb === undefined ? 'Gateway' : 'ALB', namespace, name };
}

/** The instance of an object that may own one; undefined: it can't. */
export function instanceOwnedBy(kind: string, namespace: string, name: string): string | undefined {
  if (kind === 'Gateway') return `${namespace}/${name}`;
  return kind === 'ALB' ? albInstance(`${namespace}/${name}`) : undefined;
}
