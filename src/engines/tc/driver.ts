/** The engine: holds the limits of this node's pods in the kernel. */
import type { Engine, Report } from '#engines/engine.ts';
import type { BandwidthIntent, EndpointIntent, IntentChange } from '#intent/node.ts';
import { type Kernel, openKernel, type Refusal } from './kernel.ts';
import { lowerEndpoint, podKey } from './lower.ts';
import { identity, type Operation, printOperation, type TcObject } from './objects.ts';
import { afterwards, plan } from './plan.ts';

export type TcEngineOptions = {
  /** Path of the node's network namespace; default: this process's own. */
  readonly namespace?: string | undefined;
  /** Says who else limits pods on this node, if anybody: then this engine holds nothing, and says so of each entry. */
  readonly yieldsTo?: (() => string | undefined) | undefined;
  /** After the engine has put back what others changed on a device. */
  readonly onRepair?: ((device: string, report: Report) => void) | undefined;
  /** A repair that failed; the next one comes with the next change or resync. */
  readonly onError?: ((error: unknown) => void) | undefined;
};

/** Needs CAP_NET_ADMIN in the namespace. A pod without a limit costs no system call and no object. */
export function createTcEngine(options: TcEngineOptions = {}): Engine {
  return createEngine(openKernel(options.namespace), options);
}

const repairAfterMs = 100;

type Problem = Report['problems'][number];

/** The engine over any kernel; tests use the one of fake.ts. */
export function createEngine(kernel: Kernel, options: TcEngineOptions = {}): Engine {
  const { yieldsTo } = options;
  const endpoints = new Map<string, EndpointIntent>();
  const bandwidth = new Map<string, BandwidthIntent>();
  const keysByPod = new Map<string, Set<string>>();
  const wanted = new Map<string, TcObject>();
  /** What each endpoint stands for; only endpoints with a limit. */
  const lowered = new Map<string, readonly TcObject[]>();
  /** What the kernel holds, once `complete`. */
  let held = new Map<string, TcObject>();
  let complete = false;
  /** Nothing is taken away before a whole intent came: what is there may be right. */
  let whole = false;
  const refusals = new Map<string, Refusal>();
  let tail: Promise<unknown> = Promise.resolve();

  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const result = tail.then(work);
    tail = result.catch(() => {});
    return result;
  };

  const setEndpoint = (key: string, endpoint: EndpointIntent | undefined): void => {
    const before = endpoints.get(key);
    if (before !== undefined) {
      const keys = keysByPod.get(podKey(before));
      keys?.delete(key);
      if (keys?.size === 0) keysByPod.delete(podKey(before));
    }
    if (endpoint === undefined) {
      endpoints.delete(key);
      return;
    }
    endpoints.set(key, endpoint);
    const keys = keysByPod.get(podKey(endpoint)) ?? new Set();
    keysByPod.set(podKey(endpoint), keys.add(key));
  };

  /** Takes a change in; the endpoints that it touches. */
  const merge = (change: IntentChange): Set<string> => {
    const touched = new Set<string>();
    const limit = (pod: string, entry: BandwidthIntent | undefined) => {
      if (entry === undefined) bandwidth.delete(pod);
      else bandwidth.set(pod, entry);
      for (const key of keysByPod.get(pod) ?? []) touched.add(key);
    };
    for (const key of change.remove.endpoints ?? []) {
      setEndpoint(key, undefined);
      touched.add(key);
    }
    for (const [key, endpoint] of Object.entries(change.put.endpoints ?? {})) {
      setEndpoint(key, endpoint);
      touched.add(key);
    }
    const removed = change.replace ? bandwidth.keys() : (change.remove.bandwidth ?? []);
    for (const pod of removed) limit(pod, undefined);
    for (const [pod, entry] of Object.entries(change.put.bandwidth ?? {})) limit(pod, entry);
    return touched;
  };

  /** Lowers these endpoints anew; the identities that may have changed. */
  const relower = (keys: Iterable<string>): Set<string> => {
    const ids = new Set<string>();
    const rival = onDemand(yieldsTo);
    for (const key of keys) {
      for (const object of lowered.get(key) ?? []) {
        ids.add(identity(object));
        wanted.delete(identity(object));
      }
      const endpoint = endpoints.get(key);
      const limits = endpoint && bandwidth.get(podKey(endpoint));
      const objects =
        endpoint === undefined || limits === undefined || rival() !== undefined
          ? []
          : lowerEndpoint(key, endpoint, limits);
      if (objects.length === 0) lowered.delete(key);
      else lowered.set(key, objects);
      for (const object of objects) {
        ids.add(identity(object));
        wanted.set(identity(object), object);
      }
    }
    return ids;
  };

  const execute = async (operations: readonly Operation[]): Promise<string[]> => {
    if (operations.length === 0) return [];
    const done: string[] = [];
    let outcomes: (Refusal | undefined)[];
    try {
      outcomes = await kernel.execute(operations);
    } catch (error) {
      complete = false;
      throw error;
    }
    operations.forEach((operation, index) => {
      const refusal = outcomes[index];
      const id = identity(operation.object);
      if (refusal === undefined) {
        refusals.delete(id);
        afterwards(held, operation);
        done.push(printOperation(operation));
      } else if (operation.verb === 'put') refusals.set(id, refusal);
    });
    for (const id of refusals.keys()) if (!wanted.has(id)) refusals.delete(id);
    return done;
  };

  const problemsOf = (keys: Iterable<string>): Problem[] => {
    const rival = onDemand(yieldsTo);
    return [...keys].flatMap((key): Problem[] => {
      const endpoint = endpoints.get(key);
      if (endpoint === undefined) return [];
      const pod = podKey(endpoint);
      if (!bandwidth.has(pod)) return [];
      const yielded = rival();
      if (yielded !== undefined) return [{ entry: `bandwidth/${pod}`, reason: yielded }];
      const [refusal] = (lowered.get(key) ?? []).flatMap((object) => refusals.get(identity(object)) ?? []);
      if (refusal === undefined) return [];
      // Where somebody else limits the pod, it may run; where the kernel can't, it would run without its limit.
      const entry = refusal.foreign ? `bandwidth/${pod}` : `endpoints/${key}`;
      return [{ entry, reason: refusal.reason }];
    });
  };

  const applyNow = async (change: IntentChange): Promise<Report> => {
    const touched = merge(change);
    if (change.replace) whole = true;
    if (!whole) return { operations: [], problems: [] };
    if (!complete || change.replace) return repairNow();
    const ids = relower(touched);
    const operations = await execute(plan(held, wanted, ids));
    return { operations, problems: problemsOf(touched) };
  };

  /** Reads everything, then makes it as wanted. */
  const repairNow = async (): Promise<Report> => {
    if (!whole) return { operations: [], problems: [] };
    held = await kernel.read();
    complete = true;
    refusals.clear();
    relower(new Set([...endpoints.keys(), ...lowered.keys()]));
    const operations = await execute(plan(held, wanted));
    return { operations, problems: problemsOf(endpoints.keys()) };
  };

  const repair = async (device: string): Promise<void> => {
    try {
      const report = await inTurn(repairNow);
      if (report.operations.length > 0) options.onRepair?.(device, report);
    } catch (error) {
      options.onError?.(error);
    }
  };
  /** However much is changed, it is looked at ten times a second at most. */
  let repairing: NodeJS.Timeout | undefined;
  const watch = kernel.watch((device) => {
    repairing ??= setTimeout(() => {
      repairing = undefined;
      void repair(device);
    }, repairAfterMs);
    repairing.unref();
  });

  return {
    name: 'tc',
    apply: (change) => inTurn(() => applyNow(change)),
    resync: () => inTurn(repairNow),
    cleanup: () =>
      inTurn(async () => {
        await kernel.removeAll();
        held = new Map();
        complete = false;
        whole = false;
      }),
    close: async () => {
      watch.close();
      clearTimeout(repairing);
      await tail;
      await kernel.close();
    },
  };
}

/** Asks once, and not at all for pods without a limit. */
function onDemand(ask: (() => string | undefined) | undefined): () => string | undefined {
  let answer: { readonly text: string | undefined } | undefined;
  return () => {
    answer ??= { text: ask?.() };
    return answer.text;
  };
}
