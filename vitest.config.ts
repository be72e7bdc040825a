import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

const timeouts = { testTimeout: 120_000, hookTimeout: 180_000, teardownTimeout: 20_000 };

/** Of their tests none asks how long something took, and most wait for something: two clusters share the machine. */
const patient = [
  'addresses',
  'alb',
  'bgp',
  'bgp-loadbalancer',
  'bgp-peer-fields',
  'chaos',
  'check',
  'corpus',
  'gateway-cases',
  'gateway-kinds',
  'loadbalancer',
  'pods',
  'policy-names',
  'pools',
  'services',
  'subnets',
  'underlay',
  'why',
].map((name) => `test/lab/${name}.test.ts`);

const pure = ['compile', 'intent', 'model', 'net'].map((name) => `src/${name}/**/*.test.ts`);

/** Minutes each: the last of two workers isn't to be left alone with one of them. */
const longest = [
  'test/lab/corpus',
  'test/lab/pools',
  'test/lab/check',
  'test/lab/gateway-cases',
  'test/fuzz/policy',
];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const found = longest.findIndex((name) => moduleId.endsWith(`${name}.test.ts`));
      return found < 0 ? longest.length : found;
    };
    return (await super.sort(files)).sort((one, other) => rank(one) - rank(other));
  }
}

/** docs/decisions/0015: what passed at its second try is told. */
const retry = process.env.NETLOOM_LONG === '1' ? 0 : 1;

export default defineConfig({
  test: {
    pool: 'forks',
    // Two cores and real namespaces: more workers only make every deadline longer.
    maxWorkers: 2,
    ...timeouts,
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        // Nothing of it touches the world, so files need no process of their own: those take longer to start than most tests do.
        test: {
          name: 'pure',
          include: pure,
          pool: 'forks',
          maxWorkers: 2,
          isolate: false,
          ...timeouts,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: 'parts',
          include: ['src/**/*.test.ts', 'router/test/**/*.test.ts', 'test/**/*.test.ts'],
          exclude: ['test/lab/**', ...pure],
          pool: 'forks',
          maxWorkers: 2,
          ...timeouts,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: 'labs',
          include: patient,
          pool: 'forks',
          maxWorkers: 2,
          ...timeouts,
          retry,
          sequence: { groupOrder: 1 },
        },
      },
      {
        // One cluster at a time, and nothing beside it.
        test: {
          name: 'lab',
          include: ['test/lab/**/*.test.ts'],
          exclude: patient,
          pool: 'forks',
          maxWorkers: 1,
          fileParallelism: false,
          ...timeouts,
          retry,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
