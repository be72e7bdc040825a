/** What vectors and benches load in LuaJIT. */
export * from './main.ts';
export * from './vectors.ts';
