/** Paths and what becomes of them, where Gateway API has words: prefixes that are replaced instead of groups that are captured. */
import { patternOf } from '#compile/alauda/patterns.ts';
import { regexProblem } from '#model/gateway/regex.ts';
import type { HTTPMatchModel, PathChange } from '#model/gateway/types.ts';

type Path = HTTPMatchModel['path'];

/** As Gateway API has it: of a loose expression case and the rest of the path are written out. */
export function pathOf({ type, value, loose }: Path): { readonly type: string; readonly value: string } {
  if (type !== 'RegularExpression' || loose !== true) return { type, value };
  const { branches, flags } = patternOf(value);
  const parts = branches.map(({ text, ends }) => `${text}${ends ? '' : '.*'}`);
  const whole = parts.length === 1 ? (parts[0] ?? '') : `(?:${parts.join('|')})`;
  return { type, value: `(?${[...new Set(`i${flags}`)].join('')})${whole}` };
}

/** A path whose groups are `prefix` and what is behind it, and the change, both by prefix; undefined: they are more than that. */
export function asPrefix(
  path: Path,
  change: PathChange,
): { readonly prefix: string; readonly replacement: string; readonly isWhole: boolean } | undefined {
  if (change.type !== 'ReplaceCaptures' || path.type !== 'RegularExpression') return undefined;
  for (const { form, group } of forms) {
    const [, written] = form.exec(path.value) ?? [];
    if (written === undefined) continue;
    const prefix = written.replaceAll(/\\([^A-Za-z0-9])/g, '$1');
    const [, target] = new RegExp(`^(/[^$]*)\\$${group}$`).exec(change.value.replaceAll('$$', '\0')) ?? [];
    if (target === undefined) continue;
    const replacement = target.replaceAll('\0', '$').replace(/(?<=.)\/$/, '');
    // `/a(.*)` takes `/ab`, which no prefix does.
    return { prefix: prefix === '' ? '/' : prefix, replacement, isWhole: form !== loosely };
  }
  return undefined;
}

const text = String.raw`((?:/(?:[A-Za-z0-9_~-]|\\[^A-Za-z0-9])+)*)`;
const loosely = new RegExp(`^\\^?${text}\\(\\.\\*\\)\\$?$`);
const forms = [
  { form: new RegExp(`^\\^?${text}\\(/\\|\\$\\)\\(\\.\\*\\)\\$?$`), group: 2 },
  { form: new RegExp(`^\\^?${text}/\\(\\.\\*\\)\\$?$`), group: 1 },
  { form: new RegExp(`^\\^?${text}/\\?\\(\\.\\*\\)\\$?$`), group: 1 },
  { form: loosely, group: 1 },
] as const;

/** Sentences about a path that Gateway API's schema doesn't take. */
export function pathProblem({
  type,
  value,
}: {
  readonly type: string;
  readonly value: string;
}): string | undefined {
  if (type === 'RegularExpression') return regexProblem(value);
  if (
    ['//', '/./', '/../', '%2f', '%2F', '#'].some((each) => value.includes(each)) ||
    /\/\.{1,2}$/.test(value)
  )
    return 'is no path that Gateway API takes';
  return undefined;
}
