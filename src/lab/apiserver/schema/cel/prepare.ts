/** Amends a parsed rule before it's checked, where cel-js is laxer or other than the CEL of an API server. */
import { type ASTNode, Optional } from '@marcbachmann/cel-js';
import { compileRe2 } from '../regex.ts';
import { re2Matches } from './library-strings.ts';

type Checker = {
  check(node: ASTNode, context: unknown): unknown;
  getType(name: string): unknown;
  readonly registry: { getListType(type: unknown): unknown };
};
type TypeCheck = (checker: Checker, macro: unknown, context: unknown) => unknown;
type Evaluator = {
  run(node: ASTNode, context: unknown): unknown;
  debugType(value: unknown): {
    fieldLazy(value: unknown, name: string, node: ASTNode, evaluator: Evaluator): unknown;
  };
};
type Evaluate = (evaluator: Evaluator, macro: unknown, context: unknown) => unknown;
type Internals = {
  readonly meta: { readonly macro?: { typeCheck: TypeCheck; evaluate: Evaluate } };
  setMeta(key: string, value: unknown): void;
};

export type Prepared = { readonly usesOldSelf: boolean; readonly problem?: string };

/**
 * Walks the tree in place. Regular expressions become RE2 and literal ones are compiled now; `has(a.b)` checks that the field
 * exists in the schema; the values of `format` may be of different types.
 */
export function prepare(root: ASTNode): Prepared {
  let usesOldSelf = false;
  let problem: string | undefined;
  const visit = (node: ASTNode): void => {
    if (node.op === 'id') usesOldSelf ||= node.args === 'oldSelf';
    if (node.op === 'rcall')
      problem ??= prepareMethod(node as ASTNode & { args: [string, ASTNode, ASTNode[]] });
    if (node.op === 'call' && (node.args as readonly unknown[])[0] === 'has') replaceHas(node);
    for (const each of nodesIn(node.args)) visit(each);
  };
  visit(root);
  return { usesOldSelf, ...(problem === undefined ? {} : { problem }) };
}

function prepareMethod(node: ASTNode & { args: [string, ASTNode, ASTNode[]] }): string | undefined {
  const [name, , values] = node.args;
  if (name === re2Matches) return `undeclared reference to '${re2Matches}'`;
  if (name === 'matches' && values.length === 1) node.args[0] = re2Matches;
  if (name === 'format' && values[0]?.op === 'list') mixTypes(values[0]);
  const pattern = ['matches', 'find', 'findAll'].includes(name) ? values[0] : undefined;
  if (pattern?.op !== 'value' || typeof pattern.args !== 'string') return undefined;
  const compiled = compileRe2(pattern.args);
  return 'problem' in compiled
    ? `invalid regular expression ${pattern.args}: ${compiled.problem}`
    : undefined;
}

/** cel-js takes names joined by dots alone; the field of any expression may be asked for, and must be one of its type. */
function replaceHas(node: ASTNode): void {
  const { macro } = (node as unknown as Internals).meta;
  const selection = (node.args as unknown as [string, ASTNode[]])[1][0];
  if (macro === undefined || selection?.op !== '.') return;
  const [operand, name] = selection.args as [ASTNode, string];
  macro.typeCheck = (checker, _, context) => {
    checker.check(selection, context);
    return checker.getType('bool');
  };
  macro.evaluate = (evaluator, _, context) => {
    const value = evaluator.run(operand, context);
    const found = evaluator.debugType(value).fieldLazy(value, name, selection, evaluator);
    return found instanceof Optional ? found.hasValue() : found !== undefined;
  };
}

function mixTypes(list: ASTNode): void {
  (list as unknown as Internals).setMeta('check', (checker: Checker, node: ASTNode, context: unknown) => {
    for (const each of node.args as readonly ASTNode[]) checker.check(each, context);
    return checker.registry.getListType(checker.getType('dyn'));
  });
}

function nodesIn(value: unknown): readonly ASTNode[] {
  if (Array.isArray(value)) return value.flatMap(nodesIn);
  return typeof value === 'object' && value !== null && 'op' in value ? [value as ASTNode] : [];
}
