/** Reads BGPPeers. */
import type { BGPPeer } from '#api/kinds/bgppeer.ts';
import type { LabelSelector } from '#api/object.ts';
import type { BGPNeighborIntent } from '#intent/node.ts';
import type { Origin } from '#intent/origin.ts';
import { canonicalAddr, parseAddr } from '#net/addr.ts';
import { readASN, readPeerAddress, type SecretReference } from './bgpneighbor.ts';
import { parseDuration } from './duration.ts';
import { collectProblems, originOf, type Read, type Refuse } from './problem.ts';
import { readSelector } from './selector.ts';

export type BGPPeerModel = {
  readonly origin: Origin;
  readonly name: string;
  readonly namespace: string;
  /** RFC 3339; of two that can't both be, the older stays. */
  readonly created: string;
  /** Any of them; empty: every node. */
  readonly nodeSelectors: readonly LabelSelector[];
  /** As it is, or where it stands: a Secret of type `kubernetes.io/basic-auth`. */
  readonly password?: string | SecretReference;
  /** `namespace/name` of a BFDProfile. */
  readonly bfdProfile?: string;
  readonly session: Omit<BGPNeighborIntent, 'origin' | 'password' | 'bfd' | 'mesh'>;
};

type Spec = NonNullable<BGPPeer['spec']>;

/** Upstream's, where a keepalive time alone is given. */
const defaultHoldSeconds = 90;

/** One with anything wrong is not used at all: half a peer is told what nobody asked for. */
export function readBGPPeer(object: BGPPeer): Read<BGPPeerModel> {
  const origin = originOf(object);
  const { problems, refuse } = collectProblems(origin);
  const { name, namespace = '', creationTimestamp = '' } = object.metadata;
  const { spec } = object;
  if (spec === undefined) {
    refuse('spec', 'Required', 'says nothing; myASN, peerASN and peerAddress are the least');
    return { value: undefined, problems };
  }
  const [address, device] = [spec.peerAddress ?? '', spec.interface ?? ''];
  if ((address === '') === (device === ''))
    refuse(
      address === '' ? 'spec.peerAddress' : 'spec.interface',
      address === '' ? 'Required' : 'NotSupported',
      'give either peerAddress or interface',
    );
  const peerAddress = address === '' ? undefined : readPeerAddress('spec.peerAddress', address, refuse);
  const family = peerAddress?.includes(':') === true ? 6 : 4;
  const localASN = readASN('spec.myASN', spec.myASN, refuse) ?? 0;
  const peerASN = readPeerASN(spec, refuse);
  const external = peerASN === 'external' || (typeof peerASN === 'number' && peerASN !== localASN);
  if (spec.ebgpMultiHop === true && (!external || device !== ''))
    refuse(
      'spec.ebgpMultiHop',
      'NotSupported',
      device === ''
        ? 'is for a peer in another AS; internal sessions may be over many hops as they are'
        : 'is not for a peer that is found on an interface',
    );
  if (spec.disableMP === true && spec.dualStackAddressFamily === true)
    refuse(
      'spec.disableMP',
      'NotSupported',
      'says one family a session, and dualStackAddressFamily says both',
    );
  const both = spec.dualStackAddressFamily === true || (device !== '' && spec.disableMP !== true);
  const password = readPassword(spec, namespace, refuse);
  const timers = readTimers(spec, refuse);
  const shownASN = readShownASN(spec, localASN, peerASN, external, refuse);
  const routerID = readRouterID(spec.routerID, refuse);
  const sourceAddress = readSource(spec.sourceAddress, device === '' ? family : undefined, refuse);
  const connectTime = readConnectTime(spec.connectTime, refuse);
  const nodeSelectors = (spec.nodeSelectors ?? []).flatMap(
    (each, index) => readSelector(each, `spec.nodeSelectors[${index}]`, refuse) ?? [],
  );
  const vrf = deviceName('spec.vrf', spec.vrf, refuse);
  const value: BGPPeerModel = {
    origin,
    name,
    namespace,
    created: creationTimestamp,
    nodeSelectors,
    ...(password === undefined ? {} : { password }),
    ...(spec.bfdProfile === undefined || spec.bfdProfile === ''
      ? {}
      : { bfdProfile: `${namespace}/${spec.bfdProfile}` }),
    session: {
      address: peerAddress ?? '',
      interface: deviceName('spec.interface', spec.interface, refuse),
      vrf,
      port: spec.peerPort === undefined || spec.peerPort === 0 ? 179 : spec.peerPort,
      localASN,
      shownASN,
      routerID,
      sourceAddress,
      peerASN,
      families: both ? [4, 6] : [family],
      timers,
      connectTime,
      multiHop: spec.ebgpMultiHop === true,
      importPrefixes: [],
      gracefulRestart: spec.enableGracefulRestart === true,
      servicesOnly: true,
    },
  };
  return problems.length > 0 ? { value: undefined, problems } : { value, problems };
}

function readPeerASN({ peerASN = 0, dynamicASN }: Spec, refuse: Refuse): BGPNeighborIntent['peerASN'] {
  if (peerASN !== 0 && dynamicASN !== undefined)
    refuse('spec.dynamicASN', 'NotSupported', 'give either peerASN or dynamicASN');
  if (dynamicASN !== undefined) return dynamicASN;
  if (peerASN !== 0) return readASN('spec.peerASN', peerASN, refuse) ?? 'external';
  refuse('spec.peerASN', 'Required', "needs the peer's AS number, or dynamicASN");
  return 'external';
}

function readShownASN(
  { localASN: shown }: Spec,
  own: number,
  peerASN: BGPNeighborIntent['peerASN'],
  external: boolean,
  refuse: Refuse,
): number | undefined {
  if (shown === undefined) return undefined;
  if (!external) return refuse('spec.localASN', 'NotSupported', 'is for a peer in another AS');
  if (shown === own || shown === peerASN)
    return refuse(
      'spec.localASN',
      'InvalidASN',
      `AS ${shown} is ${shown === own ? 'myASN' : 'peerASN'} already`,
    );
  return readASN('spec.localASN', shown, refuse);
}

function readPassword(
  { password = '', passwordSecret }: Spec,
  namespace: string,
  refuse: Refuse,
): string | SecretReference | undefined {
  const name = passwordSecret?.name ?? '';
  const other = passwordSecret?.namespace ?? '';
  if (password !== '' && name !== '')
    return refuse('spec.passwordSecret', 'NotSupported', 'give either password or passwordSecret');
  if (password !== '')
    return isUsablePassword(password)
      ? password
      : refuse(
          'spec.password',
          'PasswordUnusable',
          'is not 1 to 80 characters of printable ASCII without blanks',
        );
  if (other !== '' && (name === '' || other !== namespace))
    return refuse(
      name === '' ? 'spec.passwordSecret.name' : 'spec.passwordSecret.namespace',
      name === '' ? 'Required' : 'NotSupported',
      name === '' ? 'is empty' : `the Secret must be in the namespace of the BGPPeer, ${namespace}`,
    );
  return name === '' ? undefined : { namespace, name, key: 'password', type: 'kubernetes.io/basic-auth' };
}

/** FRR's command takes the rest of the line: nothing but visible characters gets there. */
export function isUsablePassword(text: string): boolean {
  return /^[!-~]{1,80}$/.test(text);
}

/** RFC 4271 §4.2: whole seconds in 16 bits; a hold time of zero, which is never, has no keepalive either. */
function readTimers({ holdTime, keepaliveTime }: Spec, refuse: Refuse): BGPNeighborIntent['timers'] {
  if (holdTime === undefined && keepaliveTime === undefined) return undefined;
  const hold = holdTime === undefined ? defaultHoldSeconds : seconds(holdTime);
  if (hold === undefined || (hold !== 0 && hold < 3) || hold > 65_535)
    return refuse('spec.holdTime', 'InvalidTimeout', `"${holdTime}" is neither 0s nor from 3s to 65535s`);
  const keepalive = keepaliveTime === undefined ? Math.floor(hold / 3) : seconds(keepaliveTime);
  if (keepalive === undefined || keepalive > hold)
    return refuse(
      'spec.keepaliveTime',
      'InvalidTimeout',
      `"${keepaliveTime}" is no time up to the hold time, ${hold}s`,
    );
  return { keepalive, hold };
}

/** Rounded down, as upstream has it. */
function seconds(text: string): number | undefined {
  const milliseconds = parseDuration(text);
  return milliseconds === undefined ? undefined : Math.floor(milliseconds / 1000);
}

function readConnectTime(text: string | undefined, refuse: Refuse): number | undefined {
  if (text === undefined) return undefined;
  const milliseconds = parseDuration(text) ?? Number.NaN;
  const whole = milliseconds / 1000;
  if (Number.isInteger(whole) && whole >= 1 && whole <= 65_535) return whole;
  return refuse(
    'spec.connectTime',
    'InvalidTimeout',
    `"${text}" is no time from 1s to 65535s in whole seconds`,
  );
}

function readRouterID(text: string | undefined, refuse: Refuse): string | undefined {
  if (text === undefined || text === '') return undefined;
  const addr = parseAddr(text);
  if (addr?.family === 4 && addr.value !== 0n) return canonicalAddr(text);
  return refuse('spec.routerID', 'InvalidAddress', `"${text}" is not in the form of an IPv4 address`);
}

function readSource(text: string | undefined, family: 4 | 6 | undefined, refuse: Refuse): string | undefined {
  if (text === undefined || text === '') return undefined;
  if (family === undefined)
    return refuse(
      'spec.sourceAddress',
      'NotSupported',
      'is not for a peer that is found on an interface, whose sessions are between link-local addresses',
    );
  const addr = parseAddr(text);
  if (addr === undefined)
    return refuse('spec.sourceAddress', 'InvalidAddress', `"${text}" is not an IP address`);
  if (addr.family === family) return canonicalAddr(text);
  return refuse('spec.sourceAddress', 'WrongFamily', `${text} is not of the family of peerAddress`);
}

/** As the kernel has it (dev_valid_name). */
function deviceName(field: string, text: string | undefined, refuse: Refuse): string | undefined {
  if (text === undefined || text === '') return undefined;
  if (/^[!-.0-9;-~]{1,15}$/.test(text) && text !== '.' && text !== '..') return text;
  return refuse(field, 'InvalidInterface', `"${text}" is no name of a network device`);
}
