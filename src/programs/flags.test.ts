/** Flags: defaults, what is wrong with them, and the page that --help prints. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { commonFlags, loadBalancerFlags, parseFlags, servedLoadBalancers } from './flags.ts';

const program = { name: 'netloom-thing', summary: 'does a thing' };
const flags = {
  node: { value: 'NAME', help: 'whose', default: 'n1' },
  'service-cidr': { value: 'CIDR', help: 'a range', multiple: true },
  'lease-seconds': { value: 'SECONDS', help: 'how long', default: '40', positive: true },
  ...commonFlags,
} as const;

test('what is not given has its default', () => {
  expect(parseFlags(program, flags, ['--service-cidr', 'a', '--service-cidr=b'])).toMatchObject({
    values: { node: 'n1', 'service-cidr': ['a', 'b'], 'lease-seconds': '40', 'log-level': 'info' },
  });
});

test.each([
  [['--nod', 'x'], "Unknown option '--nod'"],
  [['--node'], "'--node <value>' argument missing"],
  [['surplus'], "Unexpected argument 'surplus'"],
  [['--lease-seconds', '0'], '--lease-seconds: a number above 0 is needed'],
  [['--lease-seconds', 'x'], '--lease-seconds: a number above 0 is needed'],
  [['--log-level', 'loud'], '--log-level: "loud" is not error, warn, info, debug or trace'],
  [['--log-format', 'xml'], '--log-format: text or json is needed'],
])('%j is refused: %s', (argv, wrong) => {
  expect(parseFlags(program, flags, argv)).toEqual({ wrong: expect.stringContaining(wrong) });
});

test.each([
  [[], {}],
  [['--load-balancer-class', 'example.com/lb'], { onlyClass: 'example.com/lb' }],
  [['--load-balancer', 'off', '--load-balancer-class', 'example.com/lb'], undefined],
])('%j serves the load balancers of %j', (argv, served) => {
  const outcome = parseFlags(program, loadBalancerFlags, argv);
  expect('values' in outcome && servedLoadBalancers(outcome.values)).toEqual(served);
});

test('--load-balancer is refused when it says neither', () => {
  const outcome = parseFlags(program, loadBalancerFlags, ['--load-balancer', 'no']);
  expect(() => 'values' in outcome && servedLoadBalancers(outcome.values)).toThrow(
    '--load-balancer: "no" is not serve or off',
  );
});

test.each(['agent', 'controller', 'datapath'])('%s --help prints its flags and does nothing else', (name) => {
  const main = join(import.meta.dirname, name, 'main.ts');
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, '--help'], { encoding: 'utf8' });
  expect([status, stderr]).toEqual([0, '']);
  expect(stdout).toMatch(new RegExp(`^netloom-${name}: `));
  for (const flag of ['--metrics-port PORT', '--log-level LEVEL', '-h, --help'])
    expect(stdout).toContain(flag);
});
