/** BGPNeighbors, BGPPeers, Nodes and passwords become the BGP sessions of one node. */
import type { BGPNeighborIntent, NodeIntent } from '#intent/node.ts';
import { formatOrigin, type Origin } from '#intent/origin.ts';
import type { BFDProfileModel } from '#model/bfdprofile.ts';
import type { BGPNeighborModel, SecretReference } from '#model/bgpneighbor.ts';
import { type BGPPeerModel, isUsablePassword } from '#model/bgppeer.ts';
import type { NodeModel } from '#model/node.ts';
import type { Problem } from '#model/problem.ts';
import { type Aged, addressConflict, asnConflict, olderFirst, routerIDConflict } from './age.ts';
import { hasPeer, peerSession } from './peers.ts';
import { sessionsOf } from './sessions.ts';

/** What is known of a Secret's key; `undefined` in the map: not looked at yet, so nothing is wrong with it either. */
export type Password = { readonly value: string } | { readonly missing: string };

export type BGPSnapshot = {
  readonly neighbors: readonly BGPNeighborModel[];
  readonly peers?: readonly BGPPeerModel[];
  /** By `namespace/name`. */
  readonly profiles?: ReadonlyMap<string, BFDProfileModel>;
  readonly nodes: readonly NodeModel[];
  /** By `secretKey`. */
  readonly passwords: ReadonlyMap<string, Password>;
};

export type BGPIntent = Pick<NodeIntent, 'bgpNeighbors'>;

export function secretKey({ namespace, name, key, type }: SecretReference): string {
  return `${namespace}/${name}/${key}${type === undefined ? '' : ` ${type}`}`;
}

/** A BGPNeighbor or BGPPeer that this node has, whatever it is. */
type Wish = Aged & {
  readonly sessions: readonly { readonly key: string; readonly session: Session; readonly isMesh: boolean }[];
  readonly password?: string | SecretReference | undefined;
  readonly passwordField: string;
  readonly bfdProfile?: string | undefined;
};
type Session = Omit<BGPNeighborIntent, 'origin' | 'password'>;

/** The sessions of the node named `self`, and what is wrong with the neighbors that it has. */
export function compileBGP(
  snapshot: BGPSnapshot,
  self: string,
): { readonly value: BGPIntent; readonly problems: readonly Problem[] } {
  const node = snapshot.nodes.find(({ name }) => name === self);
  const problems: Problem[] = [];
  const entries: [string, BGPNeighborIntent][] = [];
  if (node === undefined) return { value: { bgpNeighbors: {} }, problems };
  const wishes = [
    ...snapshot.neighbors.map((neighbor) => neighborWish(neighbor, node, snapshot.nodes)),
    ...(snapshot.peers ?? []).filter((peer) => hasPeer(peer, node)).map(peerWish),
  ].sort(olderFirst);
  const taken = new Map<string, Origin>();
  const asns = new Map<string, Aged>();
  let identified: Aged | undefined;
  for (const wish of wishes) {
    if (wish.sessions.length === 0) continue;
    const refuse = (field: string, code: Problem['code'], message: string): undefined => {
      problems.push({ object: wish.origin, field, code, message });
      return undefined;
    };
    const speaker = asns.get(wish.vrf);
    if (speaker !== undefined && speaker.localASN !== wish.localASN) {
      problems.push(asnConflict(wish, speaker));
      continue;
    }
    if (identified !== undefined && wish.routerID !== undefined && identified.routerID !== wish.routerID) {
      problems.push(routerIDConflict(wish, identified));
      continue;
    }
    const password = passwordOf(wish, snapshot.passwords, refuse);
    const bfd = profileOf(wish, snapshot.profiles, refuse);
    if (password === undefined || bfd === undefined) continue;
    asns.set(wish.vrf, speaker ?? wish);
    if (wish.routerID !== undefined) identified ??= wish;
    for (const { key, session, isMesh } of wish.sessions) {
      const place = `${wish.vrf} ${session.interface ?? session.address}`;
      const other = taken.get(place);
      if (other !== undefined) {
        // Two meshes may well overlap: whichever has the node is as good.
        if (!isMesh) problems.push(addressConflict(wish, formatOrigin(other)));
        continue;
      }
      taken.set(place, wish.origin);
      entries.push([key, { origin: wish.origin, ...session, ...bfd, ...password }]);
    }
  }
  entries.sort(([a], [b]) => (a < b ? -1 : 1));
  return { value: { bgpNeighbors: Object.fromEntries(entries) }, problems };
}

function neighborWish(neighbor: BGPNeighborModel, node: NodeModel, nodes: readonly NodeModel[]): Wish {
  const { origin, name, created, localASN, password } = neighbor;
  const sessions = sessionsOf(neighbor, node, nodes);
  const passwordField = 'spec.passwordSecretRef';
  return { origin, name, created, localASN, vrf: '', sessions, password, passwordField };
}

function peerWish(peer: BGPPeerModel): Wish {
  const { origin, name, created, password, bfdProfile, session } = peer;
  const { localASN, vrf = '', routerID } = session;
  return {
    origin,
    name,
    created,
    localASN,
    vrf,
    routerID,
    sessions: [{ ...peerSession(peer), isMesh: false }],
    password,
    passwordField: typeof password === 'string' ? 'spec.password' : 'spec.passwordSecret',
    bfdProfile,
  };
}

/** Undefined: there must be one, and there is none that can be used. */
function passwordOf(
  { password, passwordField }: Wish,
  known: BGPSnapshot['passwords'],
  refuse: (field: string, code: Problem['code'], message: string) => undefined,
): { readonly password?: string } | undefined {
  if (password === undefined) return {};
  if (typeof password === 'string') return { password };
  const found = known.get(secretKey(password));
  if (found === undefined) return undefined;
  if ('missing' in found) return refuse(passwordField, 'PasswordMissing', found.missing);
  if (isUsablePassword(found.value)) return { password: found.value };
  const message = `Secret ${password.namespace}/${password.name}, key ${password.key}: is not 1 to 80 characters of printable ASCII without blanks`;
  return refuse(passwordField, 'PasswordUnusable', message);
}

/** Undefined: a peer that was to be watched is not used unwatched. What its profile can't do for it is told, and the rest done. */
function profileOf(
  { bfdProfile, sessions }: Wish,
  profiles: BGPSnapshot['profiles'] = new Map(),
  refuse: (field: string, code: Problem['code'], message: string) => undefined,
): { readonly bfd?: NonNullable<BGPNeighborIntent['bfd']> } | undefined {
  if (bfdProfile === undefined) return {};
  const bfd = profiles.get(bfdProfile)?.bfd;
  const field = 'spec.bfdProfile';
  if (bfd === undefined) return refuse(field, 'ReferenceNotFound', `BFDProfile ${bfdProfile} does not exist`);
  const sessionsHere = sessions.map(({ session }) => session);
  const six = sessionsHere.some(
    (session) => session.address.includes(':') || session.interface !== undefined,
  );
  const far = sessionsHere.some(({ multiHop }) => multiHop);
  const { echoInterval, minimumTTL, ...rest } = bfd;
  const noEcho = six ? 'the session is one of IPv6' : far ? 'the peer may be several hops away' : undefined;
  if (echoInterval !== undefined && noEcho !== undefined)
    refuse(field, 'WithoutEffect', `BFDProfile ${bfdProfile} has echoMode, which is left out: ${noEcho}`);
  if (minimumTTL !== undefined && !far)
    refuse(
      field,
      'WithoutEffect',
      `BFDProfile ${bfdProfile} has minimumTtl, which is left out: the peer is one hop away`,
    );
  return {
    bfd: {
      ...rest,
      ...(echoInterval === undefined || noEcho !== undefined ? {} : { echoInterval }),
      ...(minimumTTL === undefined || !far ? {} : { minimumTTL }),
    },
  };
}
