/** Leaves Services to kube-proxy while its rules are on the node: two that translate one connection would each undo the other's work. */
import type { Engine } from '#engines/engine.ts';
import type { DatapathStatus, EngineProblem } from '#intent/handover.ts';
import type { IntentChange, ServiceIntent } from '#intent/node.ts';
import type { Log } from '#telemetry/log.ts';

export type BesideKubeProxy = Engine & {
  /** Why Services are not held; undefined: they are. */
  withheld(): string | undefined;
};

export type BesideOptions = {
  /** What of kube-proxy is on the node; empty: nothing. `thorough`: also what is costly to find. */
  readonly find: (thorough: boolean) => readonly string[];
  readonly log: Log;
  /** After Services were withdrawn or put in place. */
  readonly onChange: () => void;
  readonly lookEveryMs?: number;
};

/** A look costs microseconds; every so many of them is a thorough one. */
const lookEveryMs = 2_000;
const thoroughEvery = 15;

/**
 * The engine with everything but Services while kube-proxy is there, and with them from the moment it is gone. What is there decides,
 * not who came first, so a restart of either changes nothing. Pods are wired, guarded and filtered in both cases.
 */
export function besideKubeProxy(engine: Engine, options: BesideOptions): BesideKubeProxy {
  const { find, log, onChange } = options;
  const services = new Map<string, ServiceIntent>();
  let generation = 0;
  let reason: string | undefined;
  // What stands was found by a thorough look alone, and ends with one.
  let hidden = false;
  let looked = false;
  let looks = 0;

  /** True when Services are to be withdrawn, or put in place. Where it can't be told nothing changes. */
  const look = (thorough: boolean): boolean => {
    try {
      return judge(thorough);
    } catch (error) {
      log.warn('cannot tell whether kube-proxy is on this node', { error });
      return false;
    }
  };
  const judge = (thorough: boolean): boolean => {
    let found = find(false);
    if (found.length > 0) hidden = false;
    else if (thorough || (reason !== undefined && !hidden)) {
      found = find(true);
      hidden = found.length > 0;
    } else if (hidden) return false;
    const before = reason;
    reason = found.length === 0 ? undefined : sentence(found);
    if (reason === before) return false;
    if (reason !== undefined) log.warn(reason, { found: found.join(', ') });
    else log.info('kube-proxy is gone: Services are served here');
    return (before === undefined) !== (reason === undefined);
  };
  const withhold = (change: IntentChange): IntentChange => {
    const { services: _, ...put } = change.put;
    const { services: __, ...remove } = change.remove;
    return { ...change, put, remove };
  };
  const timer = setInterval(() => {
    if (!looked) return;
    looks++;
    if (!look(looks % thoroughEvery === 0)) return;
    const change: IntentChange =
      reason === undefined
        ? { generation, replace: false, put: { services: Object.fromEntries(services) }, remove: {} }
        : { generation, replace: false, put: {}, remove: { services: [...services.keys()] } };
    onChange();
    engine
      .apply(change)
      // The engine keeps what it was told, and repairs the table with the next change or resync.
      .catch((error: unknown) => log.error('Services could not be changed', { error }));
  }, options.lookEveryMs ?? lookEveryMs);
  timer.unref();

  return {
    name: engine.name,
    apply(change) {
      ({ generation } = change);
      if (change.replace) services.clear();
      for (const key of change.remove.services ?? []) services.delete(key);
      for (const [key, service] of Object.entries(change.put.services ?? {})) services.set(key, service);
      if (!looked) {
        looked = true;
        if (look(true)) onChange();
      }
      return engine.apply(reason === undefined ? change : withhold(change));
    },
    resync: () => engine.resync(),
    unchanged: () => engine.unchanged?.() === true,
    cleanup: () => engine.cleanup(),
    async close() {
      clearInterval(timer);
      await engine.close();
    },
    withheld: () => reason,
  };
}

function sentence(found: readonly string[]): string {
  const tables = found.filter((each) => each.startsWith('nft table'));
  const deletes = tables.map((each) => `nft delete ${each.slice('nft '.length)}`).join('; ');
  const clean = tables.length === found.length ? `\`${deletes}\`` : '`kube-proxy --cleanup`';
  return `kube-proxy serves this node's Services (${found.join(', ')}), so Netloom does not: remove kube-proxy, and what it left behind with ${clean}`;
}

/** For the datapath's status. */
export function withheldStatus(reason: string | undefined): Pick<DatapathStatus, 'servicesWithheld'> {
  return reason === undefined ? {} : { servicesWithheld: reason };
}

export function withheldProblem(reason: string | undefined): EngineProblem[] {
  return reason === undefined ? [] : [{ engine: 'datapath', entry: 'services', reason }];
}
