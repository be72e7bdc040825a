/** Flags of the programs that run on nodes: read, checked, and printed by --help. */
import { parseArgs } from 'node:util';
import { createLog, isLevel, type Log } from '#telemetry/log.ts';

export type Flag = {
  /** What stands for its value in the help: `PATH`. */
  readonly value: string;
  readonly help: string;
  readonly default?: string;
  readonly multiple?: true;
  /** A number above zero. */
  readonly positive?: true;
};

export type Values<F extends Readonly<Record<string, Flag>>> = {
  readonly [K in keyof F]: F[K] extends { readonly multiple: true }
    ? readonly string[]
    : F[K] extends { readonly default: string }
      ? string
      : string | undefined;
};

export type Program = { readonly name: string; readonly summary: string };

/** Flags that every program has. */
export const commonFlags = {
  'metrics-address': { value: 'ADDRESS', help: 'where /metrics, /healthz and /readyz listen', default: '::' },
  'log-level': { value: 'LEVEL', help: 'error, warn, info, debug or trace', default: 'info' },
  'log-format': { value: 'FORMAT', help: 'text or json', default: 'text' },
} as const satisfies Readonly<Record<string, Flag>>;

/** Of agent and controller, which must say the same. */
export const externalIPsFlag = {
  'external-ips': {
    value: 'serve|refuse',
    help: 'spec.externalIPs of Services: whoever may write it can take over any address for every tenant (deprecated in Kubernetes 1.36)',
    default: 'refuse',
  },
} as const satisfies Readonly<Record<string, Flag>>;

/** Throws with the value that is wrong. */
export function servesExternalIPs(values: Values<typeof externalIPsFlag>): boolean {
  const choice = values['external-ips'];
  if (choice !== 'serve' && choice !== 'refuse') {
    throw new Error(`--external-ips: "${choice}" is not serve or refuse`);
  }
  return choice === 'serve';
}

/** Of agent and controller, which must say the same. */
export const loadBalancerFlags = {
  'load-balancer': {
    value: 'serve|off',
    help: 'addresses of Services of type LoadBalancer, where there is an IPAddressPool; off: another implementation has them',
    default: 'serve',
  },
  'load-balancer-class': {
    value: 'NAME',
    help: 'only Services with this spec.loadBalancerClass (without it: those of no class, and of netloom.dev/loadbalancer)',
  },
} as const satisfies Readonly<Record<string, Flag>>;

/** Whose addresses are given and announced; `undefined`: nobody's. */
export type ServedLoadBalancers = { readonly onlyClass?: string };

/** Throws with the value that is wrong. */
export function servedLoadBalancers(
  values: Values<typeof loadBalancerFlags>,
): ServedLoadBalancers | undefined {
  const choice = values['load-balancer'];
  if (choice !== 'serve' && choice !== 'off')
    throw new Error(`--load-balancer: "${choice}" is not serve or off`);
  if (choice === 'off') return undefined;
  const onlyClass = values['load-balancer-class'];
  return onlyClass === undefined || onlyClass === '' ? {} : { onlyClass };
}

/** The values; or prints the help (exit 0) or what is wrong (exit 2) and ends the process. */
export function readFlags<const F extends Readonly<Record<string, Flag>>>(
  program: Program,
  flags: F,
): Values<F> {
  const outcome = parseFlags(program, flags, process.argv.slice(2));
  if ('values' in outcome) return outcome.values;
  if ('help' in outcome) process.stdout.write(outcome.help);
  else process.stderr.write(`${program.name}: ${outcome.wrong} (--help lists the flags)\n`);
  process.exit('help' in outcome ? 0 : 2);
}

/** As `readFlags`, as data. */
export function parseFlags<const F extends Readonly<Record<string, Flag>>>(
  program: Program,
  flags: F,
  argv: readonly string[],
): { readonly values: Values<F> } | { readonly help: string } | { readonly wrong: string } {
  const options = Object.fromEntries(
    Object.entries<Flag>(flags).map(([name, flag]) => [
      name,
      { type: 'string' as const, ...(flag.multiple === true ? { multiple: true } : {}) },
    ]),
  );
  let given: Record<string, unknown>;
  try {
    given = parseArgs({
      args: [...argv],
      options: { ...options, help: { type: 'boolean', short: 'h' } },
    }).values;
  } catch (error) {
    return { wrong: (error as Error).message };
  }
  if (given['help'] === true) return { help: helpText(program, flags) };
  const values: Record<string, unknown> = {};
  for (const [name, flag] of Object.entries<Flag>(flags)) {
    const value = given[name] ?? flag.default ?? (flag.multiple === true ? [] : undefined);
    if (flag.positive === true && !(Number(value) > 0))
      return { wrong: `--${name}: a number above 0 is needed` };
    values[name] = value;
  }
  const level = values['log-level'];
  if (typeof level === 'string' && !isLevel(level)) {
    return { wrong: `--log-level: "${level}" is not error, warn, info, debug or trace` };
  }
  const format = values['log-format'];
  if (format !== undefined && format !== 'text' && format !== 'json') {
    return { wrong: '--log-format: text or json is needed' };
  }
  return { values: values as Values<F> };
}

/** The log that the common flags ask for. */
export function logOf(values: Values<typeof commonFlags>): Log {
  const level = values['log-level'];
  return createLog({
    level: isLevel(level) ? level : 'info',
    format: values['log-format'] === 'json' ? 'json' : 'text',
  });
}

function helpText({ name, summary }: Program, flags: Readonly<Record<string, Flag>>): string {
  const rows = [
    ...Object.entries(flags).map(([flag, { value, help, default: standard, multiple }]) => {
      const note = multiple === true ? ' (may be given more than once)' : '';
      return [`--${flag} ${value}`, `${help}${note}${standard ? ` [${standard}]` : ''}`] as const;
    }),
    ['-h, --help', 'print this'] as const,
  ];
  const width = Math.max(...rows.map(([left]) => left.length));
  return `${name}: ${summary}\n\n${rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}\n`).join('')}`;
}
