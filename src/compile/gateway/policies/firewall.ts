/** What WAFPolicies say together of requests at one place: the firewall's entry in a policy, and the rules that it needs. */
import type { GatewayIntent } from '#intent/gateway.ts';
import type { GatewayFirewall } from '#intent/gateway-policy.ts';
import type { WAFPolicyModel } from '#model/gateway/policy-types.ts';
import type { EntryContext } from '../types.ts';
import type { Levels } from './levels.ts';
import { type FieldsOf, merge } from './merge.ts';
import type { Finding } from './policy-conditions.ts';

export type FirewallFields = WAFPolicyModel['settings'];

export type FirewallUse = {
  readonly firewall?: GatewayFirewall;
  readonly firewallRules?: GatewayIntent['firewallRules'];
  /** A sentence: it can't be kept, and requests get 500 rather than pass unseen. */
  readonly closed?: string;
};

export const firewallFields: FieldsOf<WAFPolicyModel, FirewallFields> = {
  of: ({ settings }) => settings,
  together: ['exclusions', 'rules'],
  // Who insists on a firewall insists on all of it: a threshold that nothing reaches would be as good as none. Rules of their own can only forbid.
  yielding: ['mode', 'paranoia', 'threshold', 'exclusions'],
  written: { rules: 'configMapRefs' },
};

/** What holds where no level says otherwise: who attaches a firewall wants one. */
const defaults = { mode: 'block', paranoia: 1, threshold: 5 } as const;

/** What a policy refers to and isn't there, each with its field: for its status. */
export function firewallFindings(policy: WAFPolicyModel, context: EntryContext): readonly Finding[] {
  const names = policy.settings.rules ?? [];
  const lacking = names.flatMap((name, at): Finding[] => {
    const key = `${policy.namespace}/${name}`;
    if (context.firewallRules(key) !== undefined) return [];
    return [
      {
        reason: 'InvalidConfigMap',
        message: `spec.configMapRefs[${at}]: ConfigMap ${key} doesn't exist, or its rules can't be used; requests that were to be blocked by them get 500`,
      },
    ];
  });
  const twice = sharedId(
    names.map((name) => `${policy.namespace}/${name}`),
    context,
  );
  return twice === undefined
    ? lacking
    : [...lacking, { reason: 'InvalidConfigMap', message: `spec.configMapRefs: ${twice}` }];
}

export function firewallOf(levels: Levels<WAFPolicyModel>, context: EntryContext): FirewallUse {
  if (levels.length === 0) return {};
  const merged = merge(levels, firewallFields);
  const mode = merged.get('mode')?.value ?? defaults.mode;
  if (mode === 'off') return {};
  const wanted = merged
    .all('rules')
    .flatMap(({ value, policy }) => value.map((name) => `${policy.namespace}/${name}`));
  const keys = [...new Set(wanted)];
  const found = keys.flatMap((key) => {
    const rules = context.firewallRules(key);
    return rules === undefined ? [] : [{ key, rules }];
  });
  const twice = sharedId(keys, context);
  if (mode === 'block' && (found.length < keys.length || twice !== undefined)) {
    const missing = keys.find((key) => !found.some((each) => each.key === key));
    return { closed: twice ?? `rules of ConfigMap ${missing} can't be used` };
  }
  // Looked for only: what there is of the rules is better than nothing.
  const usable = twice === undefined ? found : [];
  return {
    firewall: {
      mode,
      paranoia: merged.get('paranoia')?.value ?? defaults.paranoia,
      threshold: merged.get('threshold')?.value ?? defaults.threshold,
      exclusions: merged.all('exclusions').flatMap(({ value }) => value),
      ...(usable.length === 0 ? {} : { rules: usable.map(({ key }) => key) }),
    },
    firewallRules: Object.fromEntries(usable.map(({ key, rules }) => [key, rules])),
  };
}

/** Two rules with one id can't be in one set. */
function sharedId(keys: readonly string[], context: EntryContext): string | undefined {
  const owners = new Map<string, string>();
  for (const key of keys) {
    for (const [, id = ''] of (context.firewallRules(key)?.rules ?? '').matchAll(/"id:(\d+)/g)) {
      const other = owners.get(id);
      if (other !== undefined) return `rule ${id} is in ConfigMap ${other} and in ConfigMap ${key}`;
      owners.set(id, key);
    }
  }
  return undefined;
}
