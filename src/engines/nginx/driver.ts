/** The engine: holds one instance's intent in its nginx, which serves on by itself, whatever becomes of this process. */
import { join } from 'node:path';
import type { GatewayAnswer, GatewayChange } from '#intent/gateway.ts';
import { lower, lowerRemovals, type Problem } from './lower.ts';
import { type Nginx, type NginxMetrics, type NginxStatus, openNginx } from './nginx.ts';
import { type Entry, entryName, parseList, printEntry, printHead } from './objects.ts';
import { inOrder, type Operation, partsOf, plan } from './plan.ts';
import { createStreamTable, type StreamTable } from './stream.ts';

export type NginxEngineOptions = {
  /** The instance's (`paths.gatewayDirectory`): nginx's socket is there, and what it starts from is kept there. */
  readonly directory: string;
  /** Nginx began anew, or holds something else than it was told, and was told all again. */
  readonly onRepair?: ((cause: string) => void) | undefined;
  readonly onError?: ((error: unknown) => void) | undefined;
};

export type NginxEngine = {
  /**
   * Resolves once every new request and connection is served by the change, which for requests takes effect as one. Changes are taken in turn,
   * whatever `after` says: who calls decides which are. While nginx isn't there it rejects, and the change is made up for when nginx is.
   */
  apply(change: GatewayChange): Promise<GatewayAnswer>;
  /** Whether nginx answers and holds the last change that was applied. */
  ready(): boolean;
  /** Rejects while nginx doesn't answer. */
  status(): Promise<NginxStatus>;
  /** Rejects while nginx doesn't answer. */
  metrics(): Promise<NginxMetrics>;
  /** Takes everything away; needs no memory. */
  cleanup(): Promise<void>;
  /** Leaves nginx as it is. */
  close(): Promise<void>;
};

export function createNginxEngine(options: NginxEngineOptions): NginxEngine {
  const streams = createStreamTable(join(options.directory, 'stream'));
  return createEngine(openNginx(options.directory), options, streams);
}

/** Milliseconds between two looks at nginx. */
const lookMs = 500;
/** The same while it doesn't answer: one that begins anew serves what it found until it is told what it missed. */
const awayMs = 50;
/** Milliseconds from one time that what nginx starts from is written to the next: many changes are written once. */
const keepMs = 1_000;

/** The engine over any nginx; tests use the one of fake.ts. */
export function createEngine(
  nginx: Nginx,
  options: Omit<NginxEngineOptions, 'directory'> = {},
  streams: StreamTable = { apply: () => [], clear: () => {} },
): NginxEngine {
  /** What nginx is to hold, by entryName. */
  let wanted = new Map<string, Entry>();
  let generation = 0;
  /** Nothing is taken away before a whole intent came: what is there may be right. */
  let whole = false;
  /** What nginx was seen to hold, if it is `wanted`. */
  let agreed: Pick<NginxStatus, 'boot' | 'version'> | undefined;
  /** Of the entries that are held. */
  let problems: readonly Problem[] = [];
  let streamProblems: readonly Problem[] = [];
  let closed = false;
  let tail: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const result = tail.then(work);
    tail = result.catch(() => {});
    return result;
  };

  /** Says operations to an nginx that holds `from`; false: it holds something else by now. */
  const say = async (operations: readonly Operation[], from: Pick<NginxStatus, 'boot' | 'version'>) => {
    const parts = partsOf(inOrder(operations));
    const found: Problem[] = [];
    let { version } = from;
    for (const [index, lines] of parts.entries()) {
      const last = index === parts.length - 1;
      const head = { boot: from.boot, after: version, ...(last ? { generation } : {}) };
      const outcome = await nginx.change(head, lines);
      if (outcome.kind === 'refused') return undefined;
      version = outcome.version;
      found.push(...outcome.problems);
    }
    agreed = { boot: from.boot, version };
    return found;
  };

  /** Reads what is there and says the difference. */
  const converge = async (): Promise<readonly Problem[]> => {
    for (let tries = 0; tries < 3; tries++) {
      const status = await nginx.status();
      const held = parseList(await nginx.list());
      const found = await say(plan(held, wanted), status);
      if (found !== undefined) return found;
    }
    throw new Error('nginx is changed by somebody else');
  };

  const take = (change: GatewayChange): { operations: Operation[]; refused: readonly Problem[] } => {
    const { value, problems: refused } = lower(change.put);
    if (change.replace) wanted = new Map();
    const operations: Operation[] = [];
    for (const entry of lowerRemovals(change.remove)) {
      if (wanted.delete(entryName(entry))) operations.push({ kind: 'remove', entry });
    }
    for (const entry of value) {
      wanted.set(entryName(entry), entry);
      operations.push({ kind: 'put', entry });
    }
    // What can't be held must not go on as it was before.
    for (const problem of refused) {
      const entry = wanted.get(problem.entry);
      if (entry !== undefined) operations.push({ kind: 'remove', entry });
      wanted.delete(problem.entry);
    }
    generation = change.generation;
    if (change.replace) whole = true;
    return { operations, refused };
  };

  const apply = async (change: GatewayChange): Promise<GatewayAnswer> => {
    const { operations, refused } = take(change);
    const from = agreed;
    agreed = undefined;
    const said = change.replace || from === undefined ? undefined : await say(operations, from);
    const found = said ?? (await converge());
    const touched = new Set(operations.map(({ entry }) => entryName(entry)));
    problems = [
      ...(change.replace ? [] : problems.filter(({ entry }) => !touched.has(entry))),
      ...refused,
      ...found,
    ];
    return { generation, problems };
  };

  let keepTimer: NodeJS.Timeout | undefined;
  let keptAt = 0;
  const keepNow = (): void => {
    clearTimeout(keepTimer);
    keepTimer = undefined;
    if (!whole) return;
    keptAt = Date.now();
    const lines = [...wanted.values()].map(printEntry);
    nginx.keep(printHead({ generation }) + lines.join(''));
  };
  const keepSoon = (): void => {
    keepTimer ??= setTimeout(
      () => {
        try {
          keepNow();
        } catch (error) {
          options.onError?.(error);
        }
      },
      Math.min(keepMs, Math.max(0, keptAt + keepMs - Date.now())),
    );
  };

  let away = false;
  /** Whether nginx is still what it was, and if not, what it was told is said again. */
  const look = async (): Promise<void> => {
    if (!whole) return;
    const before = agreed;
    const status = await nginx.status().catch(() => undefined);
    away = status === undefined;
    if (status === undefined) {
      agreed = undefined;
      return;
    }
    if (before !== undefined && before.boot === status.boot && before.version === status.version) return;
    agreed = undefined;
    problems = await converge();
    options.onRepair?.(before === undefined ? 'nginx answers' : 'nginx began anew');
  };

  let lookTimer: NodeJS.Timeout | undefined;
  const tick = (): void => {
    lookTimer = setTimeout(
      () => {
        inTurn(async () => {
          if (!closed) await look();
        })
          .catch((error: unknown) => options.onError?.(error))
          .finally(() => {
            if (!closed) tick();
          });
      },
      away ? awayMs : lookMs,
    );
    lookTimer.unref();
  };
  tick();

  return {
    apply: (change) =>
      inTurn(async () => {
        // Connections by name come to listeners that must be there; without nginx they are told all the same.
        const answer = await apply(change).finally(() => {
          streamProblems = whole ? streams.apply(change) : [];
          keepSoon();
        });
        return { ...answer, problems: [...answer.problems, ...streamProblems] };
      }),
    ready: () => agreed !== undefined,
    status: () => nginx.status(),
    metrics: () => nginx.metrics(),
    cleanup: () =>
      inTurn(async () => {
        streams.clear();
        wanted = new Map();
        generation = 0;
        await converge();
        keepNow();
      }),
    close: async () => {
      closed = true;
      clearTimeout(lookTimer);
      await tail;
      if (keepTimer !== undefined) keepNow();
      nginx.close();
    },
  };
}
