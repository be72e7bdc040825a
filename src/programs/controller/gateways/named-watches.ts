/** Watches single objects by their names: nobody needs to be told of all ConfigMaps of a cluster for the few that are referred to. */
import type { KubeObject, ResourceType } from '#api/object.ts';
import type { Client } from '#kube/client.ts';
import { type Informer, startInformer } from '#kube/informer.ts';
import type { Log } from '#telemetry/log.ts';

export type NamedWatches = {
  /** By `namespace/name`; resolves once it is known whether there is one. Again: does nothing more. */
  follow(type: ResourceType, key: string): Promise<void>;
  unfollow(type: ResourceType, key: string): void;
  get(type: ResourceType, key: string): KubeObject | undefined;
  stop(): void;
};

/** `onChange`: an object that is followed is another one than before, or gone. */
export function createNamedWatches(
  client: Client,
  log: Log,
  onChange: (type: ResourceType, key: string, object: KubeObject | undefined) => void,
): NamedWatches {
  const watches = new Map<string, Informer<KubeObject>>();
  const idOf = (type: ResourceType, key: string): string => `${type.kind}/${key}`;
  const split = (key: string): readonly [string, string] => {
    const [namespace = '', name = ''] = key.split('/');
    return [namespace, name];
  };
  return {
    async follow(type, key) {
      const [namespace, name] = split(key);
      let watch = watches.get(idOf(type, key));
      if (watch === undefined) {
        watch = startInformer<KubeObject>(client, type, {
          namespace,
          fieldSelector: `metadata.name=${name}`,
          log,
        });
        watches.set(idOf(type, key), watch);
        watch.onChange(({ new: object }) => onChange(type, key, object));
      }
      await watch.synced.catch(() => {});
    },
    unfollow(type, key) {
      watches.get(idOf(type, key))?.stop();
      watches.delete(idOf(type, key));
    },
    get: (type, key) => watches.get(idOf(type, key))?.get(...split(key)),
    stop() {
      for (const watch of watches.values()) watch.stop();
      watches.clear();
    },
  };
}
