/** What this node's BGP sessions are made of: BGPNeighbors, BGPPeers, Nodes and the Secrets that hold passwords; and what it announces. */
import { type Secret, secretType } from '#api/core.ts';
import { type BFDProfile, bfdProfileKind } from '#api/kinds/bfdprofile.ts';
import { type BGPNeighbor, bgpNeighborKind } from '#api/kinds/bgpneighbor.ts';
import { type BGPPeer, bgpPeerKind } from '#api/kinds/bgppeer.ts';
import { type Password, secretKey } from '#compile/bgp/compile.ts';
import { createBGPCompiler } from '#compile/bgp/incremental.ts';
import type { Delta as CompiledDelta } from '#compile/delta.ts';
import type { NodeIntent } from '#intent/node.ts';
import { type Client, isNotFound } from '#kube/client.ts';
import { type Informer, startInformer } from '#kube/informer.ts';
import { type BFDProfileModel, readBFDProfile } from '#model/bfdprofile.ts';
import { type BGPNeighborModel, readBGPNeighbor, type SecretReference } from '#model/bgpneighbor.ts';
import { type BGPPeerModel, readBGPPeer } from '#model/bgppeer.ts';
import type { EndpointSliceModel } from '#model/endpointslice.ts';
import type { AddressPoolModel, LoadBalancerModel } from '#model/loadbalancer.ts';
import type { NodeModel } from '#model/node.ts';
import type { Problem } from '#model/problem.ts';
import type { Log } from '#telemetry/log.ts';
import { type AnnouncementFeed, startAnnouncementFeed } from './announcements.ts';
import { followModels } from './follow-models.ts';
import type { Delta } from './handover.ts';

export type BGPFeed = {
  /** The neighbors are known; of passwords a session waits for its own. */
  readonly synced: Promise<void>;
  setNode(name: string, node: NodeModel | undefined): void;
  setPool(key: string, pool: AddressPoolModel | undefined): void;
  setBalancer(key: string, balancer: LoadBalancerModel | undefined): void;
  setSlice(key: string, slice: EndpointSliceModel | undefined): void;
  /** What changed since the last flush. */
  flush(): Delta | undefined;
  /** Of neighbors that this node has and doesn't use, and of what it can't announce, as of the last flush. */
  problems(): readonly Problem[];
  readonly takeAnnounced: AnnouncementFeed['takeAnnounced'];
  sessions(): NodeIntent['bgpNeighbors'];
  stop(): void;
};

/** `onChange` is told when there may be something to flush. */
export function startBGPFeed(client: Client, node: string, log: Log, onChange: () => void): BGPFeed {
  const compiler = createBGPCompiler(node);
  const passwords = followPasswords(client, log, (key, password) => {
    compiler.setPassword(key, password);
    onChange();
  });
  const told = <M>(set: (key: string, model: M | undefined) => void) => {
    return (key: string, model: M | undefined): void => {
      set(key, model);
      followPasswordsOfAll();
      onChange();
    };
  };
  const neighbors = followModels<BGPNeighbor, BGPNeighborModel>(
    { client, log, mayBeAbsent: false },
    bgpNeighborKind,
    readBGPNeighbor,
    told(compiler.setNeighbor),
  );
  const peers = followModels<BGPPeer, BGPPeerModel>(
    { client, log, mayBeAbsent: true },
    bgpPeerKind,
    readBGPPeer,
    told(compiler.setPeer),
  );
  const profiles = startInformer<BFDProfile, BFDProfileModel>(client, bfdProfileKind, {
    log,
    mayBeAbsent: true,
    transform: (object) => readBFDProfile(object).value,
  });
  profiles.onChange(({ key, new: profile }) => {
    compiler.setProfile(key, profile);
    onChange();
  });
  const announcements = startAnnouncementFeed(client, node, log, onChange);
  const followPasswordsOfAll = (): void => {
    const referring = [...neighbors.list(), ...peers.list()];
    passwords.follow(referring.flatMap(({ password }) => (typeof password === 'object' ? [password] : [])));
  };
  return {
    synced: Promise.all([neighbors, peers, profiles, announcements].map(({ synced }) => synced)).then(
      () => {},
    ),
    setNode(name, model) {
      compiler.setNode(name, model);
      if (name === node) announcements.setNode(model);
    },
    setPool: announcements.setPool,
    setBalancer: announcements.setService,
    setSlice: announcements.setSlice,
    flush() {
      const sessions = compiler.flush();
      announcements.setNeighbors(compiler.sessions());
      return joined(sessions, announcements.flush());
    },
    problems: () => [...compiler.problems(), ...announcements.problems()],
    takeAnnounced: announcements.takeAnnounced,
    sessions: compiler.sessions,
    stop() {
      neighbors.stop();
      peers.stop();
      profiles.stop();
      announcements.stop();
      passwords.stop();
    },
  };
}

/** Two changes of different domains as one. */
function joined(a: CompiledDelta | undefined, b: CompiledDelta | undefined): Delta | undefined {
  if (a === undefined || b === undefined) return (a ?? b) as Delta | undefined;
  return { put: { ...a.put, ...b.put }, remove: { ...a.remove, ...b.remove } } as Delta;
}

/** Watches each Secret by its name, one watch for each key that is referred to, and keeps nothing of it but that key's value. */
function followPasswords(
  client: Client,
  log: Log,
  tell: (key: string, password: Password | undefined) => void,
): { follow(references: readonly SecretReference[]): void; stop(): void } {
  const watched = new Map<string, Informer<Password>>();

  const start = (reference: SecretReference): Informer<Password> => {
    const { namespace, name } = reference;
    const id = secretKey(reference);
    const missing = (why: string): Password => ({ missing: `Secret ${namespace}/${name}: ${why}` });
    const informer = startInformer<Secret, Password>(client, secretType, {
      log,
      namespace,
      fieldSelector: `metadata.name=${name}`,
      transform: ({ data, type = 'Opaque' }) => {
        if (reference.type !== undefined && reference.type !== type)
          return missing(`is of type ${type}, not ${reference.type}`);
        const value =
          data !== undefined && Object.hasOwn(data, reference.key) ? data[reference.key] : undefined;
        return value === undefined
          ? missing(`has no key ${reference.key}`)
          : {
              value: Buffer.from(value, 'base64')
                .toString('utf8')
                .replace(/\r?\n$/, ''),
            };
      },
    });
    informer.onChange(({ new: password }) => tell(id, password ?? missing('does not exist')));
    // A watch says nothing of what isn't there or may not be read.
    client.get<Secret>(secretType, name, namespace).catch((error: unknown) => {
      if (watched.get(id) !== informer || informer.get(namespace, name) !== undefined) return;
      const why = isNotFound(error) ? 'does not exist' : `can't be read: ${String(error)}`;
      tell(id, missing(why));
    });
    return informer;
  };

  return {
    follow(references) {
      const wanted = new Map(references.map((reference) => [secretKey(reference), reference]));
      for (const [key, informer] of watched) {
        if (wanted.has(key)) continue;
        informer.stop();
        watched.delete(key);
        tell(key, undefined);
      }
      for (const [key, reference] of wanted) if (!watched.has(key)) watched.set(key, start(reference));
    },
    stop() {
      for (const informer of watched.values()) informer.stop();
    },
  };
}
