/** Reads BGPNeighbors. */
import type { BGPNeighbor } from '#api/kinds/bgpneighbor.ts';
import type { LabelSelector } from '#api/object.ts';
import type { BGPNeighborIntent, ImportPrefix } from '#intent/node.ts';
import type { Origin } from '#intent/origin.ts';
import { addressBits, canonicalAddr, type Family, formatAddr, parseAddr } from '#net/addr.ts';
import { formatPrefix, type Prefix, parsePrefix, prefixHas } from '#net/prefix.ts';
import { collectProblems, originOf, type Read, type Refuse } from './problem.ts';

export type SecretReference = {
  readonly namespace: string;
  readonly name: string;
  readonly key: string;
  /** The Secret must be of this type; absent: any. */
  readonly type?: string;
};

export type BGPNeighborModel = {
  readonly origin: Origin;
  readonly name: string;
  /** RFC 3339; of two that can't both be, the older stays. */
  readonly created: string;
  /** A router; or, instead, the nodes that `peerNodeSelector` takes. */
  readonly address?: string | undefined;
  readonly peerNodeSelector?: LabelSelector | undefined;
  /** Absent: every node. */
  readonly nodeSelector?: LabelSelector | undefined;
  readonly password?: SecretReference | undefined;
  /** Nodes of `peerNodeSelector` reflect for those of `nodeSelector`. */
  readonly clusterID?: string | undefined;
} & Pick<
  BGPNeighborIntent,
  'port' | 'localASN' | 'peerASN' | 'families' | 'bfd' | 'timers' | 'multiHop' | 'importPrefixes'
>;

/** AS numbers that no speaker may have (RFC 7607, RFC 6793, RFC 7300). */
const reservedASNs = new Set([0, 23_456, 65_535, 4_294_967_295]);
const lastASN = 4_294_967_295;
const systemNamespace = 'netloom-system';
/** FRR's own. */
const defaultHoldSeconds = 180;

/** One with anything wrong is not used at all: half a neighbor announces or takes what nobody asked for. */
export function readBGPNeighbor(object: BGPNeighbor): Read<BGPNeighborModel> {
  const origin = originOf(object);
  const { problems, refuse } = collectProblems(origin);
  const { spec } = object;
  const mesh = spec.peerNodeSelector !== undefined;
  const address = mesh ? undefined : readAddress(spec.address, refuse);
  const family = address === undefined ? undefined : parseAddr(address)?.family;
  if (mesh && spec.address !== undefined)
    refuse('spec.peerNodeSelector', 'NotSupported', 'give either address or peerNodeSelector');
  const localASN = readASN('spec.localASN', spec.localASN, refuse) ?? 0;
  const peerASN = readPeerASN(spec.asn, localASN, mesh, refuse);
  const external = peerASN === 'external' || (typeof peerASN === 'number' && peerASN !== localASN);
  if (spec.ebgpMultiHop === true && !external)
    refuse(
      'spec.ebgpMultiHop',
      'NotSupported',
      'is for a neighbor in another AS; internal sessions may be over many hops as they are',
    );
  if (spec.routeReflector !== undefined && !mesh)
    refuse(
      'spec.routeReflector',
      'NotSupported',
      'needs peerNodeSelector, which says which nodes are the reflectors',
    );
  const clusterID = readClusterID(spec.routeReflector?.clusterID, refuse);
  const families = (spec.families ?? [])
    .map((text): Family => (text === 'IPv4' ? 4 : 6))
    .sort((a, b) => a - b);
  const value: BGPNeighborModel = {
    origin,
    name: object.metadata.name,
    created: object.metadata.creationTimestamp ?? '',
    address,
    peerNodeSelector: spec.peerNodeSelector as LabelSelector | undefined,
    nodeSelector: spec.nodeSelector as LabelSelector | undefined,
    password: secretOf(spec.passwordSecretRef),
    clusterID,
    port: spec.port ?? 179,
    localASN,
    peerASN,
    families: families.length > 0 ? families : mesh ? [4, 6] : [family ?? 4],
    bfd: bfdOf(spec.bfd),
    timers: readTimers(spec.holdTime, spec.keepaliveTime, refuse),
    multiHop: spec.ebgpMultiHop === true,
    importPrefixes: (spec.importPrefixes ?? []).flatMap(
      (each, index) => readImport(each, `spec.importPrefixes[${index}]`, refuse) ?? [],
    ),
  };
  return problems.length > 0 ? { value: undefined, problems } : { value, problems };
}

/** Where a session can't end: unspecified, loopback, link-local (which needs an interface), multicast. */
const unreachable = [
  '0.0.0.0/8',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '224.0.0.0/3',
  '::/8',
  'fe80::/10',
  'ff00::/8',
].map((text) => parsePrefix(text) as Prefix);

function readAddress(text: string | undefined, refuse: Refuse): string | undefined {
  if (text === undefined) return refuse('spec.address', 'Required', 'needs address or peerNodeSelector');
  return readPeerAddress('spec.address', text, refuse);
}

/** An address that a session can end at, canonical. */
export function readPeerAddress(field: string, text: string, refuse: Refuse): string | undefined {
  const addr = parseAddr(text);
  if (addr === undefined) return refuse(field, 'InvalidAddress', `"${text}" is not an IP address`);
  const taken = unreachable.find((prefix) => prefixHas(prefix, addr));
  if (taken === undefined) return formatAddr(addr);
  return refuse(field, 'InvalidAddress', `${text} is in ${formatPrefix(taken)}: no neighbor can be there`);
}

export function readASN(field: string, value: unknown, refuse: Refuse): number | undefined {
  const number = typeof value === 'string' && /^\d{1,10}$/.test(value) ? Number(value) : value;
  if (typeof number !== 'number' || !Number.isInteger(number) || number < 0 || number > lastASN)
    return refuse(
      field,
      'InvalidASN',
      `${JSON.stringify(value) ?? 'nothing'} is no AS number from 1 to ${lastASN}`,
    );
  if (reservedASNs.has(number)) return refuse(field, 'InvalidASN', `AS ${number} is reserved`);
  return number;
}

function readPeerASN(
  value: unknown,
  localASN: number,
  mesh: boolean,
  refuse: Refuse,
): BGPNeighborIntent['peerASN'] {
  if (mesh) {
    const same = value === undefined || value === 'internal' || Number(value) === localASN;
    if (!same)
      refuse('spec.asn', 'InvalidASN', 'nodes of one mesh are in one AS: leave it out, or write internal');
    return 'internal';
  }
  if (value === 'internal' || value === 'external') return value;
  if (value === undefined) {
    refuse('spec.asn', 'Required', "needs the neighbor's AS number, `internal` or `external`");
    return 'external';
  }
  return readASN('spec.asn', value, refuse) ?? 'external';
}

function readClusterID(text: string | undefined, refuse: Refuse): string | undefined {
  if (text === undefined) return undefined;
  const addr = parseAddr(text);
  if (addr?.family === 4 && addr.value !== 0n) return canonicalAddr(text);
  return refuse(
    'spec.routeReflector.clusterID',
    'InvalidAddress',
    `"${text}" is not in the form of an IPv4 address`,
  );
}

function secretOf(
  reference: NonNullable<BGPNeighbor['spec']['passwordSecretRef']> | undefined,
): SecretReference | undefined {
  if (reference === undefined) return undefined;
  const { namespace = systemNamespace, name, key = 'password' } = reference;
  return { namespace, name, key };
}

function bfdOf(bfd: BGPNeighbor['spec']['bfd']): BGPNeighborIntent['bfd'] {
  if (bfd === undefined) return undefined;
  const { receiveInterval = 300, transmitInterval = 300, detectMultiplier = 3 } = bfd;
  return { receiveInterval, transmitInterval, detectMultiplier };
}

/** RFC 4271 §4.2: hold time 3 seconds at least, in 16 bits; `0s`, which means never, is refused as it hides a dead neighbor. */
function readTimers(
  holdText: string | undefined,
  keepaliveText: string | undefined,
  refuse: Refuse,
): BGPNeighborIntent['timers'] {
  if (holdText === undefined && keepaliveText === undefined) return undefined;
  const hold = holdText === undefined ? defaultHoldSeconds : seconds(holdText);
  if (hold === undefined || hold < 3 || hold > 65_535)
    return refuse('spec.holdTime', 'InvalidTimeout', `"${holdText}" is no time from 3s to 65535s`);
  const keepalive = keepaliveText === undefined ? Math.floor(hold / 3) : seconds(keepaliveText);
  if (keepalive === undefined || keepalive < 1 || keepalive >= hold)
    return refuse(
      'spec.keepaliveTime',
      'InvalidTimeout',
      `"${keepaliveText}" is no time from 1s to below the hold time, ${hold}s`,
    );
  return { keepalive, hold };
}

function seconds(text: string): number | undefined {
  const parts = /^(\d{1,5})([smh])$/.exec(text);
  if (parts === null) return undefined;
  return Number(parts[1]) * { s: 1, m: 60, h: 3600 }[parts[2] as 's' | 'm' | 'h'];
}

function readImport(
  { prefix: text, ge, le }: ImportPrefix,
  field: string,
  refuse: Refuse,
): ImportPrefix | undefined {
  const prefix = parsePrefix(text);
  if (prefix === undefined)
    return refuse(`${field}.prefix`, 'InvalidCIDR', `"${text}" is no prefix with host bits zero`);
  const bits = addressBits(prefix.family);
  if (ge !== undefined && !(ge > prefix.length && ge <= bits))
    return refuse(`${field}.ge`, 'InvalidRange', `${ge} is not above /${prefix.length} and at most /${bits}`);
  const least = ge ?? prefix.length;
  if (le !== undefined && !(le >= least && le <= bits))
    return refuse(`${field}.le`, 'InvalidRange', `${le} is not from /${least} to /${bits}`);
  return { prefix: formatPrefix(prefix), ge, le };
}
