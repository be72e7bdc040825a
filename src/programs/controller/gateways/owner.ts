/** Whose an instance is: the Gateway, ALB or ALB2 that it is made for, in whose namespace it stands; pure. */

import { albKind } from '#api/kinds/alb.ts';
import { alb2Kind } from '#api/kinds/alb2.ts';
import { gatewayGroup } from '#api/kinds/gatewayparts.ts';
import { apiVersionOf } from '#api/object.ts';
import { albInstance } from '#compile/gateway/instances/derived-gateway.ts';
import type { InstanceKind } from '#compile/gateway/instances/origin.ts';
import type { ALBModel } from '#model/gateway/policy-types.ts';
import type { GatewayModel } from '#model/gateway/types.ts';

export type InstanceOwner = {
  readonly kind: InstanceKind;
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

/** Also of the ALB that an ALB2 is. */
export function albOwner(alb: ALBModel): InstanceOwner {
  const { key, namespace, origin, uid, created, instance } = alb;
  const kind = origin.kind === 'ALB2' ? 'ALB2' : 'ALB';
  return {
    kind,
    apiVersion: kind === 'ALB2' ? apiVersionOf(alb2Kind) : apiVersionOf(albKind),
    key: albInstance(key),
    namespace,
    name: origin.name,
    uid,
    created,
    className: kind.toLowerCase(),
    labels: {},
    annotations: {},
    addresses: instance.addresses,
  };
}
