/** When connections that stand are looked at, and what becomes of them, on fakes. */
import { describe, expect, it } from 'vitest';
import type { IntentChange } from '#intent/node.ts';
import { eventually } from '#lab/eventually.ts';
import { createNftablesEngine } from './driver.ts';
import { createFakeConntrack, createFakeFlows, createFakeNft } from './fake.ts';
import { intentOf } from './testnet.ts';
import { addressesOf, policyOf, type Restricted } from './testnet-policy.ts';

const pod = { from: '10.244.1.11', other: '10.244.2.21' };

function fresh() {
  const nft = createFakeNft();
  const conntrack = createFakeConntrack();
  const flows = createFakeFlows();
  const open = () =>
    createNftablesEngine(
      {
        onError: (error) => {
          throw error;
        },
      },
      { nft, conntrack, flows: { open: () => flows, ownAddresses: () => new Set(['192.168.66.11']) } },
    );
  return { nft, flows, open, engine: open() };
}

const whole = (restricted: Restricted = {}): IntentChange => ({
  generation: 1,
  replace: true,
  put: { ...intentOf(1), ...policyOf(restricted), policyAddresses: addressesOf(['p21', 'n1']) },
  remove: {},
});
const delta = (put: IntentChange['put'], remove: IntentChange['remove'] = {}): IntentChange => ({
  generation: 2,
  replace: false,
  put,
  remove,
});

describe('connections that stand', () => {
  it('are looked at once after the first whole intent, whatever a predecessor did', async () => {
    const { flows, open, engine } = fresh();
    flows.add({ source: pod.from, target: pod.other, protocol: 6, targetPort: 80 });
    flows.add({ source: pod.from, target: '192.0.2.9', protocol: 6, targetPort: 80 }, true);
    flows.add({ source: '192.0.2.9', target: '192.0.2.10', protocol: 6, targetPort: 80 }, true);
    await engine.apply(whole({ p11: { egress: { other: 'allow', p21: 'deny' } } }));
    await eventually(() => expect(flows.marks()).toEqual([true, false, true]));
    await engine.close();
    flows.looks.length = 0;
    const successor = open();
    await successor.apply(whole({ p11: { egress: { other: 'deny', p21: 'allow' } } }));
    await eventually(() => expect(flows.marks()).toEqual([false, true, true]));
    expect(flows.looks[0]).toBe('all');
    await successor.close();
  });

  it('are left alone where only the time of a DNS answer is over, as long as the pod has the rule', async () => {
    const { flows, engine } = fresh();
    const [outside, stranger, neighbour] = ['192.0.2.9', '192.0.2.10', '10.244.1.12'];
    for (const target of [outside, stranger, neighbour])
      flows.add({ source: pod.from, target, protocol: 6, targetPort: 80 });
    const restricted = policyOf({ p11: { egress: {} }, p12: { ingress: {} } });
    const withNames = (...names: string[]): IntentChange['put'] => ({
      policySubjects: { 'test/p11': { ...restricted.policySubjects!['test/p11']!, names } },
    });
    const lapsed = { [outside]: ['a.example.org'], [neighbour]: ['a.example.org'] };
    const { put, ...rest } = whole({ p11: { egress: {} }, p12: { ingress: {} } });
    const policySubjects = { ...restricted.policySubjects, ...withNames('*.example.org').policySubjects };
    const policyNames = { n1: { instance: 'i', revision: 1, lapsed } };
    await engine.apply({ ...rest, put: { ...put, policySubjects, policyNames } });
    await eventually(() => expect(flows.marks()).toEqual([false, true, true]));
    flows.looks.length = 0;
    await engine.apply(delta(withNames('*.example.org', 'more.org')));
    await eventually(() => expect(flows.looks).not.toEqual([]));
    expect(flows.marks()).toEqual([false, true, true]);
    await engine.apply(delta(withNames('more.org')));
    await eventually(() => expect(flows.marks()).toEqual([true, true, true]));
    await engine.close();
  });

  it('are looked at again a second later, for those that were only being opened', async () => {
    const { flows, engine } = fresh();
    await engine.apply(whole());
    await engine.apply(delta(policyOf({ p11: { egress: {} } })));
    await eventually(() => expect(flows.looks.length).toBeGreaterThan(1));
    flows.add({ source: pod.from, target: pod.other, protocol: 17, targetPort: 53 });
    await eventually(() => expect(flows.marks()).toEqual([true]));
    const looks = flows.looks.length;
    await engine.apply(delta({ services: {} }));
    expect(flows.looks).toHaveLength(looks);
    await engine.close();
  });

  it('are not looked at for what concerns none of them', async () => {
    const { flows, engine } = fresh();
    await engine.apply(whole());
    await eventually(() => expect(flows.looks).toEqual(['all', 'all']));
    await engine.apply(delta({ policyAddresses: addressesOf(['q21']) }));
    await engine.apply(delta({ policyPrefixes: { '192.0.2.0/24': { identity: 60 } } }));
    await engine.apply(delta({}, { endpoints: ['q11/eth0'] }));
    expect(flows.looks).toEqual(['all', 'all']);
    await engine.apply(delta(policyOf({ p11: { egress: {} } })));
    await eventually(() => expect(flows.looks.slice(2)).toContainEqual(['10.244.1.11', 'fd10:244:0:1::11']));
    await engine.close();
  });

  it('cost one look however many changes come in a row', async () => {
    const { flows, engine } = fresh();
    const owners = Array.from({ length: 200 }, (_, i) => i);
    const as = (i: number, identity: number) => ({
      [`pod d/${i}`]: { identities: { [`10.244.2.${i + 30}`]: identity } },
    });
    await engine.apply(whole({ p11: { egress: {} } }));
    await engine.apply(delta({ policyAddresses: Object.assign({}, ...owners.map((i) => as(i, 100))) }));
    flows.add({ source: pod.from, target: '10.244.2.229', protocol: 6, targetPort: 80 });
    for (const i of owners) await engine.apply(delta({ policyAddresses: as(i, 101) }));
    await eventually(() => expect(flows.marks()).toEqual([true]));
    expect(flows.looks.length).toBeLessThan(40);
    await engine.close();
  });

  it('are looked at only the second later for who is new', async () => {
    const { flows, engine } = fresh();
    await engine.apply(whole({ p11: { egress: { other: 'allow', q21: 'deny' } } }));
    await eventually(() => expect(flows.looks).toEqual(['all', 'all']));
    flows.add({ source: pod.from, target: '10.245.2.21', protocol: 6, targetPort: 80 });
    await engine.apply(delta({ policyAddresses: addressesOf(['q21']) }));
    await engine.apply(delta({ policyAddresses: addressesOf(['c21']) }));
    expect(flows.looks).toHaveLength(2);
    await eventually(() => expect(flows.marks()).toEqual([true]));
    expect(flows.looks).toHaveLength(3);
    await engine.apply(delta(policyOf({ p11: { egress: { other: 'allow', q21: 'allow' } } })));
    await eventually(() => expect(flows.marks()).toEqual([false]));
    await engine.close();
  });

  it('are looked at after somebody else had opened the table', async () => {
    const { nft, flows, engine } = fresh();
    await engine.apply(whole({ p11: { egress: {} } }));
    await eventually(() => expect(flows.looks.length).toBe(2));
    flows.add({ source: pod.from, target: pod.other, protocol: 6, targetPort: 80 });
    nft.flush();
    await engine.resync();
    await eventually(() => expect(flows.marks()).toEqual([true]));
    await engine.close();
  });
});
