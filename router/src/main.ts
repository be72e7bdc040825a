/** All of it that runs without nginx, as one module. */
export * from './access-log.ts';
export * from './answers.ts';
export * from './backends.ts';
export * from './canaries.ts';
export * from './compression.ts';
export * from './cookies.ts';
export * from './cors.ts';
export * from './match.ts';
export * from './names.ts';
export * from './pages.ts';
export * from './paths.ts';
export * from './prepared.ts';
export * from './request.ts';
export * from './rewrite.ts';
export * from './rules.ts';
export * from './spread.ts';
export * from './table.ts';
