/** All of it, as one module: for Node, and as the bundle that vectors and benches run in LuaJIT. */
export * from './answers.ts';
export * from './backends.ts';
export * from './cors.ts';
export * from './match.ts';
export * from './paths.ts';
export * from './prepared.ts';
export * from './request.ts';
export * from './rewrite.ts';
export * from './rules.ts';
export * from './table.ts';
export * from './vectors.ts';
