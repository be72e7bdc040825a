/** Macros that cel-js lacks: comprehensions over index and value, and optMap, optFlatMap of optionals. */
import { type ASTNode, type Environment, Optional } from '@marcbachmann/cel-js';
import { fail } from './functions.ts';

/** What cel-js gives a macro to work with; its published types leave it out. */
type Type = { readonly kind: string; readonly valueType?: Type; readonly keyType?: Type };
type Context = {
  forkWithVariable(name: string, type: Type): Context;
  reuse(parent: Context): Context;
  setIterValue(value: unknown, evaluator: Evaluator): Context;
};
type Checker = {
  check(node: ASTNode, context: Context): Type;
  getType(name: string): Type;
  readonly registry: {
    getListType(type: Type): Type;
    getMapType(key: Type, value: Type): Type;
    getOptionalType(type: Type): Type;
  };
  createError(code: string, message: string, node: ASTNode): Error;
};
type Evaluator = { run(node: ASTNode, context: Context): unknown };
type Call = { readonly args: readonly ASTNode[]; readonly receiver: ASTNode };

/** Registers all, exists, existsOne, transformList and transformMap with two variables, optMap and optFlatMap. */
export function addComprehensions(environment: Environment): void {
  const quantifier = (test: (results: readonly unknown[]) => boolean) => (call: Call) =>
    overEntries(
      call,
      (checker) => checker.getType('bool'),
      (entries) => test(entries.map(([, result]) => result)),
    );
  for (const receiver of ['list', 'map']) {
    macro(
      environment,
      `${receiver}.all(ast, ast, ast): bool`,
      quantifier((results) => results.every((each) => each === true)),
    );
    macro(
      environment,
      `${receiver}.exists(ast, ast, ast): bool`,
      quantifier((results) => results.includes(true)),
    );
    macro(
      environment,
      `${receiver}.existsOne(ast, ast, ast): bool`,
      quantifier((results) => results.filter((each) => each === true).length === 1),
    );
    macro(environment, `${receiver}.transformList(ast, ast, ast): list<dyn>`, (call) =>
      overEntries(
        call,
        (checker, type) => checker.registry.getListType(type),
        (entries) => entries.map(([, result]) => result),
      ),
    );
    macro(environment, `${receiver}.transformMap(ast, ast, ast): map<dyn, dyn>`, (call) =>
      overEntries(
        call,
        (checker, type, key) => checker.registry.getMapType(key, type),
        (entries) => new Map(entries),
      ),
    );
  }
  macro(environment, 'optional.optMap(ast, ast): optional<dyn>', (call) => overOptional(call, false));
  macro(environment, 'optional.optFlatMap(ast, ast): optional<dyn>', (call) => overOptional(call, true));
}

function macro(environment: Environment, signature: string, expand: (call: Call) => object): void {
  environment.registerFunction(signature, expand as (...values: unknown[]) => unknown, { async: false });
}

function nameOf(node: ASTNode): string {
  return node.op === 'id' ? (node.args as string) : fail('argument must be a simple name');
}

function overEntries(
  { args, receiver }: Call,
  typeOf: (checker: Checker, result: Type, key: Type) => Type,
  finish: (entries: readonly (readonly [unknown, unknown])[]) => unknown,
): object {
  const [first, second, body] = args as [ASTNode, ASTNode, ASTNode];
  let outer: Context | undefined;
  let inner: Context | undefined;
  return {
    async: false,
    typeCheck(checker: Checker, _: unknown, context: Context): Type {
      const type = checker.check(receiver, context);
      const dyn = checker.getType('dyn');
      const key = type.kind === 'list' ? checker.getType('int') : type.kind === 'map' ? type.keyType! : dyn;
      outer = context.forkWithVariable(nameOf(first), key);
      inner = outer.forkWithVariable(nameOf(second), type.kind === 'dyn' ? dyn : type.valueType!);
      return typeOf(checker, checker.check(body, inner), key);
    },
    evaluate(evaluator: Evaluator, _: unknown, context: Context): unknown {
      const entries = entriesOf(evaluator.run(receiver, context));
      const results = entries.map(([key, value]) => {
        const around = outer!.reuse(context).setIterValue(key, evaluator);
        return [key, evaluator.run(body, inner!.reuse(around).setIterValue(value, evaluator))] as const;
      });
      return finish(results);
    },
  };
}

function entriesOf(value: unknown): readonly (readonly [unknown, unknown])[] {
  if (Array.isArray(value)) return value.map((each, i) => [BigInt(i), each]);
  if (value instanceof Map) return [...value];
  if (typeof value === 'object' && value !== null) return Object.entries(value);
  return fail('comprehension over a value that is neither list nor map');
}

function overOptional({ args, receiver }: Call, flat: boolean): object {
  const [variable, body] = args as [ASTNode, ASTNode];
  let inner: Context | undefined;
  return {
    async: false,
    typeCheck(checker: Checker, _: unknown, context: Context): Type {
      const type = checker.check(receiver, context);
      inner = context.forkWithVariable(nameOf(variable), type.valueType ?? checker.getType('dyn'));
      const result = checker.check(body, inner);
      if (!flat) return checker.registry.getOptionalType(result);
      if (result.kind === 'optional' || result.kind === 'dyn') return result;
      throw checker.createError(
        'optional_expected',
        'optFlatMap() needs an expression that gives an optional',
        body,
      );
    },
    evaluate(evaluator: Evaluator, _: unknown, context: Context): unknown {
      const optional = evaluator.run(receiver, context);
      if (!(optional instanceof Optional)) return fail('optMap() called on a value that is not optional');
      if (!optional.hasValue()) return Optional.none();
      const result = evaluator.run(body, inner!.reuse(context).setIterValue(optional.value(), evaluator));
      return flat ? result : Optional.of(result);
    },
  };
}
