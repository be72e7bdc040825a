/** Policies, tenants and users as requests need them: address lists made ready, counters with their numbers. */
import type {
  GatewayCountedBy,
  GatewayPolicyIntent,
  GatewayTenantIntent,
} from '../../src/intent/gateway-policy.ts';
import { type AddressSet, hasAddress, prepareAddresses, type RouterAddress } from './addresses.ts';

export type RouterPolicy = {
  readonly key: string;
  readonly intent: GatewayPolicyIntent;
  /** `undefined`: who connects is the client. */
  readonly trusted: AddressSet | undefined;
  readonly access: readonly AccessList[];
  readonly rates: readonly RouterRate[];
  readonly concurrency: readonly RouterConcurrency[];
};

export type AccessList = { readonly allow: AddressSet | undefined; readonly deny: AddressSet | undefined };

/** A bucket of `most` tokens, of which one comes back every `interval`. */
export type RouterRate = {
  readonly counter: string;
  readonly by: readonly GatewayCountedBy[];
  readonly most: number;
  /** Milliseconds. */
  readonly interval: number;
};

export type RouterConcurrency = {
  readonly counter: string;
  readonly by: readonly GatewayCountedBy[];
  readonly most: number;
};

export type RouterTenant = {
  readonly rate: RouterRate | undefined;
  readonly concurrency: RouterConcurrency | undefined;
};

export function preparePolicy(key: string, intent: GatewayPolicyIntent): RouterPolicy {
  const access: AccessList[] = [];
  const lists = intent.access === undefined ? [] : intent.access;
  for (let at = 0; at < lists.length; at++) {
    const { allow, deny } = lists[at]!;
    access.push({ allow: setOf(allow), deny: setOf(deny) });
  }
  const rates: RouterRate[] = [];
  const limits = intent.rateLimits === undefined ? [] : intent.rateLimits;
  for (let at = 0; at < limits.length; at++) {
    const { counter, by, requests, per, burst } = limits[at]!;
    rates.push(rate(`rate ${counter}`, by, requests, per, burst));
  }
  const concurrency: RouterConcurrency[] = [];
  const most = intent.concurrency === undefined ? [] : intent.concurrency;
  for (let at = 0; at < most.length; at++) {
    const { counter, by, requests } = most[at]!;
    concurrency.push({ counter: `concurrency ${counter}`, by, most: requests });
  }
  return { key, intent, trusted: setOf(intent.trustedProxies), access, rates, concurrency };
}

/** A second's worth at once. */
export function prepareTenant(namespace: string, intent: GatewayTenantIntent): RouterTenant {
  const counter = `tenant ${namespace}`;
  const { requestsPerSecond, concurrency } = intent;
  return {
    rate: requestsPerSecond === undefined ? undefined : rate(counter, [], requestsPerSecond, 1000, 0),
    concurrency: concurrency === undefined ? undefined : { counter, by: [], most: concurrency },
  };
}

/** Every list must let the client in. One without an address (by a unix socket) is in no list. */
export function isLetIn(access: readonly AccessList[], address: RouterAddress | undefined): boolean {
  for (let at = 0; at < access.length; at++) {
    const { allow, deny } = access[at]!;
    if (deny !== undefined && (deny.isBroken || address === undefined || hasAddress(deny, address)))
      return false;
    if (allow !== undefined && (address === undefined || !hasAddress(allow, address))) return false;
  }
  return true;
}

function rate(
  counter: string,
  by: readonly GatewayCountedBy[],
  requests: number,
  per: number,
  burst: number,
): RouterRate {
  // Nothing at all is let through by a limit of nothing, or by one that makes no sense.
  const usable = requests > 0 && per > 0;
  return { counter, by, most: usable ? requests + burst : 0, interval: usable ? per / requests : per };
}

function setOf(cidrs: readonly string[] | undefined): AddressSet | undefined {
  return cidrs === undefined ? undefined : prepareAddresses(cidrs);
}
