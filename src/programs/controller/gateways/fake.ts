/** A pod's end of the feed for tests: small, but it refuses what does not follow, and can be slow, deaf or new again. */
import type { GatewayAnswer, GatewayChange } from '#intent/gateway.ts';
import type { FeedClient } from '../../gateway/client.ts';

export type FakePod = {
  readonly client: FeedClient;
  generation(): number;
  /** Entries of a domain. */
  held(domain: string): Readonly<Record<string, unknown>>;
  /** What it was told, in order. */
  readonly told: readonly GatewayChange[];
  /** Its next answers wait until what is given resolves. */
  hold(until: Promise<unknown>): void;
  /** It can't be reached from now on, or can again. */
  deaf(isDeaf: boolean): void;
  /** It was started anew and holds nothing. */
  restart(): void;
  /** It can't hold entries of this name. */
  refuse(entry: string): void;
  isClosed(): boolean;
};

export function createFakePod(): FakePod {
  let generation = 0;
  let domains: Record<string, Record<string, unknown>> = {};
  let isDeaf = false;
  let isClosed = false;
  let waiting: Promise<unknown> = Promise.resolve();
  const told: GatewayChange[] = [];
  const refused = new Set<string>();

  const reach = async (): Promise<void> => {
    await waiting;
    if (isDeaf || isClosed) throw new Error('connect ECONNREFUSED');
  };
  const answer = (): GatewayAnswer => ({
    generation,
    problems: Object.entries(domains).flatMap(([domain, entries]) =>
      Object.keys(entries)
        .filter((entry) => refused.has(entry))
        .map((entry) => ({ entry: `${domain} ${entry}`, reason: 'no memory' })),
    ),
  });
  const hold = (change: GatewayChange): void => {
    if (change.replace) domains = {};
    for (const [domain, keys] of Object.entries(change.remove))
      for (const key of keys ?? []) delete domains[domain]?.[key];
    for (const [domain, entries] of Object.entries(change.put))
      domains[domain] = { ...domains[domain], ...entries };
    generation = change.generation;
  };
  const client: FeedClient = {
    async change(change) {
      await reach();
      told.push(change);
      if (!change.replace && change.after !== generation)
        return { refused: { error: `holds ${generation}`, generation } };
      // As over the wire.
      hold(JSON.parse(JSON.stringify(change)) as GatewayChange);
      return { answer: answer() };
    },
    async status() {
      await reach();
      return { instance: 'fake', ...answer() };
    },
    close() {
      isClosed = true;
    },
  };
  return {
    client,
    told,
    generation: () => generation,
    held: (domain) => domains[domain] ?? {},
    hold(until) {
      waiting = until;
    },
    deaf(is) {
      isDeaf = is;
    },
    restart() {
      domains = {};
      generation = 0;
      isClosed = false;
    },
    refuse: (entry) => void refused.add(entry),
    isClosed: () => isClosed,
  };
}
