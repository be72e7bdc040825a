/** JSON Patch (RFC 6902) on plain JSON values. */
import { copy, equal, isObject, put } from '../schema/plain.ts';

export type Patched<T = unknown> = { readonly value: T; readonly problems: readonly string[] };

const limit = 10_000;

/**
 * Applies the operations in order, all or none: on the first that fails, `value` is the unchanged input and `problems` says
 * which operation failed and why. Paths are JSON Pointers (RFC 6901). Members of prototypes are never seen nor set.
 */
export function applyJsonPatch<T>(object: T, ops: unknown): Patched<T> {
  if (!Array.isArray(ops))
    return { value: object, problems: ['a JSON patch must be an array of operations'] };
  if (ops.length > limit) {
    return {
      value: object,
      problems: [`The allowed maximum operations in a JSON patch is ${limit}, got ${ops.length}`],
    };
  }
  const box: Box = { root: copy(object) };
  for (const [i, op] of ops.entries()) {
    const problem = applyOne(box, op);
    if (problem !== undefined) return { value: object, problems: [`operation ${i}: ${problem}`] };
  }
  return { value: box.root as T, problems: [] };
}

type Box = { root: unknown };
type Found = { readonly value: unknown } | { readonly problem: string };

function applyOne(box: Box, op: unknown): string | undefined {
  if (!isObject(op)) return 'must be an object';
  const path = pointer(op.path);
  if (path === undefined) return `path ${JSON.stringify(op.path)} is not a JSON pointer`;
  const from = pointer(op.from);
  switch (op.op) {
    case 'add':
    case 'replace':
    case 'test':
      if (!Object.hasOwn(op, 'value')) return `${op.op} needs a value`;
      break;
    case 'move':
    case 'copy':
      if (from === undefined) return `${op.op} needs from, a JSON pointer`;
      break;
    case 'remove':
      break;
    default:
      return `unknown operation ${JSON.stringify(op.op)}`;
  }
  if (op.op === 'add') return add(box, path, copy(op.value));
  if (op.op === 'remove') return remove(box, path);
  if (op.op === 'copy' || op.op === 'move') return carry(box, from!, path, op.op === 'move');
  const found = find(box.root, path);
  if ('problem' in found) return found.problem;
  if (op.op === 'replace')
    return path.length === 0 ? add(box, path, copy(op.value)) : overwrite(box, path, copy(op.value));
  return equal(found.value, op.value)
    ? undefined
    : `test failed: ${JSON.stringify(op.path)} is not ${JSON.stringify(op.value)}`;
}

function carry(
  box: Box,
  from: readonly string[],
  path: readonly string[],
  moves: boolean,
): string | undefined {
  const found = find(box.root, from);
  if ('problem' in found) return found.problem;
  if (!moves) return add(box, path, copy(found.value));
  const same = from.length === path.length && from.every((each, i) => each === path[i]);
  if (same) return undefined;
  if (path.length > from.length && from.every((each, i) => each === path[i]))
    return 'cannot move a value into itself';
  return remove(box, from) ?? add(box, path, found.value);
}

/** RFC 6901: '' is the whole document; `~1` is `/`, `~0` is `~`. */
function pointer(text: unknown): readonly string[] | undefined {
  if (typeof text !== 'string' || /~(?![01])/.test(text)) return undefined;
  if (text === '') return [];
  if (!text.startsWith('/')) return undefined;
  return text
    .slice(1)
    .split('/')
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
}

function find(root: unknown, path: readonly string[]): Found {
  let value = root;
  for (const [depth, part] of path.entries()) {
    const missing = { problem: `/${path.slice(0, depth + 1).join('/')} does not exist` };
    if (Array.isArray(value)) {
      const index = arrayIndex(part, value.length - 1);
      if (index === undefined) return missing;
      value = value[index];
    } else if (isObject(value) && Object.hasOwn(value, part)) value = value[part];
    else return missing;
  }
  return { value };
}

function arrayIndex(part: string, last: number): number | undefined {
  if (!/^(?:0|[1-9]\d*)$/.test(part)) return undefined;
  const index = Number(part);
  return index <= last ? index : undefined;
}

function add(box: Box, path: readonly string[], value: unknown): string | undefined {
  if (path.length === 0) {
    box.root = value;
    return undefined;
  }
  const parent = find(box.root, path.slice(0, -1));
  if ('problem' in parent) return parent.problem;
  const key = path.at(-1)!;
  if (Array.isArray(parent.value)) {
    const index = key === '-' ? parent.value.length : arrayIndex(key, parent.value.length);
    if (index === undefined) return `/${path.join('/')}: no such index`;
    parent.value.splice(index, 0, value);
  } else if (isObject(parent.value)) put(parent.value as Record<string, unknown>, key, value);
  else return `/${path.join('/')}: its parent is neither an object nor an array`;
  return undefined;
}

function overwrite(box: Box, path: readonly string[], value: unknown): string | undefined {
  const parent = (find(box.root, path.slice(0, -1)) as { value: unknown }).value;
  if (Array.isArray(parent)) parent[Number(path.at(-1))] = value;
  else put(parent as Record<string, unknown>, path.at(-1)!, value);
  return undefined;
}

function remove(box: Box, path: readonly string[]): string | undefined {
  if (path.length === 0) return 'the whole document cannot be removed';
  const found = find(box.root, path);
  if ('problem' in found) return found.problem;
  const parent = (find(box.root, path.slice(0, -1)) as { value: unknown }).value;
  if (Array.isArray(parent)) parent.splice(Number(path.at(-1)), 1);
  else delete (parent as Record<string, unknown>)[path.at(-1)!];
  return undefined;
}
