/** What is asked of the firewall's words, in Node and in LuaJIT. */
import type { GatewayFirewall } from '../../src/intent/gateway-policy.ts';
import { findingOf, firewallDirectives, type KnownRule, knownRules } from './firewall.ts';

export type FirewallQuestions = {
  readonly firewall: { readonly firewall: GatewayFirewall; readonly known: readonly KnownRule[] };
  readonly known: { readonly text: string };
  readonly finding: { readonly line: string; readonly server: string };
};

export function directives({ firewall, known }: FirewallQuestions['firewall']): string {
  const said = firewallDirectives(firewall, known);
  return said === undefined ? '-' : said;
}

/** `id tag,tag` of each rule. */
export function known({ text }: FirewallQuestions['known']): string {
  const said: string[] = [];
  for (const { id, tags } of knownRules(text)) said.push(`${id} ${tags.join(',')}`);
  return said.join('; ');
}

export function finding({ line, server }: FirewallQuestions['finding']): string {
  const found = findingOf(line, server);
  if (found === undefined) return '-';
  return `${found.id} ${found.severity} ${found.tags === undefined ? '' : found.tags.join(',')} ${found.message} ${found.matched}`;
}
