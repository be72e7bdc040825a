/** The same compile, again only when something that it depends on changed. */
import type { BFDProfileModel } from '#model/bfdprofile.ts';
import type { BGPNeighborModel } from '#model/bgpneighbor.ts';
import type { BGPPeerModel } from '#model/bgppeer.ts';
import type { NodeModel } from '#model/node.ts';
import type { Problem } from '#model/problem.ts';
import { createDeltaOutput, type Delta } from '../delta.ts';
import { type BGPIntent, compileBGP, type Password, secretKey } from './compile.ts';

export type BGPCompiler = {
  /** `undefined` removes. */
  readonly setNeighbor: (name: string, neighbor: BGPNeighborModel | undefined) => void;
  /** By `namespace/name`. */
  readonly setPeer: (key: string, peer: BGPPeerModel | undefined) => void;
  readonly setProfile: (key: string, profile: BFDProfileModel | undefined) => void;
  readonly setNode: (name: string, node: NodeModel | undefined) => void;
  /** By `secretKey`. */
  readonly setPassword: (key: string, password: Password | undefined) => void;
  /** What changed in the intent since the last flush; `undefined` when nothing did. */
  readonly flush: () => Delta | undefined;
  /** As of the last flush. */
  readonly problems: () => readonly Problem[];
  readonly sessions: () => BGPIntent['bgpNeighbors'];
};

/** Starts from nothing. There are few neighbors, so all of them are looked at; nodes are only where a mesh selects them. */
export function createBGPCompiler(self: string): BGPCompiler {
  const neighbors = new Map<string, BGPNeighborModel>();
  const peers = new Map<string, BGPPeerModel>();
  const profiles = new Map<string, BFDProfileModel>();
  const nodes = new Map<string, NodeModel>();
  const passwords = new Map<string, Password>();
  const output = createDeltaOutput();
  let problems: readonly Problem[] = [];
  let sessions: BGPIntent['bgpNeighbors'] = {};
  let dirty = false;
  const hasMesh = () =>
    [...neighbors.values()].some(({ peerNodeSelector }) => peerNodeSelector !== undefined);

  return {
    setNeighbor(name, neighbor) {
      store(neighbors, name, neighbor);
      dirty = true;
    },
    setPeer(key, peer) {
      store(peers, key, peer);
      dirty = true;
    },
    setProfile(key, profile) {
      store(profiles, key, profile);
      if ([...peers.values()].some(({ bfdProfile }) => bfdProfile === key)) dirty = true;
    },
    setNode(name, node) {
      store(nodes, name, node);
      if (name === self || hasMesh()) dirty = true;
    },
    setPassword(key, password) {
      store(passwords, key, password);
      const referring = [...neighbors.values(), ...peers.values()];
      if (referring.some((each) => typeof each.password === 'object' && secretKey(each.password) === key))
        dirty = true;
    },
    flush() {
      if (dirty) {
        const own = nodes.get(self);
        const relevant = hasMesh() ? [...nodes.values()] : own === undefined ? [] : [own];
        const compiled = compileBGP(
          {
            neighbors: [...neighbors.values()],
            peers: [...peers.values()],
            profiles,
            nodes: relevant,
            passwords,
          },
          self,
        );
        problems = compiled.problems;
        sessions = compiled.value.bgpNeighbors;
        output.replace('bgpNeighbors', new Map(Object.entries(sessions)));
      }
      dirty = false;
      return output.take();
    },
    problems: () => problems,
    sessions: () => sessions,
  };
}

function store<T>(map: Map<string, T>, key: string, value: T | undefined): void {
  if (value === undefined) map.delete(key);
  else map.set(key, value);
}
