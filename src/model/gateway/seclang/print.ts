/** Own rules as ModSecurity reads them. Nothing of a tenant's text is copied: all is printed from what was understood of it. */
import { sha256 } from '#net/sha256.ts';
import type { OwnRule, RuleVariable, VariableSet } from './rule.ts';

/** `scope`: whose they are; variables of one are never another's, though one request may have rules of both. */
export function printRules(rules: readonly OwnRule[], scope: string): string {
  const prefix = `own_${sha256(scope).slice(0, 12)}_`;
  return rules.map((rule) => `${printRule(rule, prefix)}\n`).join('');
}

function printRule(rule: OwnRule, prefix: string): string {
  const actions = `"${actionsOf(rule, prefix).join(',')}"`;
  if (rule.operator === undefined) return `SecAction ${actions}`;
  const { negated, name, argument } = rule.operator;
  const subject = rule.variables.map((variable) => printVariable(variable, prefix)).join('|');
  // A quote would end the word; in a pattern its number is the same, and nothing else has one.
  const said =
    argument === ''
      ? ''
      : ` ${argument.replaceAll(/\\.|"/g, (part) => (part.endsWith('"') ? '\\x22' : part))}`;
  return `SecRule ${subject} "${negated ? '!' : ''}@${name}${said}" ${actions}`;
}

function printVariable({ form, name, part }: RuleVariable, prefix: string): string {
  const sign = form === 'count' ? '&' : form === 'except' ? '!' : '';
  if (part === undefined) return `${sign}${name}`;
  return `${sign}${name}:${name === 'TX' && !/^\d$/.test(part) ? `${prefix}${part}` : part}`;
}

/** Of syslog (RFC 5424 §6.2.1). */
const notice = 5;

function actionsOf(rule: OwnRule, prefix: string): readonly string[] {
  const first = rule.id !== 0;
  // Unsaid it would be told as 0, an emergency.
  const severity = rule.severity ?? (first && rule.log ? notice : undefined);
  return [
    ...(first ? [`id:${rule.id}`, `phase:${rule.phase}`] : []),
    ...(first ? (rule.status === undefined ? ['pass'] : ['deny', `status:${rule.status}`]) : []),
    ...(first ? (rule.log ? ['log', 'auditlog'] : ['nolog']) : []),
    ...(rule.message === undefined ? [] : [`msg:'${rule.message}'`]),
    ...(rule.data === undefined ? [] : [`logdata:'${rule.data}'`]),
    ...(severity === undefined ? [] : [`severity:${severity}`]),
    ...rule.tags.map((tag) => `tag:'${tag}'`),
    ...rule.transformations.map((each) => `t:${each}`),
    ...rule.flags,
    ...rule.variablesSet.map((each) => `setvar:'${printSet(each, prefix)}'`),
    ...(rule.chain ? ['chain'] : []),
  ];
}

function printSet(set: VariableSet, prefix: string): string {
  if (set.kind === 'score') return `tx.${set.name}=+${set.add}`;
  return `tx.${prefix}${set.name}=${set.add ? '+' : ''}${set.value}`;
}
