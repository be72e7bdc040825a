import { defineConfig } from 'vitest/config';

const timeouts = { testTimeout: 60_000, hookTimeout: 120_000, teardownTimeout: 20_000 };

export default defineConfig({
  test: {
    pool: 'forks',
    // Two cores and real namespaces: more workers only make every deadline longer.
    maxWorkers: 2,
    ...timeouts,
    projects: [
      {
        test: {
          name: 'parts',
          include: ['src/**/*.test.ts', 'router/test/**/*.test.ts', 'test/**/*.test.ts'],
          exclude: ['test/lab/**'],
          pool: 'forks',
          maxWorkers: 2,
          ...timeouts,
          sequence: { groupOrder: 0 },
        },
      },
      {
        // A whole cluster each: one at a time, and nothing beside it.
        test: {
          name: 'lab',
          include: ['test/lab/**/*.test.ts'],
          pool: 'forks',
          maxWorkers: 1,
          fileParallelism: false,
          // docs/decisions/0015: what passed at its second try is told.
          retry: process.env.NETLOOM_LONG === '1' ? 0 : 1,
          ...timeouts,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
