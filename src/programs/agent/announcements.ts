/** What this node announces by BGP is made of: BGPAdvertisements, Communities, and what the feed tells of Services and pools. */
import { type BGPAdvertisement, bgpAdvertisementKind } from '#api/kinds/bgpadvertisement.ts';
import { type Community, communityKind } from '#api/kinds/community.ts';
import type { KubeObject, ResourceType } from '#api/object.ts';
import { type AnnouncementCompiler, createAnnouncementCompiler } from '#compile/loadbalancer/bgp.ts';
import type { Client } from '#kube/client.ts';
import type { Informer } from '#kube/informer.ts';
import { type BGPAdvertisementModel, readBGPAdvertisement } from '#model/bgpadvertisement.ts';
import { type CommunityModel, readCommunity } from '#model/community.ts';
import type { Read } from '#model/problem.ts';
import type { Log } from '#telemetry/log.ts';
import { followModels } from './follow-models.ts';

export type AnnouncementFeed = Pick<
  AnnouncementCompiler,
  'flush' | 'problems' | 'setNeighbors' | 'setNode' | 'setPool' | 'setService' | 'setSlice' | 'takeAnnounced'
> & {
  /** Resolved at once where the cluster doesn't serve the kinds. */
  readonly synced: Promise<void>;
  stop(): void;
};

/** `onChange` is told when there may be something to flush. */
export function startAnnouncementFeed(
  client: Client,
  node: string,
  log: Log,
  onChange: () => void,
): AnnouncementFeed {
  const compiler = createAnnouncementCompiler(node);
  const follow = <Raw extends KubeObject, M extends object>(
    type: ResourceType,
    read: (object: Raw) => Read<M>,
    set: (key: string, model: M | undefined) => void,
  ): Informer<M> => {
    return followModels({ client, log, mayBeAbsent: true }, type, read, (key, model) => {
      set(key, model);
      onChange();
    });
  };
  const all = [
    follow<BGPAdvertisement, BGPAdvertisementModel>(
      bgpAdvertisementKind,
      readBGPAdvertisement,
      compiler.setAdvertisement,
    ),
    follow<Community, CommunityModel>(communityKind, readCommunity, compiler.setCommunity),
  ];
  const { flush, problems, setNeighbors, setNode, setPool, setService, setSlice, takeAnnounced } = compiler;
  return {
    flush,
    problems,
    setNeighbors,
    setNode,
    setPool,
    setService,
    setSlice,
    takeAnnounced,
    synced: Promise.all(all.map((informer) => informer.synced)).then(() => {}),
    stop() {
      for (const informer of all) informer.stop();
    },
  };
}
