/** A module's text as Lua, with and without the plugin of fixed-locals.ts. */
import { fixedLocals } from '../fixed-locals.ts';

export async function compileText(text: string, fixed: boolean): Promise<string> {
  const { default: ts } = await import('typescript');
  const { default: lua } = await import('typescript-to-lua');
  const { file, diagnostics } = lua.transpileString(text, {
    target: ts.ScriptTarget.ESNext,
    luaTarget: lua.LuaTarget.LuaJIT,
    luaLibImport: lua.LuaLibImportKind.Inline,
    noImplicitSelf: true,
    noHeader: true,
    removeComments: true,
    luaPlugins: fixed ? [{ plugin: fixedLocals({ ts, lua }) }] : [],
  });
  if (file?.lua === undefined)
    throw new Error(JSON.stringify(diagnostics.map(({ messageText }) => messageText)));
  return file.lua;
}
