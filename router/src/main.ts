/** All of it that runs without nginx, as one module. */
export * from './answers.ts';
export * from './backends.ts';
export * from './cors.ts';
export * from './firewall.ts';
export * from './match.ts';
export * from './names.ts';
export * from './paths.ts';
export * from './prepared.ts';
export * from './request.ts';
export * from './rewrite.ts';
export * from './rules.ts';
export * from './table.ts';
