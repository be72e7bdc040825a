/** Virtual addresses that two nodes take for theirs: told to the others, and given way for. */
import type { Log } from '#telemetry/log.ts';
import { createClaims } from './detector/claims.ts';
import type { Message } from './detector/messages.ts';

export type AddressClaims = {
  setHeld(addresses: ReadonlySet<string>): void;
  heard(from: string, message: Message): void;
  /** An agent listens, until the result is called. `hasTold`: it handed over an intent before, so it knows. */
  listened(hasTold: boolean): () => void;
  /** One hands over an intent. */
  told(): void;
  /** Whether one lives, and has told what it knows. */
  informed(): boolean;
  /** All who are dead now: what they claimed before is nobody's. */
  setDead(nodes: ReadonlySet<string>): void;
  /** By address: who has the better claim, or answers still. */
  yielded(): ReadonlyMap<string, string>;
  close(): void;
};

export type AddressClaimsOptions = {
  readonly node: string;
  readonly broadcast: (message: Message) => void;
  readonly tell: (node: string, message: Message) => void;
  /** What is given way for is another. */
  readonly onChange: () => void;
  readonly log: Log;
};

/** An agent asks again within this. */
const informedMs = 5_000;
const lookMs = 100;
const kinds: ReadonlySet<Message['kind']> = new Set(['claim', 'release', 'pause', 'kept']);

export function createAddressClaims(options: AddressClaimsOptions): AddressClaims {
  const { node, broadcast, tell, onChange, log } = options;
  const claims = createClaims(node);
  let listening = 0;
  let heardAt = Number.NEGATIVE_INFINITY;
  let known: ReadonlyMap<string, string> = new Map();
  let timer: NodeJS.Timeout | undefined;
  let closed = false;
  let dead: ReadonlySet<string> = new Set();

  const informed = (): boolean => listening > 0 || performance.now() - heardAt < informedMs;
  const look = (): void => {
    const now = performance.now();
    claims.setAgent(informed() ? undefined : heardAt);
    const yielded = claims.yielded(now);
    const next = new Map([...claims.kept(now), ...yielded]);
    if (!isSame(next, known)) {
      for (const [address, other] of yielded)
        if (known.get(address) !== other)
          log.info('another node has the better claim to a virtual address', { address, node: other });
      known = next;
      onChange();
    }
    for (const message of claims.due(now)) broadcast(message);
    settle();
  };
  const settle = (): void => {
    if (claims.isAwake() && !closed) {
      timer ??= setInterval(look, lookMs);
      timer.unref();
    } else {
      clearInterval(timer);
      timer = undefined;
    }
  };

  return {
    setHeld(addresses) {
      claims.setHeld(addresses, performance.now());
      settle();
    },
    heard(from, message) {
      const now = performance.now();
      if (message.kind === 'hello') for (const each of claims.everything(now)) tell(from, each);
      if (!kinds.has(message.kind)) return;
      claims.heard(from, message, now);
      look();
    },
    listened(hasTold) {
      if (!hasTold) return () => {};
      listening += 1;
      let over = false;
      return () => {
        if (over) return;
        over = true;
        listening -= 1;
        heardAt = performance.now();
      };
    },
    told() {
      const knew = informed();
      heardAt = performance.now();
      if (!knew) look();
    },
    setDead(nodes) {
      // Whoever claims something since then lives, whatever is found of it yet.
      claims.buried([...nodes].filter((name) => !dead.has(name)));
      dead = nodes;
    },
    informed,
    yielded: () => known,
    close() {
      closed = true;
      settle();
    },
  };
}

function isSame(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): boolean {
  return a.size === b.size && [...a].every(([address, node]) => b.get(address) === node);
}
