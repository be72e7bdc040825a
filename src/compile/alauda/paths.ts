/** Which paths a Rule takes, and what becomes of them: several parts where not all of them are changed in the same way. */
import type { Condition } from '#model/alauda/types.ts';
import { regexInScript, regexProblem } from '#model/gateway/regex.ts';
import type { PathChange } from '#model/gateway/types.ts';
import { type PathForm, patternFor } from './conditions.ts';
import { literally, patternOf } from './patterns.ts';

export type PathPart = { readonly paths: readonly PathForm[]; readonly change?: PathChange };

export type PathParts = {
  readonly parts: readonly PathPart[];
  /** A sentence: what should become of paths can't be said. */
  readonly objection?: string;
};

/** `base`: an expression; what it finds first is replaced by `target`. */
export type Replacement = { readonly base: string; readonly target: string };

const everything: readonly Condition[] = [{ is: 'prefix', value: '/' }];

export function pathParts(url: readonly Condition[], replacement: Replacement | undefined): PathParts {
  const conditions = url.length === 0 ? everything : url;
  if (replacement === undefined) return { parts: [{ paths: conditions.map(formOf) }] };
  const { base } = replacement;
  const target = targetOf(replacement.target);
  const plain: PathParts = { parts: [{ paths: conditions.map(formOf) }] };
  if (target === undefined) return { ...plain, objection: 'the target has $0 or ends in $' };
  if (base === '.*') {
    if (/\$\d/.test(target) || !target.startsWith('/'))
      return { ...plain, objection: 'the target is to be a path if all of the path is replaced' };
    const change: PathChange = { type: 'ReplaceFullPath', value: target.replaceAll('$$', '$') };
    return { parts: [{ paths: conditions.map(formOf), change }] };
  }
  if (regexProblem(base) !== undefined) return { ...plain, objection: `the base ${regexProblem(base)}` };
  const parts = conditions.map((each) => replaced(each, base, target));
  const bad = parts.includes(undefined);
  if (bad) return { ...plain, objection: 'the base is to begin where the path that is matched does' };
  const all = parts.flatMap((each) => each ?? []);
  const wrong = all
    .flatMap(({ paths }) => paths)
    .find((path) => path.kind === 'regex' && regexProblem(path.value) !== undefined);
  return wrong === undefined
    ? { parts: all }
    : { ...plain, objection: 'the expressions together are too long' };
}

export function formOf(condition: Condition): PathForm {
  if (condition.is === 'exactly' && condition.value.startsWith('/'))
    return { kind: 'exact', value: condition.value };
  if (condition.is === 'prefix' && condition.value === '/') return { kind: 'all' };
  return { kind: 'regex', value: patternFor(condition) };
}

/** `${1}` is `$1`; undefined: it has what we have no word for. */
function targetOf(text: string): string | undefined {
  const target = text.replace(/\$\{(\d)\}/g, '$$$1');
  return /^(?:[^$]|\$\$|\$[1-9])*$/.test(target) ? target : undefined;
}

/** The parts for one condition, those that are changed first. */
function replaced(condition: Condition, base: string, target: string): readonly PathPart[] | undefined {
  const { branches, flags, groups } = patternOf(base);
  const [branch] = branches;
  if (branch === undefined || branches.length > 1 || flags !== '' || groups > 8) return undefined;
  const { text, begins, ends } = branch;
  const rest = ends ? '' : `$${groups + 1}`;
  const behind = ends ? '' : '(.*)';
  const changed = (pattern: string, value: string): PathPart => ({
    paths: [{ kind: 'regex', value: pattern }],
    change: { type: 'ReplaceCaptures', value },
  });
  const unchanged: PathPart = { paths: [formOf(condition)] };
  const goesOn = target.startsWith('/');
  if (condition.is === 'exactly') {
    const value = condition.value.replace(searched(base), target);
    if (value === condition.value) return [unchanged];
    return value.startsWith('/')
      ? [{ paths: [formOf(condition)], change: { type: 'ReplaceFullPath', value } }]
      : undefined;
  }
  if (condition.is === 'regex') {
    if (condition.value.replace(/^\^/, '').replace(/\$$/, '') !== text) return undefined;
    if (begins || text.startsWith('/'))
      return goesOn ? [changed(`${text}${behind}`, `${target}${rest}`)] : undefined;
    return [changed(`(.*?)${text}${behind}`, `$1${shifted(target)}${ends ? '' : `$${groups + 2}`}`)];
  }
  if (condition.is !== 'prefix' || !goesOn) return undefined;
  const prefix = condition.value;
  const fixed = /^[A-Za-z0-9_/~-]+$/.test(text);
  if (fixed && prefix.startsWith(text)) {
    // What is replaced is all within the prefix.
    const kept = prefix.slice(text.length).replaceAll('$', '$$$$');
    return [changed(`${literally(prefix)}(.*)`, `${target}${kept}$1`)];
  }
  const open = /^([A-Za-z0-9_/~-]+)\(\.\*\)$/.exec(text)?.[1];
  if (open !== undefined && prefix.startsWith(open))
    return [changed(`${literally(open)}(${literally(prefix.slice(open.length))}.*)`, target)];
  // What begins with the prefix, but not with the base, stays as it is.
  if (text.startsWith(literally(prefix)) || text.startsWith(prefix))
    return [changed(`${text}${behind}`, `${target}${rest}`), unchanged];
  return undefined;
}

/** Its groups are the next ones. */
function shifted(target: string): string {
  return target.replace(/\$(\$|\d)/g, (whole, digit: string) =>
    digit === '$' ? whole : `$${Number(digit) + 1}`,
  );
}

function searched(base: string): RegExp {
  const { source, flags } = regexInScript(base);
  return new RegExp(source.slice('^(?:'.length, -')$'.length), flags);
}
