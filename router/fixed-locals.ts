/**
 * Makes what the compiler writes quicker to run. LuaJIT takes a local of a module for a constant if it is assigned once, where it is declared;
 * the compiler declares all that is used further up at the top of the module and assigns it later, so each call of a function and each use of a
 * number is looked up and compared anew. Here what a module defines comes before who uses it, and functions of Lua's own libraries get a name.
 */
import type {
  Expression,
  File,
  FunctionExpression,
  Identifier,
  Node,
  Plugin,
  Statement,
  TableIndexExpression,
} from 'typescript-to-lua';

type Compiler = {
  readonly ts: typeof import('typescript');
  readonly lua: typeof import('typescript-to-lua');
};

/** A plugin of typescript-to-lua. */
export function fixedLocals({ ts, lua }: Compiler): Plugin {
  return {
    visitors: {
      [ts.SyntaxKind.SourceFile]: (node, context) => {
        const file = context.superTransformNode(node)[0] as File;
        file.statements = named(lua, ordered(lua, file.statements));
        return file;
      },
    },
  };
}

type Lua = Compiler['lua'];

type Part = {
  readonly statement: Statement;
  /** Locals, and `____exports.name`, that it gives a value. */
  readonly defines: readonly string[];
  readonly uses: ReadonlySet<string>;
  /** Runs when the module is loaded; else it is a function's definition. */
  readonly runs: boolean;
};

/** As they are where an order can't be had: what runs when the module is loaded needs a function that needs what comes later. */
function ordered(lua: Lua, statements: readonly Statement[]): Statement[] {
  const declared = new Set<string>();
  const parts: Part[] = [];
  let last: Statement | undefined;
  for (const statement of statements) {
    if (lua.isVariableDeclarationStatement(statement) && statement.right === undefined)
      for (const { text } of statement.left) declared.add(text);
    else if (lua.isReturnStatement(statement)) last = statement;
    else parts.push(partOf(lua, statement));
  }
  const byName = new Map(parts.flatMap((part) => part.defines.map((name) => [name, part] as const)));
  const { order, early } = sort(parts, byName);
  if (!isSound(order, parts, byName)) return [...statements];
  const defined = new Set<string>();
  const body = order.map(({ statement, defines }) => {
    const isFirst =
      defines.length > 0 &&
      defines.every((name) => declared.has(name) && !early.has(name) && !defined.has(name));
    for (const name of defines) defined.add(name);
    return isFirst ? declaration(lua, statement) : statement;
  });
  // Of functions that call each other one is declared first; of what is given a value only later, all.
  const ahead = [...declared].filter((name) => early.has(name) || !defined.has(name));
  const names = ahead.map((name) => lua.createIdentifier(name));
  const head = names.length === 0 ? [] : [lua.createVariableDeclarationStatement(names)];
  return [...head, ...body, ...(last === undefined ? [] : [last])];
}

function partOf(lua: Lua, statement: Statement): Part {
  const isDeclared = lua.isVariableDeclarationStatement(statement);
  const isAssigned = lua.isAssignmentStatement(statement);
  const left = isDeclared || isAssigned ? statement.left : [];
  const right = isDeclared || isAssigned ? (statement.right ?? []) : [];
  const defines = left.flatMap((each) => nameOf(lua, each) ?? []);
  const uses = new Set<string>();
  const use = (node: Node): void => {
    const name = nameOf(lua, node);
    if (name !== undefined) uses.add(name);
  };
  walk(statement, use);
  for (const name of defines) uses.delete(name);
  const isFunction = right.length === 1 && lua.isFunctionExpression(right[0]!);
  return { statement, defines, uses, runs: !isFunction };
}

function nameOf(lua: Lua, node: Node): string | undefined {
  if (lua.isIdentifier(node)) return node.text;
  return isField(lua, node) && node.table.text === '____exports'
    ? `____exports.${node.index.value}`
    : undefined;
}

type Field = TableIndexExpression & {
  readonly table: Identifier;
  readonly index: Expression & { readonly value: string };
};

function isField(lua: Lua, node: Node): node is Field {
  return lua.isTableIndexExpression(node) && lua.isIdentifier(node.table) && lua.isStringLiteral(node.index);
}

/** What runs keeps its order; a function comes where it is needed first. `early`: names that are needed before they can be defined. */
function sort(
  parts: readonly Part[],
  byName: ReadonlyMap<string, Part>,
): { readonly order: readonly Part[]; readonly early: ReadonlySet<string> } {
  const order: Part[] = [];
  const early = new Set<string>();
  const begun = new Set<Part>();
  const done = new Set<Part>();
  const running = parts.filter(({ runs }) => runs);
  const take = (part: Part): void => {
    if (begun.has(part)) return;
    begun.add(part);
    if (part.runs) for (const before of running.slice(0, running.indexOf(part))) take(before);
    for (const name of part.uses) {
      const used = byName.get(name);
      if (used === undefined) continue;
      take(used);
      if (!done.has(used)) early.add(name);
    }
    done.add(part);
    order.push(part);
  };
  for (const part of parts) take(part);
  return { order, early };
}

/** Whether what runs when the module is loaded does so in its old order, and each function that it may call is there by then. */
function isSound(order: readonly Part[], parts: readonly Part[], byName: ReadonlyMap<string, Part>): boolean {
  const running = parts.filter(({ runs }) => runs);
  if (order.filter(({ runs }) => runs).some((part, at) => part !== running[at])) return false;
  const there = new Set<Part>();
  const isThere = (part: Part, seen: Set<Part>): boolean =>
    [...part.uses].every((name) => {
      const used = byName.get(name);
      if (used === undefined || used === part || used.runs || seen.has(used)) return true;
      seen.add(used);
      return there.has(used) && isThere(used, seen);
    });
  for (const part of order) {
    if (part.runs && !isThere(part, new Set())) return false;
    there.add(part);
  }
  return true;
}

function declaration(lua: Lua, statement: Statement): Statement {
  if (!lua.isAssignmentStatement(statement)) return statement;
  const { left, right } = statement;
  const made = lua.createVariableDeclarationStatement(left as Identifier[], right as FunctionExpression[]);
  return lua.setNodePosition(made, lua.getOriginalPos(statement));
}

/** Of Lua itself, and of LuaJIT where a module asks for them. */
const libraries = new Set(['string', 'math', 'table', 'bit', 'ffi']);
/** Is no function. */
const notNamed = new Set(['ffi.C']);
const globals = new Set(['tonumber', 'tostring']);

/** `string.find` is a local of the module from its first statements on. */
function named(lua: Lua, statements: readonly Statement[]): Statement[] {
  const fields = new Map<string, Map<string, string>>();
  const plain = new Set<string>();
  const replace = (node: Node): Node => {
    if (lua.isIdentifier(node) && globals.has(node.text)) plain.add(node.text);
    if (!isField(lua, node) || !libraries.has(node.table.text)) return node;
    const { table, index } = node;
    if (notNamed.has(`${table.text}.${index.value}`)) return node;
    const name = `____${table.text}_${index.value}`;
    const known = fields.get(table.text) ?? new Map<string, string>();
    fields.set(table.text, known.set(index.value, name));
    return lua.setNodePosition(lua.createIdentifier(name), lua.getOriginalPos(node));
  };
  for (const statement of statements) walk(statement, () => {}, replace);
  const local = (name: string, value: Expression): Statement =>
    lua.createVariableDeclarationStatement(lua.createIdentifier(name), value);
  const of = (library: string): Statement[] =>
    [...(fields.get(library) ?? [])].map(([field, name]) =>
      local(
        name,
        lua.createTableIndexExpression(lua.createIdentifier(library), lua.createStringLiteral(field)),
      ),
    );
  const asked = (statement: Statement): string[] =>
    lua.isVariableDeclarationStatement(statement) && statement.right !== undefined
      ? statement.left.map(({ text }) => text).filter((name) => libraries.has(name))
      : [];
  const later = new Set(statements.flatMap(asked));
  return [
    ...[...plain].map((name) => local(name, lua.createIdentifier(name))),
    ...[...libraries].filter((library) => !later.has(library)).flatMap(of),
    ...statements.flatMap((statement) => [statement, ...asked(statement).flatMap(of)]),
  ];
}

/** Every node below; `replace` may put another one in its place. */
function walk(node: Node, see: (node: Node) => void, replace?: (node: Node) => Node): void {
  see(node);
  const held = node as unknown as Record<string, unknown>;
  for (const [key, value] of Object.entries(held)) {
    if (Array.isArray(value)) {
      for (const [at, each] of value.entries()) {
        if (!isNode(each)) continue;
        value[at] = replace?.(each) ?? each;
        walk(value[at] as Node, see, replace);
      }
    } else if (isNode(value)) {
      held[key] = replace?.(value) ?? value;
      walk(held[key] as Node, see, replace);
    }
  }
}

function isNode(value: unknown): value is Node {
  return (
    typeof value === 'object' && value !== null && typeof (value as { kind?: unknown }).kind === 'number'
  );
}
