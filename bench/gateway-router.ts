/** What deciding on one request takes, in LuaJIT and in Node, without nginx around it: `node bench/gateway-router.ts`. */
import { openSandbox } from '#lab/sandbox.ts';
import { type Row, row } from '#programs/cli/bench/row.ts';
import { median } from '#programs/cli/bench/statistics.ts';
import { buildRouter } from '#router/build.ts';
import { findListener, findRule } from '#router/src/match.ts';
import { normalisePath } from '#router/src/paths.ts';
import type { RouterReader, RouterRequest } from '#router/src/request.ts';
import { applyChange, createTable } from '#router/src/table.ts';
import { luaLiteral } from '#router/test/lua-literal.ts';
import { gatewayRoutes, type RoutedRequest, routedRequests } from './gateway-routes.ts';

const sizes = [10, 1_000, 10_000];
const decisions = 2_000_000;
const different = 4_096;

/** Nanoseconds a decision: path normalised, listener and rule found. */
export async function measureRouter(quick: boolean, progress: (line: string) => void): Promise<Row[]> {
  await buildRouter('pure');
  const rounds = quick ? 3 : 7;
  const rows: Row[] = [];
  let smallest: number | undefined;
  for (const size of sizes) {
    const requests = routedRequests(size, different);
    const lua = median(await inLua(size, requests, rounds));
    const node = median(inNode(size, requests, rounds));
    smallest ??= lua;
    progress(`${size} routes: ${lua.toFixed(0)} ns a decision in LuaJIT, ${node.toFixed(0)} ns in Node`);
    const against = { what: 'with 10 routes', value: smallest };
    rows.push(row({ name: 'decision in LuaJIT', size, value: lua, unit: 'ns', against }));
    rows.push(
      row({
        name: 'decision in Node',
        size,
        value: node,
        unit: 'ns',
        against: { what: 'in LuaJIT', value: lua },
      }),
    );
  }
  return rows;
}

function inNode(size: number, requests: readonly RoutedRequest[], rounds: number): number[] {
  const table = createTable();
  applyChange(table, gatewayRoutes(size, ['10.0.0.1:80']));
  const asked = requests.map(({ host, path }) => ({ host, path, method: 'GET' }));
  const decide = () => {
    let found = 0;
    for (let at = 0; at < decisions; at++) {
      const request = asked[at % different]!;
      const listener = findListener(table, 'tcp/80', request.host);
      if (normalisePath(request.path) === undefined || listener === undefined) continue;
      if (findRule(listener, request, reader) !== undefined) found++;
    }
    if (found !== decisions) throw new Error(`${decisions - found} requests found no rule`);
  };
  decide();
  return Array.from({ length: rounds }, () => {
    const started = process.hrtime.bigint();
    decide();
    return Number(process.hrtime.bigint() - started) / decisions;
  });
}

const reader: RouterReader<RouterRequest> = {
  header: () => undefined,
  query: () => undefined,
  matches: () => false,
  beginsWith: () => false,
  client: () => undefined,
};

async function inLua(size: number, requests: readonly RoutedRequest[], rounds: number): Promise<number[]> {
  const box = await openSandbox();
  try {
    const { put, ...rest } = gatewayRoutes(size, ['10.0.0.1:80']);
    // An entry a function: one can't hold ten thousand constants.
    const entries = Object.entries(put).flatMap(([domain, all]) => [
      `change.put.${domain} = {}`,
      ...Object.entries(all).map(
        ([key, entry]) =>
          `;(function() change.put.${domain}[${luaLiteral(key)}] = ${luaLiteral(entry)} end)()`,
      ),
    ]);
    const asked = requests.map(
      ({ host, path }) =>
        `;(function() asked[#asked + 1] = ${luaLiteral({ host, path, method: 'GET' })} end)()`,
    );
    const script = [
      'local pure = dofile("/opt/netloom/router/dist/pure.lua")',
      `local change = ${luaLiteral({ ...rest, put: {} })}`,
      'local asked = {}',
      ...entries,
      ...asked,
      luaLoop(rounds),
    ].join('\n');
    const result = await box.exec(['luajit', '-'], { input: script, timeoutMs: 120_000 });
    if (result.code !== 0) throw new Error(result.stderr);
    return result.stdout.trim().split('\n').map(Number);
  } finally {
    await box.close();
  }
}

/** The same loop. */
function luaLoop(rounds: number): string {
  return `
local table = pure.createTable()
pure.applyChange(table, change)
local never = function() end
local reader = { header = never, query = never, matches = never }
local findListener, findRule, normalisePath = pure.findListener, pure.findRule, pure.normalisePath
local function decide()
  local found = 0
  for at = 0, ${decisions} - 1 do
    local request = asked[at % ${different} + 1]
    local listener = findListener(table, "tcp/80", request.host)
    if normalisePath(request.path) and findRule(listener, request, reader) then found = found + 1 end
  end
  assert(found == ${decisions})
end
decide()
for round = 1, ${rounds} do
  local started = os.clock()
  decide()
  print((os.clock() - started) * 1e9 / ${decisions})
end`;
}

if (import.meta.main) {
  await measureRouter(process.argv.includes('--quick'), (line) => void process.stdout.write(`${line}\n`));
}
