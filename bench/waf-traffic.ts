/** Requests with and without a firewall, in turns on one gateway. */
import type { GatewayFirewall } from '#intent/gateway-policy.ts';
import { type BenchOptions, type Goal, type Row, row } from '#programs/cli/bench/row.ts';
import { median, pairedRatio } from '#programs/cli/bench/statistics.ts';
import { type Field, openField } from './gateway-field.ts';
import { type LoadFigures, loadHTTP1 } from './gateway-load.ts';
import type { RoutedRequest } from './gateway-routes.ts';
import { block, type FirewallOf, protectedRoutes, requestsOf } from './waf-routes.ts';

const routes = 1_000;
const nobody: FirewallOf = () => undefined;
const others: FirewallOf = (index) => (index % 2 === 1 ? block : undefined);
const everybody =
  (firewall: GatewayFirewall): FirewallOf =>
  () =>
    firewall;

type Case = {
  readonly firewallOf: FirewallOf;
  readonly requests: readonly RoutedRequest[];
  readonly isBlocked?: true;
};

const unprotected = requestsOf(routes, (index) => index % 2 === 0);
const query = '?page=2&sort=name';
const asked = requestsOf(routes, (index) => index % 2 === 0, query);
const attacks = requestsOf(routes, (index) => index % 2 === 0, '?q=%3Cscript%3Ealert(1)%3C/script%3E');

const cases = {
  'no firewall anywhere': { firewallOf: nobody, requests: unprotected },
  'off, while others have it on': { firewallOf: others, requests: unprotected },
  'no firewall': { firewallOf: nobody, requests: asked },
  detect: { firewallOf: everybody({ ...block, mode: 'detect' }), requests: asked },
  block: { firewallOf: everybody(block), requests: asked },
  'block, paranoia 4': { firewallOf: everybody({ ...block, paranoia: 4, threshold: 100 }), requests: asked },
  'attacks that are blocked': { firewallOf: everybody(block), requests: attacks, isBlocked: true },
} as const satisfies Readonly<Record<string, Case>>;

type Name = keyof typeof cases;

export async function measureFirewallTraffic(options: BenchOptions): Promise<Row[]> {
  const field = await openField(10);
  try {
    const off = await inTurns(field, ['no firewall anywhere', 'off, while others have it on'], options, 8);
    const on = await inTurns(
      field,
      ['no firewall', 'detect', 'block', 'block, paranoia 4', 'attacks that are blocked'],
      options,
      4,
    );
    return [
      compared(off, 'off, while others have it on', 'no firewall anywhere', { of: 'ratio', atMost: 1.02 }),
      compared(on, 'detect', 'no firewall'),
      compared(on, 'block', 'no firewall'),
      compared(on, 'block, paranoia 4', 'no firewall'),
      compared(on, 'attacks that are blocked', 'no firewall'),
    ];
  } finally {
    await field.close();
  }
}

type Samples = Readonly<Partial<Record<Name, readonly LoadFigures[]>>>;

async function inTurns(
  field: Field,
  names: readonly Name[],
  { quick, progress }: BenchOptions,
  rounds: number,
): Promise<Samples> {
  const samples: Partial<Record<Name, LoadFigures[]>> = {};
  for (let round = -1; round < (quick ? 2 : rounds); round++) {
    // Who comes first changes, so that a machine that grows slower is nobody's fault.
    for (const name of round % 2 === 0 ? names : names.toReversed()) {
      const { firewallOf, requests, isBlocked }: Case = cases[name];
      await field.engine.apply(protectedRoutes(routes, field.backends[0], firewallOf));
      if (firewallOf === others) await warm(field);
      const figures = await loadHTTP1(
        field.ground,
        field.client,
        field.targets.ours.http,
        requests,
        quick ? 1 : 3,
      );
      if (figures.failed > 0 && isBlocked !== true)
        throw new Error(`${name}: ${figures.failed} requests failed`);
      if (round >= 0) samples[name] = [...(samples[name] ?? []), figures];
    }
  }
  for (const name of names) {
    const all = samples[name] ?? [];
    const of = (figure: keyof LoadFigures) => median(all.map((each) => each[figure]));
    progress(
      `${name}: ${of('perSecond').toFixed(0)}/s, ${of('cpu').toFixed(1)} µs, p99 ${of('p99').toFixed(2)} ms`,
    );
  }
  return samples;
}

/** The rules are there, and were used. */
async function warm(field: Field): Promise<void> {
  const [request] = requestsOf(routes, (index) => index === 1);
  const { address, port } = field.targets.ours.http;
  await field.ground.run(
    `for each in 1 2 3 4 5; do curl -sf -o /dev/null -A bench -H 'Host: ${request?.host}' http://${address}:${port}${request?.path}; done`,
    field.client.netns,
  );
}

function compared(samples: Samples, name: Name, reference: Name, goal?: Goal): Row {
  const of = (who: Name) => (samples[who] ?? []).map(({ cpu }) => cpu);
  return row({
    name: `${name}: CPU a request`,
    size: routes,
    unit: 'µs',
    value: median(of(name)),
    against: { what: reference, value: median(of(reference)) },
    ratio: pairedRatio(of(name), of(reference)),
    ...(goal === undefined ? {} : { goal }),
  });
}
