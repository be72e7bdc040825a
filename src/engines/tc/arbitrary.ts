/** Random intents for tests: three pods, of which the machine has two. */
import fc from 'fast-check';
import type { BandwidthIntent, EndpointIntent, IntentChange, RateIntent } from '#intent/node.ts';

export const podDevices = ['nlp00000000001', 'nlp00000000002'] as const;

export function endpoint(index: number, podUID = 'u1'): EndpointIntent {
  return {
    origin: { kind: 'Pod', namespace: 'shop', name: `p${index}` },
    podUID,
    device: `nlp0000000000${index}`,
    ifindex: 100 + index,
    mac: `02:00:00:00:00:0${index}`,
    addresses: [`10.244.1.${index}`],
    subnet: 'default',
    mode: 'overlay',
  };
}

export function rate(bitsPerSecond: number, burstBits?: number): RateIntent {
  const origin = { kind: 'QoSPolicy', namespace: 'shop', name: 'q', rule: 'spec.ingress' };
  return { origin, bitsPerSecond, ...(burstBits === undefined ? {} : { burstBits }) };
}

const rates = fc.oneof(
  fc.constantFrom(rate(1_000), rate(10_000_000), rate(100_000_000, 8_000_000), rate(1e15)),
  fc.integer({ min: 1_000, max: 2 ** 40 }).map((bits) => rate(bits)),
);

const limits = (index: number): fc.Arbitrary<BandwidthIntent> =>
  fc
    .record(
      { uid: fc.constantFrom('u1', 'u1', 'u2', ''), ingress: rates, egress: rates },
      { requiredKeys: ['uid'] },
    )
    .map((entry) => ({ origin: { kind: 'Pod', namespace: 'shop', name: `p${index}` }, ...entry }));

const orGone = <T>(entry: fc.Arbitrary<T>) => fc.option(entry, { nil: undefined, freq: 3 });
const some = <T>(entries: Record<string, fc.Arbitrary<T>>) => fc.record(entries, { requiredKeys: [] });

const step = fc.record({
  endpoints: some({
    'c1/eth0': orGone(fc.constant(endpoint(1))),
    'c2/eth0': orGone(fc.constant(endpoint(2))),
    'c9/eth0': orGone(fc.constant(endpoint(9))),
  }),
  bandwidth: some({
    'shop/p1': orGone(limits(1)),
    'shop/p2': orGone(limits(2)),
    'shop/p9': orGone(limits(9)),
  }),
});

/** A sequence of changes that begins with a whole intent; now and then the agent starts again and sends a whole one. */
export const changes: fc.Arbitrary<readonly IntentChange[]> = fc
  .array(fc.tuple(step, fc.nat(9)), { minLength: 1, maxLength: 8 })
  .map((steps) =>
    steps.map(([each, dice], index): IntentChange => {
      const entries = Object.entries(each);
      const put = entries.map(([domain, all]) => [domain, defined(all as Record<string, unknown>)]);
      const remove = entries.map(([domain, all]) => [domain, undefinedKeys(all)]);
      const replace = index === 0 || dice === 0;
      return {
        generation: index + 1,
        replace,
        put: Object.fromEntries(put),
        remove: Object.fromEntries(remove),
      };
    }),
  );

/** The state after changes, and one change that says it at once. */
export function lastState(list: readonly IntentChange[]): IntentChange {
  const endpoints: Record<string, EndpointIntent> = {};
  let bandwidth: Record<string, BandwidthIntent> = {};
  for (const { replace, put, remove } of list) {
    if (replace) bandwidth = {};
    for (const key of remove.endpoints ?? []) delete endpoints[key];
    for (const key of remove.bandwidth ?? []) delete bandwidth[key];
    Object.assign(endpoints, put.endpoints);
    Object.assign(bandwidth, put.bandwidth);
  }
  return { generation: list.length, replace: true, put: { endpoints, bandwidth }, remove: {} };
}

function defined(all: Readonly<Record<string, unknown>>): object {
  return Object.fromEntries(Object.entries(all).filter(([, entry]) => entry !== undefined));
}

function undefinedKeys(all: object): string[] {
  return Object.entries(all).flatMap(([key, entry]) => (entry === undefined ? [key] : []));
}
