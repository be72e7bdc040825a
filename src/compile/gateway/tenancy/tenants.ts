/** Whose routes an instance has, and what all that each of them has may take together. */
import type { GatewayIntent } from '#intent/gateway.ts';
import { byText } from '../age.ts';
import { createUsers } from '../users.ts';
import type { Terms } from './terms.ts';

export type Tenants = {
  /** Instances that have a route, in place of those that had it before. Instances that have other tenants now. */
  set(route: string, namespace: string, instances: readonly string[]): readonly string[];
  intents(instance: string, terms: Terms | undefined): GatewayIntent['tenants'];
};

export function hasRates(terms: Terms | undefined): boolean {
  return terms?.quotas.requestsPerSecond !== undefined || terms?.quotas.concurrency !== undefined;
}

export function createTenants(): Tenants {
  const users = createUsers();
  const namespaces = new Map<string, Set<string>>();
  return {
    set(route, namespace, instances) {
      const { added, removed } = users.set(
        route,
        instances.map((instance) => `${instance} ${namespace}`),
      );
      const changed = [
        ...added.filter((thing) => users.of(thing).size === 1),
        ...removed.filter((thing) => users.of(thing).size === 0),
      ];
      for (const thing of changed) {
        const [instance = '', tenant = ''] = thing.split(' ');
        const those = namespaces.get(instance) ?? new Set<string>();
        if (users.of(thing).size > 0) those.add(tenant);
        else those.delete(tenant);
        if (those.size === 0) namespaces.delete(instance);
        else namespaces.set(instance, those);
      }
      return changed.map((thing) => thing.split(' ')[0] ?? '');
    },
    intents(instance, terms) {
      if (terms === undefined || !hasRates(terms)) return {};
      const { requestsPerSecond, concurrency } = terms.quotas;
      const limits = {
        ...(requestsPerSecond === undefined ? {} : { requestsPerSecond }),
        ...(concurrency === undefined ? {} : { concurrency }),
      };
      const tenants = [...(namespaces.get(instance) ?? [])].filter((each) => each !== terms.namespace);
      return Object.fromEntries(tenants.sort(byText).map((each) => [each, limits]));
    },
  };
}
