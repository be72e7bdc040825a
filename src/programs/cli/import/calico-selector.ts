/** Calico's selector expressions as label selectors. */
import type { LabelSelector } from '#api/object.ts';

type Requirement = { readonly key: string; readonly operator: string; readonly values?: readonly string[] };

/**
 * `a == 'x' && has(b) && c in {'y', 'z'}` and the like: terms that all must hold. `undefined` for what label selectors can't say
 * (`||`, parentheses, `starts with`, `contains`, `global()`). https://docs.tigera.io/calico/latest/reference/resources/networkpolicy#selectors
 */
export function parseCalicoSelector(text: string): LabelSelector | undefined {
  const terms = text.split('&&').map((term) => term.trim());
  if (terms.length === 1 && terms[0] === 'all()') return {};
  const requirements: Requirement[] = [];
  for (const term of terms) {
    const requirement = parseTerm(term);
    if (requirement === undefined) return undefined;
    requirements.push(requirement);
  }
  const equal = requirements.filter(({ operator }) => operator === '==');
  const others = requirements.filter(({ operator }) => operator !== '==');
  // One label can't be two things: two requirements on it would become one.
  if (new Set(equal.map(({ key }) => key)).size < equal.length) return undefined;
  return {
    ...(equal.length === 0
      ? {}
      : { matchLabels: Object.fromEntries(equal.map(({ key, values }) => [key, values?.[0] ?? ''])) }),
    ...(others.length === 0 ? {} : { matchExpressions: others }),
  } as LabelSelector;
}

const key = '([A-Za-z0-9][A-Za-z0-9_.\\-/]*)';
const quoted = `(?:'[^'"|&]*'|"[^'"|&]*")`;
const forms: readonly (readonly [RegExp, (parts: readonly string[]) => Requirement])[] = [
  [
    new RegExp(`^${key}\\s*==\\s*(${quoted})$`),
    ([label = '', value = '']) => ({ key: label, operator: '==', values: [value.slice(1, -1)] }),
  ],
  [
    // Without the label it holds, too: as NotIn does.
    new RegExp(`^${key}\\s*!=\\s*(${quoted})$`),
    ([label = '', value = '']) => ({ key: label, operator: 'NotIn', values: [value.slice(1, -1)] }),
  ],
  [new RegExp(`^has\\(\\s*${key}\\s*\\)$`), ([label = '']) => ({ key: label, operator: 'Exists' })],
  [
    new RegExp(`^!\\s*has\\(\\s*${key}\\s*\\)$`),
    ([label = '']) => ({ key: label, operator: 'DoesNotExist' }),
  ],
  [
    new RegExp(`^${key}\\s+(in|not in)\\s*\\{\\s*(${quoted}(?:\\s*,\\s*${quoted})*)\\s*\\}$`),
    ([label = '', word = '', list = '']) => ({
      key: label,
      operator: word === 'in' ? 'In' : 'NotIn',
      values: [...list.matchAll(new RegExp(quoted, 'g'))].map(([value]) => value.slice(1, -1)),
    }),
  ],
];

function parseTerm(term: string): Requirement | undefined {
  for (const [form, make] of forms) {
    const match = form.exec(term);
    if (match !== null) return make(match.slice(1));
  }
  return undefined;
}
