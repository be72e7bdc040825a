/** What this node's BGP sessions are made of: BGPNeighbors, Nodes and the Secrets that hold passwords. */
import { type Secret, secretType } from '#api/core.ts';
import { type BGPNeighbor, bgpNeighborKind } from '#api/kinds/bgpneighbor.ts';
import { type Password, secretKey } from '#compile/bgp/compile.ts';
import { createBGPCompiler } from '#compile/bgp/incremental.ts';
import { formatOrigin } from '#intent/origin.ts';
import { type Client, isNotFound } from '#kube/client.ts';
import { type Informer, startInformer } from '#kube/informer.ts';
import { type BGPNeighborModel, readBGPNeighbor, type SecretReference } from '#model/bgpneighbor.ts';
import type { NodeModel } from '#model/node.ts';
import type { Problem } from '#model/problem.ts';
import type { Log } from '#telemetry/log.ts';
import type { Delta } from './handover.ts';

export type BGPFeed = {
  /** The neighbors are known; of passwords a session waits for its own. */
  readonly synced: Promise<void>;
  setNode(name: string, node: NodeModel | undefined): void;
  /** What changed since the last flush. */
  flush(): Delta | undefined;
  /** Of neighbors that this node has and doesn't use, as of the last flush. */
  problems(): readonly Problem[];
  stop(): void;
};

/** `onChange` is told when there may be something to flush. */
export function startBGPFeed(client: Client, node: string, log: Log, onChange: () => void): BGPFeed {
  const compiler = createBGPCompiler(node);
  const passwords = followPasswords(client, log, (key, password) => {
    compiler.setPassword(key, password);
    onChange();
  });
  const neighbors = startInformer<BGPNeighbor, BGPNeighborModel>(client, bgpNeighborKind, {
    log,
    // A session's state is written to the status of the very object that is watched.
    equal: (a, b) => JSON.stringify(a) === JSON.stringify(b),
    transform: (object) => {
      const { value, problems } = readBGPNeighbor(object);
      for (const { object: origin, field, code, message } of problems)
        log.debug(message, { object: formatOrigin(origin), field, reason: code });
      return value;
    },
  });
  neighbors.onChange(({ key, new: neighbor }) => {
    compiler.setNeighbor(key, neighbor);
    passwords.follow(neighbors.list().flatMap(({ password }) => password ?? []));
    onChange();
  });
  return {
    synced: neighbors.synced,
    setNode: compiler.setNode,
    flush: () => compiler.flush() as Delta | undefined,
    problems: compiler.problems,
    stop() {
      neighbors.stop();
      passwords.stop();
    },
  };
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
      transform: ({ data }) => {
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
