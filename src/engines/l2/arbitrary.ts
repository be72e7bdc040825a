/** Random virtual addresses and changes of them, for property tests. */
import fc from 'fast-check';
import type { VirtualAddressIntent } from '#intent/loadbalancer.ts';
import type { IntentChange } from '#intent/node.ts';

export const addresses = ['10.0.0.60', '10.0.0.61', 'fd00::60'];
export const devices = ['eth0', 'eth1', 'wg0'];

export function entry(part: Partial<VirtualAddressIntent> = {}): VirtualAddressIntent {
  return { origin: { kind: 'Service', namespace: 'shop', name: 'web' }, candidates: ['n1'], ...part };
}

const entries = fc
  .option(fc.subarray([...devices, 'eth9']), { nil: undefined })
  .map((interfaces) => entry(interfaces === undefined ? {} : { interfaces }));

const put = fc.dictionary(fc.constantFrom(...addresses), entries, { maxKeys: 3 });

/** The first is whole, as an agent's are. */
export const changes: fc.Arbitrary<readonly IntentChange[]> = fc
  .array(fc.record({ put, remove: fc.subarray(addresses), replace: fc.boolean() }), {
    minLength: 1,
    maxLength: 8,
  })
  .map((list) =>
    list.map((each, index) => {
      const replace = each.replace || index === 0;
      const removed = replace ? [] : each.remove.filter((address) => !(address in each.put));
      return {
        generation: index + 1,
        replace,
        put: { virtualAddresses: each.put },
        remove: removed.length > 0 ? { virtualAddresses: removed } : {},
      };
    }),
  );

/** What the last of them leaves, as one whole change. */
export function lastState(list: readonly IntentChange[]): IntentChange {
  let state: Record<string, VirtualAddressIntent> = {};
  for (const { replace, put: entered, remove } of list) {
    if (replace) state = {};
    for (const address of remove.virtualAddresses ?? []) delete state[address];
    Object.assign(state, entered.virtualAddresses);
  }
  return { generation: list.length, replace: true, put: { virtualAddresses: state }, remove: {} };
}
