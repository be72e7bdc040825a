/** Calico's IPPools as Subnets: those that serve the same pods alike become one, of several prefixes. */
import type { Subnet } from '#api/kinds/subnet.ts';
import type { KubeObject, LabelSelector } from '#api/object.ts';
import { parseCalicoSelector } from './calico-selector.ts';
import { openFields, type Report } from './fields.ts';
import { specOf } from './kube-ovn.ts';
import { titleOf } from './metadata.ts';

export type PoolSubnet = {
  readonly name: string;
  /** Names of the pools, by family. */
  readonly pools: { readonly ipv4: readonly string[]; readonly ipv6: readonly string[] };
  readonly spec: Subnet['spec'];
};

type Pool = {
  readonly name: string;
  readonly cidr: string;
  readonly isIPv6: boolean;
  readonly blockSize: number | undefined;
  /** What must be alike in a Subnet. */
  readonly travel: Readonly<Record<string, unknown>>;
  readonly selector: LabelSelector | undefined;
  /** Gives addresses only to pods that ask for it. */
  readonly isManual: boolean;
};

/**
 * Pods of Calico take from any enabled pool that selects their namespace. Pools without a selector make the Subnet `default`; those
 * with one selector make one Subnet, named after the first; a pool that only gives on demand is a Subnet that serves no namespace.
 */
export function translatePools(objects: readonly KubeObject[], report: Report): readonly PoolSubnet[] {
  const groups = new Map<string, Pool[]>();
  for (const object of objects) {
    const pool = readPool(object, report);
    if (pool === undefined) continue;
    const key = pool.isManual ? `manual ${pool.name}` : `by ${JSON.stringify(pool.selector ?? null)}`;
    const group = groups.get(key) ?? [];
    const first = group.find((other) => differs(other, pool) !== undefined);
    if (first === undefined) groups.set(key, [...group, pool]);
    else {
      report.lost(
        titleOf(object),
        `spec.${differs(first, pool)}`,
        `differs from that of pool ${first.name}, and a Subnet has one: the pool is left out`,
      );
    }
  }
  return [...groups.values()].map((pools) => {
    const isDefault = !pools[0]!.isManual && pools[0]!.selector === undefined;
    const name = isDefault ? 'default' : pools[0]!.name;
    if (!isDefault && name === 'default') {
      const reason = 'the Subnet of this name serves every namespace that no other names';
      report.lost('IPPool default', 'metadata.name', reason);
    }
    return subnetOf(name, pools);
  });
}

function subnetOf(name: string, pools: readonly Pool[]): PoolSubnet {
  const [first] = pools as [Pool];
  const size = (isIPv6: boolean) => pools.find((pool) => pool.isIPv6 === isIPv6)?.blockSize;
  const [ipv4, ipv6] = [size(false), size(true)];
  const names = (isIPv6: boolean) => pools.filter((pool) => pool.isIPv6 === isIPv6).map((pool) => pool.name);
  return {
    name,
    pools: { ipv4: names(false), ipv6: names(true) },
    spec: {
      cidrs: pools.map((pool) => pool.cidr),
      ...first.travel,
      ...(first.selector === undefined ? {} : { namespaceSelector: first.selector }),
      ...(ipv4 === undefined && ipv6 === undefined
        ? {}
        : {
            blockSizes: {
              ...(ipv4 === undefined ? {} : { ipv4 }),
              ...(ipv6 === undefined ? {} : { ipv6 }),
            },
          }),
    } as Subnet['spec'],
  };
}

function readPool(object: KubeObject, report: Report): Pool | undefined {
  const fields = openFields(specOf(object), titleOf(object), 'spec', report);
  const cidr = fields.text('cidr');
  if (cidr === undefined) return fields.lost('cidr', 'is missing: the pool is left out');
  if (fields.take('disabled') === true) {
    return fields.lost('disabled', 'a pool that gives no addresses is left out');
  }
  const uses = fields.texts('allowedUses');
  if (uses.length > 0 && !uses.includes('Workload')) {
    return fields.lost('allowedUses', 'the pool gives pods no address, and is left out');
  }
  if (uses.includes('LoadBalancer'))
    fields.lost('allowedUses', 'has no equal: pods and nodes alone take from a Subnet');
  if (uses.length > 0 && !uses.includes('Tunnel')) {
    fields.note('allowedUses', "a node takes its own address in the tunnel from an overlay Subnet's blocks");
  }
  const ipip = fields.text('ipipMode') ?? 'Never';
  const vxlan = fields.text('vxlanMode') ?? 'Never';
  if (ipip !== 'Never') fields.note('ipipMode', 'the tunnel is VXLAN (UDP 4789), not IP in IP');
  const isTunnelled = ipip !== 'Never' || vxlan !== 'Never';
  const isCross = ipip === 'CrossSubnet' || vxlan === 'CrossSubnet';
  fields.only('nodeSelector', ['all()'], 'has no equal: any node takes blocks of a Subnet');
  fields.refuse(
    'disableBGPExport',
    'has no equal: blocks of a routed Subnet are announced to all BGPNeighbors',
  );
  const isManual = fields.take('assignmentMode') === 'Manual';
  const text = fields.text('namespaceSelector');
  const selector = text === undefined || text === 'all()' ? undefined : parseCalicoSelector(text);
  if (text !== undefined && text !== 'all()' && selector === undefined) {
    return fields.lost('namespaceSelector', 'can not be said with labels: the pool is left out');
  }
  if (!isTunnelled) {
    fields.note(
      'vxlanMode',
      'who outside may open connections to routed pods is named in allowInboundFrom: nobody by default',
    );
  }
  const blockSize = fields.take('blockSize');
  const natOutgoing = fields.take('natOutgoing') === true;
  fields.close('has no equal');
  return {
    name: object.metadata.name,
    cidr,
    isIPv6: cidr.includes(':'),
    blockSize: typeof blockSize === 'number' ? blockSize : undefined,
    travel: {
      mode: isTunnelled ? 'overlay' : 'routed',
      ...(isCross ? { crossSubnet: true } : {}),
      outboundAddress: natOutgoing ? 'Node' : 'Pod',
    },
    selector,
    isManual,
  };
}

/** The field in which two pools of one Subnet may not differ. */
function differs(a: Pool, b: Pool): string | undefined {
  const field = (name: string) => a.travel[name] !== b.travel[name];
  if (field('mode') || field('crossSubnet')) return b.travel['mode'] === 'routed' ? 'vxlanMode' : 'ipipMode';
  if (field('outboundAddress')) return 'natOutgoing';
  return a.isIPv6 === b.isIPv6 && a.blockSize !== b.blockSize ? 'blockSize' : undefined;
}
