/** The JSONPath of printer columns (kubernetes.io/docs/reference/kubectl/jsonpath), without scripts and slices. */

type Step =
  | { readonly kind: 'field'; readonly name: string }
  | { readonly kind: 'index'; readonly index: number }
  | { readonly kind: 'all' }
  | {
      readonly kind: 'filter';
      readonly path: readonly Step[];
      readonly operator?: '==' | '!=' | '<' | '<=' | '>' | '>=';
      readonly value?: unknown;
    };

const parsed = new Map<string, readonly Step[] | undefined>();

/** All values that the path finds, in order; none for a path that can't be understood. */
export function jsonPath(path: string, root: unknown): readonly unknown[] {
  if (!parsed.has(path)) parsed.set(path, parse(path));
  const steps = parsed.get(path);
  return steps === undefined ? [] : walk(steps, root);
}

function walk(steps: readonly Step[], root: unknown): readonly unknown[] {
  let values: readonly unknown[] = [root];
  for (const step of steps) values = values.flatMap((value) => take(step, value));
  return values;
}

function take(step: Step, value: unknown): readonly unknown[] {
  if (typeof value !== 'object' || value === null) return [];
  if (step.kind === 'field') {
    const found = Object.hasOwn(value, step.name) ? (value as Record<string, unknown>)[step.name] : undefined;
    return found === undefined || found === null ? [] : [found];
  }
  const items: readonly unknown[] = Array.isArray(value) ? value : Object.values(value);
  if (step.kind === 'all') return items;
  if (step.kind === 'index') {
    const item = items.at(step.index);
    return item === undefined ? [] : [item];
  }
  return items.filter((item) => {
    const [found] = walk(step.path, item);
    if (step.operator === undefined) return found !== undefined;
    return found !== undefined && compare(found, step.operator, step.value);
  });
}

function compare(a: unknown, operator: string, b: unknown): boolean {
  if (operator === '==') return a === b;
  if (operator === '!=') return a !== b;
  const [left, right] = [a as number, b as number];
  if (typeof a !== typeof b) return false;
  if (operator === '<') return left < right;
  if (operator === '<=') return left <= right;
  return operator === '>' ? left > right : left >= right;
}

const token =
  /\.?\[\?\(\s*(@[^)]*?)\s*\)\]|\.?\[\s*'((?:[^'\\]|\\.)*)'\s*\]|\.?\[\s*"((?:[^"\\]|\\.)*)"\s*\]|\.?\[(-?\d+)\]|\.?\[\*\]|\.\*|\.?((?:\\.|[^.[\]\\])+)/y;

function parse(path: string): readonly Step[] | undefined {
  const text = path.replace(/^\{|\}$/g, '').replace(/^\$/, '');
  const steps: Step[] = [];
  token.lastIndex = 0;
  let offset = 0;
  while (offset < text.length && text !== '.') {
    token.lastIndex = offset;
    const found = token.exec(text);
    if (found === null) return undefined;
    offset = token.lastIndex;
    const [whole, filter, single, double, index, name] = found;
    const field = single ?? double ?? name;
    if (filter !== undefined) {
      const step = parseFilter(filter);
      if (step === undefined) return undefined;
      steps.push(step);
    } else if (field !== undefined) steps.push({ kind: 'field', name: field.replace(/\\(.)/g, '$1') });
    else if (index !== undefined) steps.push({ kind: 'index', index: Number(index) });
    else if (whole.endsWith('*]') || whole.endsWith('*')) steps.push({ kind: 'all' });
  }
  return steps;
}

function parseFilter(text: string): Step | undefined {
  const found = /^@((?:\.|\[)?[^=!<>]*?)\s*(?:(==|!=|<=|>=|<|>)\s*(.+))?$/.exec(text);
  if (found === null) return undefined;
  const inner = found[1]! === '' ? [] : parse(found[1]!);
  if (inner === undefined) return undefined;
  if (found[2] === undefined) return { kind: 'filter', path: inner };
  const operator = found[2] as '==';
  const literal = found[3]!.trim();
  const quoted = /^(['"])(.*)\1$/.exec(literal);
  if (quoted !== null) return { kind: 'filter', path: inner, operator, value: quoted[2]! };
  if (literal === 'true' || literal === 'false') {
    return { kind: 'filter', path: inner, operator, value: literal === 'true' };
  }
  return Number.isNaN(Number(literal))
    ? undefined
    : { kind: 'filter', path: inner, operator, value: Number(literal) };
}
