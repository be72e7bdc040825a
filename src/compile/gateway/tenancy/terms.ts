/** On which terms tenants are at a Gateway's instance: how hostnames are given, and how much each may have. */
import type { ALBModel } from '#model/gateway/policy-types.ts';
import type { GatewayModel } from '#model/gateway/types.ts';
import type { Asking } from '../inputs.ts';

export type Terms = {
  /** The instance's key: the Gateway's, or that of the ALB that it shares. */
  readonly instance: string;
  /** Whose the instance is. */
  readonly namespace: string;
  readonly hostnames: ALBModel['hostnames'];
  /** Of tenants: the instance's own namespace is none. */
  readonly quotas: ALBModel['quotas'];
};

/** Behind the name of an ALB: its instance. */
const albMark = '~alb';

export function termsOf(gateway: GatewayModel, ask: Pick<Asking, 'get'>): Terms {
  const { namespace, key } = gateway;
  const instance = instanceOf(gateway);
  if (!instance.endsWith(albMark)) return { instance: key, namespace, hostnames: 'Shared', quotas: {} };
  const alb = ask.get('alb', instance.slice(0, -albMark.length));
  // One that can't be read (any more) gives nobody what was another's.
  return { instance, namespace, hostnames: alb?.hostnames ?? 'FirstHolder', quotas: alb?.quotas ?? {} };
}

function instanceOf({ key, namespace, infrastructure: { parameters } }: GatewayModel): string {
  if (parameters?.group !== 'netloom.dev' || parameters.kind !== 'ALB') return key;
  return `${namespace}/${parameters.name}${albMark}`;
}
