/** Allocation: MetalLB's order and sharing rules, one by one. */
import { describe, expect, test } from 'vitest';
import type { AddressPoolModel, LoadBalancerModel } from '#model/loadbalancer.ts';
import { allocation, pool, service } from './arbitrary.ts';
import { compileAllocation } from './compile.ts';

function compile(
  pools: readonly AddressPoolModel[],
  services: readonly LoadBalancerModel[],
  namespaces: Readonly<Record<string, Record<string, string>>> = {},
) {
  const { value, problems } = compileAllocation({
    pools,
    services,
    namespaces: new Map(Object.entries(namespaces)),
  });
  const of = (key: string) => value.allocations.get(key)?.addresses.join(' ') ?? 'nothing';
  return {
    of,
    problems,
    value,
    texts: problems.map(({ object, code, message }) => `${object.name} ${code} ${message}`),
  };
}

const small = pool('small', ['203.0.113.1-203.0.113.3']);
const web = (order: number, extra: Partial<LoadBalancerModel> = {}) =>
  service(`shop/web${order}`, order, extra);
const dual = { families: [4, 6] as const, familyPolicy: 'PreferDualStack' as const };

describe('which address', () => {
  test('the first free one, in the order of the pool', () => {
    const { of } = compile([pool('p', ['203.0.113.9', '203.0.113.2-203.0.113.3'])], [web(3), web(1), web(2)]);
    expect([of('shop/web1'), of('shop/web2'), of('shop/web3')]).toEqual([
      '203.0.113.9',
      '203.0.113.2',
      '203.0.113.3',
    ]);
  });

  test('the one that it has, before all others', () => {
    const { of } = compile([small], [web(1), web(2, { assigned: ['203.0.113.1'] })]);
    expect([of('shop/web1'), of('shop/web2')]).toEqual(['203.0.113.2', '203.0.113.1']);
  });

  test('of two that have one address the older one keeps it', () => {
    const has = { assigned: ['203.0.113.1'] };
    const { of } = compile([small], [web(2, has), web(1, has)]);
    expect([of('shop/web1'), of('shop/web2')]).toEqual(['203.0.113.1', '203.0.113.2']);
  });

  test('one that another implementation gave is replaced, one of a pool that is gone stays', () => {
    const { of, texts } = compile(
      [small],
      [web(1, { assigned: ['198.51.100.7'] }), web(2, { assigned: ['198.51.100.8'], assignedFrom: 'gone' })],
    );
    expect([of('shop/web1'), of('shop/web2')]).toEqual(['203.0.113.1', '198.51.100.8']);
    expect(texts).toEqual([
      'web2 AddressKept 198.51.100.8 is no longer in IPAddressPool gone, and stays with the Service',
    ]);
  });

  test('the one that it asks for, and only that', () => {
    const asks = (address: string) => ({ requested: { field: 'spec.loadBalancerIP', addresses: [address] } });
    const { of, texts } = compile(
      [small],
      [
        web(1, asks('203.0.113.3')),
        web(2, { ...asks('203.0.113.2'), assigned: ['203.0.113.1'] }),
        web(3, asks('203.0.113.3')),
        web(4, asks('198.51.100.1')),
      ],
    );
    expect([1, 2, 3, 4].map((order) => of(`shop/web${order}`))).toEqual([
      '203.0.113.3',
      '203.0.113.2',
      '',
      '',
    ]);
    expect(texts).toEqual([
      'web3 AllocationFailed 203.0.113.3 is held by Service shop/web1, which has not the same metallb.io/allow-shared-ip',
      'web4 AllocationFailed 198.51.100.1 is in no IPAddressPool',
    ]);
  });

  test('of the pool that it asks for, also where the pool gives nothing unasked', () => {
    const kept = pool('kept', ['198.51.100.1'], { autoAssign: false });
    const { of, texts } = compile(
      [kept, small],
      [
        web(1, { pool: 'kept' }),
        web(2),
        web(3, { pool: 'none' }),
        web(4, { pool: 'kept' }),
        web(5, { pool: 'small', assigned: ['198.51.100.9'], assignedFrom: 'kept' }),
      ],
    );
    expect([1, 2, 3, 4, 5].map((order) => of(`shop/web${order}`))).toEqual([
      '198.51.100.1',
      '203.0.113.1',
      '',
      '',
      '203.0.113.2',
    ]);
    expect(texts).toEqual([
      'kept NoFreeAddress no address that they can have is free for 1 Service',
      'web3 AllocationFailed there is no IPAddressPool none',
      'web4 AllocationFailed no free IPv4 address in IPAddressPool kept',
    ]);
  });

  test('pools for some Services come first, by priority, 0 last; then those for all', () => {
    const pools = [
      pool('all', ['203.0.113.0/24']),
      pool('b', ['198.51.100.2'], allocation({ priority: 2, namespaces: ['shop'] })),
      pool(
        'c',
        ['198.51.100.3'],
        allocation({ priority: 1, serviceSelectors: [{ matchLabels: { tier: 'gold' } }] }),
      ),
      pool('d', ['198.51.100.4'], allocation({ namespaceSelectors: [{ matchLabels: { team: 'a' } }] })),
      pool(
        'e',
        ['198.51.100.5'],
        allocation({
          priority: 1,
          namespaces: ['shop'],
          serviceSelectors: [{ matchLabels: { tier: 'gold' } }],
        }),
      ),
    ];
    const gold = { labels: { tier: 'gold' } };
    const { of } = compile(
      pools,
      [
        web(1, gold),
        web(2, gold),
        web(3, gold),
        web(4),
        web(5),
        service('other/x', 6),
        service('other/y', 7, gold),
      ],
      { shop: { team: 'a' } },
    );
    expect(
      ['shop/web1', 'shop/web2', 'shop/web3', 'shop/web4', 'shop/web5', 'other/x', 'other/y'].map(of),
    ).toEqual([
      '198.51.100.3',
      '198.51.100.5',
      '198.51.100.2',
      '198.51.100.4',
      '203.0.113.0',
      '203.0.113.1',
      '203.0.113.2',
    ]);
  });

  test('a pool that is for others gives nothing to who asks, but leaves what it gave', () => {
    const closed = pool('closed', ['198.51.100.1-198.51.100.9'], allocation({ namespaces: ['bank'] }));
    const { of, texts } = compile(
      [closed],
      [
        web(1, { pool: 'closed' }),
        web(2, { requested: { field: 'f', addresses: ['198.51.100.2'] } }),
        web(3, { assigned: ['198.51.100.3'] }),
      ],
    );
    expect([1, 2, 3].map((order) => of(`shop/web${order}`))).toEqual(['', '', '198.51.100.3']);
    expect(texts.every((text) => text.includes('is not for this Service (spec.serviceAllocation)'))).toBe(
      true,
    );
  });

  test('none that ends in .0 or .255 where the pool avoids them, not even asked for', () => {
    const avoids = pool('p', ['203.0.113.254-203.0.114.1'], { avoidsBuggyAddresses: true });
    const asked = web(3, { requested: { field: 'f', addresses: ['203.0.113.255'] } });
    const { of, value } = compile([avoids], [web(1), web(2), asked, web(4)]);
    expect([1, 2, 3, 4].map((order) => of(`shop/web${order}`))).toEqual([
      '203.0.113.254',
      '203.0.114.1',
      '',
      '',
    ]);
    expect(value.usage).toMatchObject([{ ipv4: { assigned: 2, available: 0n } }]);
  });

  test('without a pool nothing is touched and nothing is wrong', () => {
    expect(compile([], [web(1), web(2, { assigned: ['198.51.100.8'] })]).problems).toEqual([]);
  });
});

describe('two families', () => {
  const both = pool('both', ['203.0.113.1-203.0.113.2', 'fd00::1']);

  test('of one pool, in the order of the Service', () => {
    expect(compile([both], [web(1, { ...dual, families: [6, 4] })]).of('shop/web1')).toBe(
      'fd00::1 203.0.113.1',
    );
  });

  test('PreferDualStack does with one, RequireDualStack waits', () => {
    const { of, texts } = compile(
      [both],
      [web(1, dual), web(2, dual), web(3, { ...dual, familyPolicy: 'RequireDualStack' })],
    );
    expect([1, 2, 3].map((order) => of(`shop/web${order}`))).toEqual([
      '203.0.113.1 fd00::1',
      '203.0.113.2',
      '',
    ]);
    expect(texts).toEqual([
      'both NoFreeAddress no address that they can have is free for 1 Service',
      'web3 AllocationFailed no free IPv4 and IPv6 address in IPAddressPool both',
    ]);
  });

  test('the second one comes of the pool of the first', () => {
    const six = pool('six', ['fd01::1']);
    const { of } = compile([small, six], [web(1, { ...dual, assigned: ['203.0.113.2'] })]);
    expect(of('shop/web1')).toBe('203.0.113.2');
    const grown = pool('small', ['203.0.113.1-203.0.113.3', 'fd00::1']);
    expect(compile([grown, six], [web(1, { ...dual, assigned: ['203.0.113.2'] })]).of('shop/web1')).toBe(
      '203.0.113.2 fd00::1',
    );
  });

  test('a family that the Service lost is given back', () => {
    expect(compile([both], [web(1, { assigned: ['203.0.113.1', 'fd00::1'] })]).of('shop/web1')).toBe(
      '203.0.113.1',
    );
  });

  test('both asked for must be of one pool with RequireDualStack', () => {
    const asks = {
      ...dual,
      familyPolicy: 'RequireDualStack' as const,
      requested: { field: 'f', addresses: ['203.0.113.1', 'fd01::1'] },
    };
    const { of, texts } = compile([both, pool('six', ['fd01::1'])], [web(1, asks)]);
    expect(of('shop/web1')).toBe('');
    expect(texts[0]).toContain('two IPAddressPools');
  });
});

describe('one address for several Services', () => {
  const key = { sharingKey: 'k' };
  const port = (port: number, protocol: 'tcp' | 'udp' = 'tcp') => ({ ports: [{ protocol, port }] });

  test('with one key, other ports and policy Cluster', () => {
    const { of } = compile(
      [small],
      [
        web(1, key),
        web(2, { ...key, ...port(443) }),
        web(3, { ...key, ...port(80, 'udp') }),
        web(4, key),
        web(5, { sharingKey: 'other', ...port(1) }),
      ],
    );
    expect([1, 2, 3, 4, 5].map((order) => of(`shop/web${order}`))).toEqual([
      '203.0.113.1',
      '203.0.113.1',
      '203.0.113.1',
      '203.0.113.2',
      '203.0.113.3',
    ]);
  });

  test('with policy Local only with the same selector', () => {
    const local = { ...key, local: true };
    const { of } = compile(
      [small],
      [
        web(1, { ...local, selector: 'a=b' }),
        web(2, { ...local, selector: 'a=b', ...port(81) }),
        web(3, { ...local, selector: 'a=c', ...port(82) }),
        web(4, { ...key, ...port(83) }),
      ],
    );
    expect([1, 2, 3, 4].map((order) => of(`shop/web${order}`))).toEqual([
      '203.0.113.1',
      '203.0.113.1',
      '203.0.113.2',
      '203.0.113.3',
    ]);
  });

  test('asked for: the one who holds it is named, with what stands against it', () => {
    const asks = { requested: { field: 'f', addresses: ['203.0.113.1'] } };
    const { texts } = compile([small], [web(1, { ...key, ...asks }), web(2, { ...key, ...asks })]);
    expect(texts).toEqual([
      'web2 AllocationFailed 203.0.113.1 is held by Service shop/web1, which has port tcp/80, too',
    ]);
  });
});

describe('pools beside each other', () => {
  test('what overlaps is the older one’s; the younger one has the rest', () => {
    const younger = pool('a-young', ['203.0.113.2-203.0.113.5'], { created: '2026-02-01T00:00:00Z' });
    const { of, texts } = compile([younger, small], [web(1, { pool: 'a-young' }), web(2, { pool: 'small' })]);
    expect([of('shop/web1'), of('shop/web2')]).toEqual(['203.0.113.4', '203.0.113.1']);
    expect(texts).toEqual(['a-young Overlap 203.0.113.2-203.0.113.5 overlaps IPAddressPool small']);
  });

  test('of two with one name the older one is the pool', () => {
    const other = pool('small', ['198.51.100.1'], {
      created: '2026-02-01T00:00:00Z',
      origin: { kind: 'IPAddressPool', namespace: 'x', name: 'small' },
    });
    const { of, texts } = compile([other, small], [web(1)]);
    expect(of('shop/web1')).toBe('203.0.113.1');
    expect(texts).toEqual(['small DuplicatePool namespace metallb-system has it, too, and for longer']);
  });

  test('a pool that shrank under its Services says so, and gives nothing of what it lost', () => {
    const shrunk = pool('small', ['203.0.113.1']);
    const { of, texts, value } = compile(
      [shrunk],
      [web(1), web(2, { assigned: ['203.0.113.2'], assignedFrom: 'small' })],
    );
    expect([of('shop/web1'), of('shop/web2')]).toEqual(['203.0.113.1', '203.0.113.2']);
    expect(texts).toContain(
      'small AddressKept taken out of the pool, but Services have them and keep them: 203.0.113.2 (shop/web2)',
    );
    expect(value.usage).toMatchObject([{ name: 'small', services: 2, ipv4: { assigned: 1, available: 0n } }]);
  });
});
