/** Names that the datapath learnt: for the compiler, and for the intent that says how much of them it has. */
import type { NamesAnswer, ToldName } from '#intent/handover.ts';
import type { PolicyNamesIntent } from '#intent/policy.ts';
import { sleep } from '#kube/backoff.ts';
import type { Log } from '#telemetry/log.ts';
import type { DatapathClient } from './datapath-client.ts';

export type LearntNames = {
  /** True: the intent must be told. */
  take(answer: NamesAnswer): boolean;
  /** The entry of `policyNames`, if it is another one than the last time. */
  flush(): PolicyNamesIntent | undefined;
};

export function createLearntNames(
  setName: (name: string, addresses: ReadonlySet<string> | undefined) => void,
): LearntNames {
  const names = new Map<string, ToldName>();
  let position: Pick<NamesAnswer, 'instance' | 'revision'> | undefined;
  let isNew = false;
  const set = (name: string, told: ToldName): void => {
    setName(name, told.addresses.length === 0 ? undefined : new Set(told.addresses));
    if (told.addresses.length + told.lapsed.length === 0) names.delete(name);
    else names.set(name, told);
  };
  /** A datapath that started again may not know what it learnt just before it ended: for connections that stand we do. */
  const remember = (name: string, { addresses, lapsed }: ToldName): ToldName => {
    const before = names.get(name) ?? nothing;
    const rest = [...before.addresses, ...before.lapsed].filter((each) => !addresses.includes(each));
    return { addresses, lapsed: [...new Set([...lapsed, ...rest])] };
  };
  return {
    take({ instance, revision, whole, names: told }) {
      // Most nodes never learn a name.
      if (position === undefined && Object.keys(told).length === 0) return false;
      if (position?.instance === instance && position.revision === revision) return false;
      const isOther = position !== undefined && position.instance !== instance;
      const kept = (name: string, each: ToldName) => (isOther ? remember(name, each) : each);
      if (whole)
        for (const name of names.keys()) if (!Object.hasOwn(told, name)) set(name, kept(name, nothing));
      for (const [name, each] of Object.entries(told)) set(name, kept(name, each));
      position = { instance, revision };
      isNew = true;
      return true;
    },
    flush() {
      if (!isNew || position === undefined) return undefined;
      isNew = false;
      const lapsed: Record<string, string[]> = {};
      for (const [name, told] of names)
        for (const address of told.lapsed) lapsed[address] = [...(lapsed[address] ?? []), name];
      return { ...position, lapsed };
    },
  };
}

const nothing: ToldName = { addresses: [], lapsed: [] };

const retryMs = 200;
/** A datapath of a release that learns none. */
const noneMs = 20_000;

/**
 * Tells what is learnt at once, since a pod waits for it. `first` resolves when it is known for the first time: an intent without it would
 * take from pods what they were told before this process began.
 */
export function followNames(
  client: Pick<DatapathClient, 'names'>,
  onNames: (answer: NamesAnswer) => void,
  log: Log,
): { readonly first: Promise<void>; stop(): void } {
  const stopping = new AbortController();
  const first = Promise.withResolvers<void>();
  const follow = async (): Promise<void> => {
    let known: NamesAnswer | undefined;
    while (!stopping.signal.aborted) {
      try {
        const answer = await client.names(known);
        if (answer !== undefined) onNames(answer);
        first.resolve();
        known = answer;
        if (answer === undefined) await sleep(noneMs, stopping.signal);
      } catch (error) {
        if (stopping.signal.aborted) return;
        known = undefined;
        log.debug('no names from the datapath', { error });
        await sleep(retryMs, stopping.signal);
      }
    }
  };
  void follow();
  return { first: first.promise, stop: () => stopping.abort() };
}
