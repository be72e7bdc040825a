/** What FRR says of its sessions (`show bgp neighbors json`). */
import type { BGPSession } from '#intent/handover.ts';

export type PeerState = Omit<BGPSession, 'neighbor' | 'address'>;

type Peer = {
  readonly bgpState?: string;
  readonly bgpTimerUpEstablishedEpoch?: number;
  readonly lastResetDueTo?: string;
  readonly lastNotificationReason?: string;
  readonly addressFamilyInfo?: Readonly<
    Record<string, { readonly acceptedPrefixCounter?: number; readonly sentPrefixCounter?: number }>
  >;
  readonly peerBfdInfo?: { readonly status?: string };
};

/** By address. What can't be read is no peer. */
export function readPeers(text: string): ReadonlyMap<string, PeerState> {
  const peers = new Map<string, PeerState>();
  let all: Readonly<Record<string, unknown>>;
  try {
    all = JSON.parse(text) as Readonly<Record<string, unknown>>;
  } catch {
    return peers;
  }
  for (const [address, value] of Object.entries(all)) {
    if (typeof value !== 'object' || value === null || !('bgpState' in value)) continue;
    peers.set(address, stateOf(value as Peer));
  }
  return peers;
}

function stateOf(peer: Peer): PeerState {
  const state = peer.bgpState ?? 'Unknown';
  const families = Object.values(peer.addressFamilyInfo ?? {});
  const sum = (pick: (family: (typeof families)[number]) => number | undefined) =>
    families.reduce((total, family) => total + (pick(family) ?? 0), 0);
  const established = state === 'Established';
  const epoch = peer.bgpTimerUpEstablishedEpoch;
  const message = [peer.lastResetDueTo, peer.lastNotificationReason]
    .filter((text) => text !== undefined)
    .join(': ');
  return {
    state,
    ...(established && epoch !== undefined
      ? { since: new Date(epoch * 1000).toISOString().replace('.000', '') }
      : {}),
    received: sum((family) => family.acceptedPrefixCounter),
    sent: sum((family) => family.sentPrefixCounter),
    ...(peer.peerBfdInfo?.status === undefined ? {} : { bfd: peer.peerBfdInfo.status }),
    ...(established || message === '' ? {} : { message: message.slice(0, 1000) }),
  };
}
