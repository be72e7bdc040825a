/** What is kept of a Service for the allocation of balancers' addresses, beside what it asks for. */
import type { Condition, KubeObject } from '#api/object.ts';
import type { LoadBalancerModel } from '#model/loadbalancer.ts';
import { hasLeftovers, loadBalancerAnnotations, readLoadBalancer } from '#model/loadbalancerservice.ts';
import type { Problem } from '#model/problem.ts';
import { canonicalAddr } from '#net/addr.ts';
import type { ServedLoadBalancers } from '../../flags.ts';

export type SeenBalancer = {
  /** Undefined of a Service that is no load balancer any more, but still says what was written on it. */
  readonly model: LoadBalancerModel | undefined;
  readonly problems: readonly Problem[];
  readonly uid: string;
  readonly resourceVersion: string;
  /** `status.loadBalancer.ingress`, word for word. */
  readonly ingress: readonly unknown[];
  /** The annotation that says where the addresses are from. */
  readonly from: string | undefined;
  readonly conditions: readonly Condition[] | undefined;
};

/** Undefined of a Service that is nothing to us. */
export function balancerOf(
  object: KubeObject,
  served: ServedLoadBalancers | undefined,
): SeenBalancer | undefined {
  if (served === undefined) return undefined;
  const { value, problems } = readLoadBalancer(object, served);
  if (value === undefined && !hasLeftovers(object)) return undefined;
  const { metadata, status = {} } = object as KubeObject & {
    status?: {
      readonly loadBalancer?: { readonly ingress?: readonly unknown[] };
      readonly conditions?: readonly Condition[];
    };
  };
  return {
    model: value,
    problems,
    uid: metadata.uid ?? '',
    resourceVersion: metadata.resourceVersion ?? '',
    ingress: status.loadBalancer?.ingress ?? [],
    from: metadata.annotations?.[loadBalancerAnnotations.from],
    conditions: status.conditions,
  };
}

/** Addresses that the status names, whoever wrote them; canonical. */
export function shownBy(balancer: SeenBalancer | undefined): readonly string[] {
  return (balancer?.ingress ?? []).flatMap(
    (each) => canonicalAddr((each as { readonly ip?: string }).ip ?? '') ?? [],
  );
}
