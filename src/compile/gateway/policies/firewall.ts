/** What WAFPolicies say together of requests at one place: the firewall's entry in a policy, and the rules that it needs. */
import type { GatewayIntent } from '#intent/gateway.ts';
import type { GatewayFirewall } from '#intent/gateway-policy.ts';
import type { WAFPolicyModel } from '#model/gateway/policy-types.ts';
import type { EntryContext } from '../types.ts';
import type { Levels } from './levels.ts';
import type { FieldsOf } from './merge.ts';
import type { Finding } from './policy-conditions.ts';

export type FirewallFields = Omit<WAFPolicyModel['settings'], 'thresholds'> & {
  readonly 'thresholds.request'?: number;
  readonly 'thresholds.answer'?: number;
};

export type FirewallUse = {
  readonly firewall?: GatewayFirewall;
  readonly firewallRules?: GatewayIntent['firewallRules'];
  /** A sentence: it can't be kept, and requests get 500 rather than pass unseen. */
  readonly closed?: string;
};

export const firewallFields: FieldsOf<WAFPolicyModel, FirewallFields> = {
  of({ settings: { thresholds, ...others } }) {
    const parts = {
      'thresholds.request': thresholds?.request,
      'thresholds.answer': thresholds?.answer,
    };
    const said = Object.entries(parts).filter(([, value]) => value !== undefined);
    return { ...others, ...Object.fromEntries(said) };
  },
  together: ['exclusions', 'rules'],
};

/** What a policy refers to and isn't there, each with its field: for its status. */
export function firewallFindings(_policy: WAFPolicyModel, _context: EntryContext): readonly Finding[] {
  return [];
}

export function firewallOf(_levels: Levels<WAFPolicyModel>, _context: EntryContext): FirewallUse {
  return {};
}
