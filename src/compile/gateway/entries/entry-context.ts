/** What entries of a Gateway are made of: the objects as they are now. Whoever asks is noted. */
import type { GatewayView } from '../gateway-view.ts';
import type { Asking } from '../inputs.ts';
import type { Lookups } from '../lookups.ts';
import type { EntryContext } from '../types.ts';
import { type PolicyContext, tlsOf } from './tls-policies.ts';

export function policyContext(ask: Asking): PolicyContext {
  return {
    service: (key) => ask.get('service', key),
    policies: (service) => ask.policiesOf(service),
    authority(key) {
      const [kind = '', namespace = '', name = ''] = key.split('/');
      return ask.authority({ group: '', kind, namespace, name });
    },
  };
}

/** `asked` gets the Services that are asked for. */
export function createEntryContext(
  ask: Asking,
  views: ReadonlyMap<string, GatewayView>,
  lookups: Lookups,
): (instance: string, asked?: Set<string>) => EntryContext {
  const policies = policyContext(ask);
  return (instance, asked) => ({
    permits: ask.permits,
    service(key) {
      asked?.add(key);
      return ask.get('service', key);
    },
    slices: (service) => ask.slicesOf(service),
    tls: (service, port) => tlsOf(service, port, policies),
    clientCertificate() {
      lookups.note(`clientCertificate ${instance}`);
      return views.get(instance)?.clientCertificate;
    },
    authority: (reference) => ask.authority(reference),
    certificate: (reference) => ask.certificate(reference),
    policies: ask.attached,
    users: (secret) => ask.users(secret),
    firewallRules: (configMap) => ask.firewallRules(configMap),
  });
}
