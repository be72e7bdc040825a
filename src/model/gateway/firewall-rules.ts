/** Reads a tenant's own rules for the web application firewall: ConfigMaps with SecLang in `rules`. */
import type { KubeObject } from '#api/object.ts';
import type { GatewayIntent } from '#intent/gateway.ts';
import { collectProblems, type Read } from '../problem.ts';
import { gatewayObject, readRaw } from './fields.ts';
import { limits } from './seclang/allowed.ts';
import { directivesOf } from './seclang/directives.ts';
import { printRules } from './seclang/print.ts';
import { type OwnRule, RefusedRule, ruleOf } from './seclang/rule.ts';

/** One with anything wrong has no value: a part of what protects would look like all of it. */
export function readFirewallRules(object: KubeObject): Read<GatewayIntent['firewallRules'][string]> {
  const { origin, key } = gatewayObject(object);
  const { problems, refuse } = collectProblems(origin);
  const field = 'data[rules]';
  const text = readRaw(object['data'], 'data', refuse)['rules'];
  if (typeof text !== 'string' || text.trim() === '') {
    refuse(field, 'Required', 'is not there, or empty');
    return { value: undefined, problems };
  }
  const { rules, problem } = rulesOf(text);
  if (problem !== undefined) {
    refuse(field, 'InvalidValue', problem);
    return { value: undefined, problems };
  }
  return { value: { origin, rules: printRules(rules, key) }, problems };
}

function rulesOf(text: string): { readonly rules: readonly OwnRule[]; readonly problem?: string } {
  const none = (problem: string) => ({ rules: [], problem });
  if (text.length > limits.characters) return none(`is longer than ${limits.characters} characters`);
  const read = directivesOf(text);
  if ('problem' in read) return none(`line ${read.line}: ${read.problem}`);
  const rules: OwnRule[] = [];
  const ids = new Set<number>();
  let chained = 0;
  for (const directive of read.directives) {
    try {
      const rule = ruleOf(directive, chained > 0);
      if (ids.has(rule.id)) return none(`line ${rule.line}: id ${rule.id} is another rule's, too`);
      if (rule.id !== 0) ids.add(rule.id);
      chained = rule.chain ? chained + 1 : 0;
      if (chained >= limits.chain)
        return none(`line ${rule.line}: is in a chain of more than ${limits.chain}`);
      rules.push(rule);
    } catch (error) {
      if (error instanceof RefusedRule) return none(`line ${directive.line}: ${error.message}`);
      throw error;
    }
  }
  if (chained > 0) return none('ends within a chain');
  if (rules.length > limits.rules) return none(`has more than ${limits.rules} rules`);
  return rules.length === 0 ? none('has no rule') : { rules };
}
