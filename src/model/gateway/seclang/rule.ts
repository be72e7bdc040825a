/** One SecRule or SecAction ─► data: every word of it is one that is known to be harmless, or the rule is refused. */
import { parsePrefix } from '#net/prefix.ts';
import { regexProblem } from '../regex.ts';
import {
  limits,
  operators,
  refusedActions,
  scoreMacros,
  scores,
  severities,
  transformations,
  variables,
} from './allowed.ts';
import type { Directive } from './directives.ts';

/** A rule, or one of a chain; printed by print.ts. */
export type OwnRule = {
  readonly line: number;
  /** None: it always holds (SecAction). */
  readonly variables: readonly RuleVariable[];
  readonly operator?: { readonly negated: boolean; readonly name: string; readonly argument: string };
  /** 0: it is a part of a chain, and not its first. */
  readonly id: number;
  readonly phase: 1 | 2;
  /** What becomes of the request; absent: it goes on. */
  readonly status?: number;
  readonly log: boolean;
  readonly message?: string;
  readonly data?: string;
  readonly severity?: number;
  readonly tags: readonly string[];
  readonly transformations: readonly string[];
  readonly flags: readonly ('capture' | 'multiMatch')[];
  readonly variablesSet: readonly VariableSet[];
  /** The next is part of it. */
  readonly chain: boolean;
};

export type RuleVariable = {
  readonly form: 'value' | 'count' | 'except';
  readonly name: string;
  readonly part?: string;
};

export type VariableSet =
  | { readonly kind: 'score'; readonly name: string; readonly add: number }
  | { readonly kind: 'own'; readonly name: string; readonly value: string; readonly add: boolean };

/** Said of what can't be let through. */
export class RefusedRule extends Error {}

export function ruleOf({ line, name, words }: Directive, inChain: boolean): OwnRule {
  if (name === 'SecAction') {
    if (words.length !== 1 || inChain) refuse('SecAction has one word, and is in no chain');
    return { line, variables: [], ...actionsOf(words[0] ?? '', inChain) };
  }
  if (name !== 'SecRule') refuse(`${show(name)} may not be used: only SecRule and SecAction`);
  const [subject = '', operator = '', actions = ''] = words;
  if (words.length < 2 || words.length > 3) refuse('SecRule has variables, an operator and actions');
  return {
    line,
    variables: subject.split('|').map(variableOf),
    operator: operatorOf(operator),
    ...actionsOf(actions, inChain),
  };
}

/** What ModSecurity would take for more than a name. */
const partForm = /^[A-Za-z0-9_.[\]-]{1,128}$/;

function variableOf(text: string): RuleVariable {
  const [, sign, name = '', part] = /^([&!]?)([A-Za-z_]+)(?::(.*))?$/.exec(text) ?? [];
  const upper = name.toUpperCase();
  if (upper === 'XML' && (part === '/*' || part === '//@*') && sign === '')
    return { form: 'value', name: upper, part };
  if (!Object.hasOwn(variables, upper)) refuse(`variable ${show(text)} may not be used`);
  if (part !== undefined && (variables[upper] === 'plain' || !partForm.test(part)))
    refuse(`variable ${show(text)}: ${show(part)} can’t be named`);
  if (upper === 'TX' && (part === undefined || !/^([0-9]|[a-z][a-z0-9_]{0,40})$/.test(part.toLowerCase())))
    refuse(`variable ${show(text)} has no name of its own`);
  const form = sign === '&' ? 'count' : sign === '!' ? 'except' : 'value';
  return {
    form,
    name: upper,
    ...(part === undefined ? {} : { part: upper === 'TX' ? part.toLowerCase() : part }),
  };
}

function operatorOf(text: string): NonNullable<OwnRule['operator']> {
  const [, sign, called, rest] = /^(!?)\s*(?:@([A-Za-z0-9]+)(?:\s+|$))?(.*)$/s.exec(text) ?? [];
  const found = operators[(called ?? 'rx').toLowerCase()];
  if (found === undefined) refuse(`operator @${called} may not be used`);
  const argument = (rest ?? '').trim();
  if (argument.includes('%{')) refuse(`@${found.name}: %{…} may not be used`);
  const problem = argumentProblem(found.argument, argument);
  if (problem !== undefined) refuse(`@${found.name}: ${show(argument)} ${problem}`);
  return { negated: sign === '!', name: found.name, argument };
}

function argumentProblem(kind: string, text: string): string | undefined {
  if (kind === 'regex') return regexProblem(text);
  if (kind === 'none') return text === '' ? undefined : 'is nothing that it takes';
  if (kind === 'number') return /^\d{1,9}$/.test(text) ? undefined : 'is no number';
  if (kind === 'bytes') return /^[\d, -]{1,200}$/.test(text) ? undefined : 'are no bytes';
  if (kind === 'addresses')
    return text.split(',').every((each) => isAddress(each.trim())) ? undefined : 'are no addresses';
  return text !== '' && text.length <= limits.text && !/["'\\]/.test(text)
    ? undefined
    : 'is empty, too long, or has quotes or backslashes';
}

function isAddress(text: string): boolean {
  return parsePrefix(text.includes('/') ? text : `${text}/${text.includes(':') ? 128 : 32}`) !== undefined;
}

function actionsOf(text: string, inChain: boolean): Omit<OwnRule, 'line' | 'variables' | 'operator'> {
  const found = {
    id: 0,
    phase: 2 as 1 | 2,
    status: undefined as number | undefined,
    disruptive: undefined as 'deny' | 'pass' | undefined,
    log: true,
    texts: {} as { message?: string; data?: string },
    severity: undefined as number | undefined,
    tags: [] as string[],
    transformations: [] as string[],
    flags: new Set<'capture' | 'multiMatch'>(),
    sets: [] as VariableSet[],
    chain: false,
  };
  for (const part of partsOf(text)) {
    const colon = part.indexOf(':');
    const name = (colon < 0 ? part : part.slice(0, colon)).trim().toLowerCase();
    const value = colon < 0 ? '' : unquoted(part.slice(colon + 1).trim());
    switch (name) {
      case 'id':
        if (!/^\d{1,6}$/.test(value) || Number(value) < limits.ids.first || Number(value) > limits.ids.last)
          refuse(`id ${show(value)} is none from ${limits.ids.first} to ${limits.ids.last}`);
        found.id = Number(value);
        break;
      case 'phase':
        if (value !== '1' && value !== '2' && value !== 'request')
          refuse(`phase ${show(value)} is none of a request (1 or 2)`);
        found.phase = value === '1' ? 1 : 2;
        break;
      case 'deny':
      case 'block':
      case 'drop':
        found.disruptive = 'deny';
        break;
      case 'pass':
        found.disruptive = 'pass';
        break;
      case 'status':
        if (!/^[45]\d\d$/.test(value)) refuse(`status ${show(value)} is none from 400 to 599`);
        found.status = Number(value);
        break;
      case 'log':
      case 'auditlog':
        break;
      case 'nolog':
      case 'noauditlog':
        found.log = false;
        break;
      case 'msg':
        found.texts.message = textOf(name, value);
        break;
      case 'logdata':
        found.texts.data = textOf(name, value);
        break;
      case 'severity':
        found.severity =
          severities[value.toUpperCase()] ?? (/^[0-7]$/.test(value) ? Number(value) : undefined);
        if (found.severity === undefined) refuse(`severity ${show(value)} is none`);
        break;
      case 'tag':
        if (!/^[A-Za-z0-9_./:-]{1,64}$/.test(value))
          refuse(`tag ${show(value)} has other characters than names have`);
        found.tags.push(value);
        break;
      case 'ver':
      case 'rev':
      case 'maturity':
      case 'accuracy':
        break;
      case 't': {
        const known = transformations.find((each) => each.toLowerCase() === value.toLowerCase());
        if (known === undefined) refuse(`t:${value} may not be used`);
        found.transformations.push(known);
        break;
      }
      case 'capture':
        found.flags.add('capture');
        break;
      case 'multimatch':
        found.flags.add('multiMatch');
        break;
      case 'setvar':
        found.sets.push(variableSetOf(value));
        break;
      case 'chain':
        found.chain = true;
        break;
      default: {
        const instead = refusedActions[name];
        refuse(`action ${show(name)} may not be used${instead === undefined ? '' : `; use ${instead}`}`);
      }
    }
  }
  if (inChain ? found.id !== 0 : found.id === 0)
    refuse(inChain ? 'a rule in a chain has no id of its own' : 'it has no id');
  if (inChain && found.disruptive !== undefined)
    refuse('what becomes of the request stands in the first rule of a chain');
  if (found.phase === 1 && found.sets.some(({ kind }) => kind === 'score'))
    refuse('scores are counted from phase 2 on');
  const { texts, status, disruptive, severity, sets, flags, ...rest } = found;
  return {
    ...rest,
    ...texts,
    ...(disruptive === 'deny' ? { status: status ?? 403 } : {}),
    ...(severity === undefined ? {} : { severity }),
    flags: [...flags],
    variablesSet: sets,
  };
}

/** Parted by commas that stand outside of single quotes. */
function partsOf(text: string): readonly string[] {
  const parts = [''];
  let quoted = false;
  for (const char of text) {
    if (char === "'") quoted = !quoted;
    if (char === ',' && !quoted) parts.push('');
    else parts.push(`${parts.pop() ?? ''}${char}`);
  }
  if (quoted) refuse('has a quote among its actions that isn’t closed');
  return parts.map((part) => part.trim()).filter((part) => part !== '');
}

function unquoted(text: string): string {
  return text.length >= 2 && text.startsWith("'") && text.endsWith("'") ? text.slice(1, -1) : text;
}

/** What may be told of a match; all else that is written `%{…}` could be a secret of ours or somebody else's. */
const macros = /%\{(?:MATCHED_VAR|MATCHED_VAR_NAME|TX\.[0-9])\}/gi;

function textOf(name: string, value: string): string {
  const rest = value.replaceAll(macros, '');
  if (value === '' || value.length > limits.text || /["'\\]/.test(rest) || rest.includes('%{'))
    refuse(`${name} is empty, too long, or has quotes, backslashes or %{…} of other things than the match`);
  if (name === 'msg' && rest !== value) refuse('msg has no %{…}: logdata may');
  return value;
}

function variableSetOf(text: string): VariableSet {
  const [, name = '', sign = '', value = ''] =
    /^tx\.([A-Za-z][A-Za-z0-9_]{0,40})=(\+?)(.*)$/i.exec(text) ?? [];
  const lower = name.toLowerCase();
  if (name === '') refuse(`setvar ${show(text)} sets no variable of tx`);
  if (scores.includes(lower)) {
    const add = scoreMacros[value.toLowerCase()] ?? (/^\d{1,3}$/.test(value) ? Number(value) : undefined);
    if (sign !== '+' || add === undefined) refuse(`setvar ${show(text)}: scores may only be raised`);
    return { kind: 'score', name: lower, add };
  }
  if (!/^[A-Za-z0-9_.-]{1,64}$/.test(value))
    refuse(`setvar ${show(text)} has another value than a word or number`);
  if (sign === '+' && !/^\d{1,6}$/.test(value)) refuse(`setvar ${show(text)} adds no number`);
  return { kind: 'own', name: lower, value, add: sign === '+' };
}

function refuse(message: string): never {
  throw new RefusedRule(message);
}

function show(text: string): string {
  return JSON.stringify(text.length <= 60 ? text : `${text.slice(0, 60)}…`);
}
