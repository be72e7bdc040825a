/** An ALB as the Gateway that it is for the rest: with its own listeners, under a name that no Gateway can have. */
import type { ALBModel } from '#model/gateway/policy-types.ts';
import type { GatewayModel, ListenerModel, ObjectReference } from '#model/gateway/types.ts';

export const albGroup = 'netloom.dev';

const suffix = '~alb';

/** Of the Gateway and of the instance that an ALB (`namespace/name`) is. */
export function albInstance(alb: string): string {
  return `${alb}${suffix}`;
}

/** The ALB (`namespace/name`) that an instance or a derived Gateway is; undefined: it is a Gateway of its own. */
export function albOf(instance: string): string | undefined {
  return instance.endsWith(suffix) ? instance.slice(0, -suffix.length) : undefined;
}

export function isALB({ group, kind }: Pick<ObjectReference, 'group' | 'kind'>): boolean {
  return group === albGroup && kind === 'ALB';
}

/** Whom it lets in is decided by its tenants, on top of what is said here. */
export function derivedGateway(alb: ALBModel): GatewayModel {
  const { origin, uid, generation, created, namespace, http, https, instance } = alb;
  const all = { allowedNamespaces: { from: 'All' } } as const;
  const listeners: ListenerModel[] = [];
  if (http !== undefined) listeners.push({ name: 'http', protocol: 'HTTP', port: http.port, ...all });
  // Without a certificate of its own the port is opened once somebody brings one.
  if (https?.certificate !== undefined) {
    const secret = { group: '', kind: 'Secret', namespace, name: https.certificate };
    const tls = { mode: 'Terminate', certificates: [secret], options: {} } as const;
    listeners.push({ name: 'https', protocol: 'HTTPS', port: https.port, tls, ...all });
  }
  return {
    origin,
    uid,
    generation,
    created,
    namespace,
    name: `${alb.name}${suffix}`,
    key: albInstance(alb.key),
    className: '',
    listeners,
    addresses: instance.addresses.map((value) => ({ type: 'IPAddress', value })),
    ...(alb.proxyProtocol === true ? { proxyProtocol: true } : {}),
    allowedListeners: { from: 'All' },
    infrastructure: { labels: {}, annotations: {} },
    clientValidation: { perPort: new Map() },
  };
}
