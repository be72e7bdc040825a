/** Services wait until kube-proxy is gone, and yield when it comes; nothing else waits. */
import { expect, it } from 'vitest';
import { createNftablesEngine } from '#engines/nftables/driver.ts';
import { createFakeConntrack, createFakeNft } from '#engines/nftables/fake.ts';
import { emptyIntent, type ServiceIntent } from '#intent/node.ts';
import { eventually } from '#lab/eventually.ts';
import { createLog } from '#telemetry/log.ts';
import { besideKubeProxy } from './beside-kube-proxy.ts';

const service = (last: number): ServiceIntent => ({
  origin: { kind: 'Service', name: 's' },
  protocol: 'tcp',
  frontends: [{ address: `10.96.0.${last}`, port: 80 }],
  backends: [{ address: '10.244.0.2', port: 8080 }],
});
const subnet = {
  origin: { kind: 'Subnet', name: 'default' },
  cidrs: ['10.244.0.0/16'],
  mode: 'overlay' as const,
  masquerade: true,
  allowFrom: [],
  excluded: [],
};

function open(found: string[]) {
  const nft = createFakeNft();
  const lines: string[] = [];
  let changes = 0;
  const engine = besideKubeProxy(createNftablesEngine({}, { nft, conntrack: createFakeConntrack() }), {
    find: () => found,
    log: createLog({ level: 'info', format: 'text', write: (line) => void lines.push(line) }),
    onChange: () => void changes++,
    lookEveryMs: 5,
  });
  const frontends = async () => [...(await nft.readElements('services4')).keys()];
  const whole = (services: Record<string, ServiceIntent>) =>
    engine.apply({
      generation: 1,
      replace: true,
      put: { ...emptyIntent, subnets: { default: subnet }, services },
      remove: {},
    });
  return { nft, engine, lines, frontends, whole, changes: () => changes };
}

it('serves at once where there is no kube-proxy', async () => {
  const { engine, frontends, whole } = open([]);
  await whole({ a: service(1) });
  expect(await frontends()).toEqual(['10.96.0.1 . 6 . 80']);
  expect(engine.withheld()).toBeUndefined();
  await engine.close();
});

it('holds all but Services beside kube-proxy, says why, and serves the latest when it is gone', async () => {
  const found = ['nft table ip kube-proxy'];
  const { nft, engine, lines, frontends, whole, changes } = open(found);
  await whole({ a: service(1), b: service(2) });
  expect(await frontends()).toEqual([]);
  expect((await nft.readElements('podSubnets4')).size).toBe(1);
  expect(engine.withheld()).toMatch(/kube-proxy serves this node's Services \(nft table ip kube-proxy\)/);
  expect(lines.filter((line) => line.includes('nft delete table ip kube-proxy'))).toHaveLength(1);
  await engine.apply({
    generation: 2,
    replace: false,
    put: { services: { c: service(3) } },
    remove: { services: ['a'] },
  });
  expect(await frontends()).toEqual([]);
  found.length = 0;
  await eventually(async () =>
    expect((await frontends()).sort()).toEqual(['10.96.0.2 . 6 . 80', '10.96.0.3 . 6 . 80']),
  );
  expect(engine.withheld()).toBeUndefined();
  expect(changes()).toBe(2);
  await engine.close();
});

it('yields when kube-proxy comes, and a restart of Netloom changes nothing of that', async () => {
  const found: string[] = [];
  const { engine, frontends, whole } = open(found);
  await whole({ a: service(1) });
  found.push('iptables chain KUBE-SERVICES');
  await eventually(async () => expect(await frontends()).toEqual([]));
  expect(engine.withheld()).toContain('kube-proxy --cleanup');
  await whole({ a: service(1) });
  expect(await frontends()).toEqual([]);
  await engine.close();
});
