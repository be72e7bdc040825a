/** The engine: holds links, addresses, neighbours, forwarding entries, routes and sysctls of one node in the kernel. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Engine, Report } from '#engines/engine.ts';
import type { IntentChange, NodeIntent, SubnetMode } from '#intent/node.ts';
import { type Kernel, openKernel } from './kernel.ts';
import {
  type Context,
  contextOf,
  type Facts,
  type LoweredDomain,
  lowerEntry,
  loweredDomains,
  type Problem,
  podMtu,
} from './lower.ts';
import { identity, type NetlinkObject, type Operation, printOperation, sameObject } from './objects.ts';
import { afterwards, plan } from './plan.ts';
import { createWanted } from './wanted.ts';

export type NetlinkEngineOptions = {
  /** Path of the node's network namespace; default: this process's own. */
  readonly namespace?: string | undefined;
  /** After the engine has repaired by itself what others changed, or has followed a change of the underlay. */
  readonly onRepair?: ((cause: string, report: Report) => void) | undefined;
  /** A repair that failed; the next one comes with the next change or resync. */
  readonly onError?: ((error: unknown) => void) | undefined;
};

export type NetlinkEngine = Engine & {
  /** MTU of a pod's interface, both ends. Throws while the engine has no intent or no device has the node's address. */
  podMtu(mode: SubnetMode): number;
};

/** Needs CAP_NET_ADMIN in the namespace. Watches it from now on; acts on it after the first whole intent. */
export function createNetlinkEngine(options: NetlinkEngineOptions = {}): NetlinkEngine {
  return createEngine(openKernel(options.namespace), options);
}

/** Operations handed to the kernel at a time, and milliseconds of work between two turns of the event loop. */
const chunk = 200;
const slice = 4;
/** Milliseconds that changes by others gather before one repair, and that lie between two repairs at least. */
const gather = 100;
const repairInterval = 1_000;

/** The engine over any kernel; tests use the one of fake.ts. */
export function createEngine(kernel: Kernel, options: NetlinkEngineOptions = {}): NetlinkEngine {
  const intent = emptyRecords();
  const wanted = createWanted();
  /** What the kernel holds as far as is known: of everything, once `complete`. */
  let held = new Map<string, NetlinkObject>();
  let complete = false;
  /** Why the kernel refused an object, by identity. */
  const refusals = new Map<string, string>();
  let facts: Facts | undefined;
  let context: Context | undefined;
  let selfProblems: readonly Problem[] = [];
  /** Nothing is taken away before a whole intent came: what is there may be right. */
  let whole = false;
  let closed = false;
  let tail: Promise<unknown> = Promise.resolve();

  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const result = tail.then(work);
    tail = result.catch(() => {});
    return result;
  };

  /** Lowers the entries anew, all of them when what they share has changed. */
  const relower = async (
    entries: Iterable<string>,
  ): Promise<{ entries: Set<string>; touched: Set<string> }> => {
    facts ??= kernel.facts();
    const { value, problems } = contextOf(intent, facts, context);
    selfProblems = problems;
    const changed = new Set(entries);
    if (context === undefined || JSON.stringify(value) !== JSON.stringify(context)) {
      for (const entry of [...wanted.entries(), ...allEntries(intent)]) changed.add(entry);
    }
    context = value;
    const touched = new Set<string>();
    const pace = createPace();
    for (const entry of changed) {
      wanted.set(entry, lowerEntry(entry, intent, value), touched);
      await pace();
    }
    return { entries: changed, touched };
  };

  const execute = async (operations: readonly Operation[]): Promise<string[]> => {
    const done: string[] = [];
    const stale: Operation[] = [];
    const pace = createPace();
    for (let at = 0; at < operations.length; at += chunk) {
      const part = operations.slice(at, at + chunk);
      let outcomes: (string | undefined)[];
      try {
        outcomes = kernel.execute(part);
      } catch (error) {
        complete = false;
        throw error;
      }
      part.forEach((operation, index) => {
        const reason = outcomes[index];
        const id = identity(operation.object);
        if (reason === undefined) {
          if (operation.verb === 'put') refusals.delete(id);
          afterwards(held, operation);
          done.push(printOperation(operation));
        } else {
          refusals.set(id, reason);
          const before = operation.verb === 'put' ? operation.before : undefined;
          if (before !== undefined && leadsElsewhere(before, operation.object))
            stale.push({ verb: 'delete', object: before });
        }
      });
      // The kernel tells us our own changes too; they are read away before they fill the queue.
      watch.poll();
      await pace();
    }
    return stale.length === 0 ? done : [...done, ...(await execute(stale))];
  };

  const problemsOf = (entries: Iterable<string>, ids: Iterable<string>): Problem[] => {
    const problems: Problem[] = [...selfProblems];
    for (const entry of entries) problems.push(...wanted.problemsOf(entry));
    for (const id of ids) {
      const reason = refusals.get(id);
      if (reason === undefined) continue;
      for (const entry of wanted.claimants(id)) problems.push({ entry, reason: `${id}: ${reason}` });
    }
    return problems;
  };

  const applyNow = async (change: IntentChange): Promise<Report> => {
    const changed = merge(intent, change);
    if (change.replace) whole = true;
    const { entries, touched } = await relower(changed);
    if (whole && (!complete || change.replace)) return repairNow();
    const done = await execute(plan(held, wanted.objects, touched));
    forget(touched);
    return { operations: done, problems: problemsOf(entries, touched) };
  };

  /** Reads everything, then makes it as wanted. */
  const repairNow = async (): Promise<Report> => {
    facts = kernel.facts();
    await relower([]);
    if (!whole) return { operations: [], problems: problemsOf(wanted.entries(), refusals.keys()) };
    const sysctls: string[] = [];
    for (const object of wanted.objects.values()) if (object.kind === 'sysctl') sysctls.push(object.key);
    held = kernel.read(sysctls);
    complete = true;
    refusals.clear();
    const done = await execute(plan(held, wanted.objects));
    forget(held.keys());
    return { operations: done, problems: problemsOf(wanted.entries(), refusals.keys()) };
  };

  /** Devices and sysctls of entries that are gone are left as they are, so nothing is known of them from here on. */
  const forget = (ids: Iterable<string>): void => {
    for (const id of [...ids]) {
      if (wanted.objects.has(id)) continue;
      held.delete(id);
      refusals.delete(id);
    }
  };

  /** Only what hangs on the underlay: cheap, since the kernel's objects aren't read. */
  const followNow = async (): Promise<Report> => {
    if (!whole || !complete) return repairNow();
    facts = kernel.facts();
    const { entries, touched } = await relower([]);
    const done = await execute(plan(held, wanted.objects, touched));
    return { operations: done, problems: problemsOf(entries, touched) };
  };

  const repairs = createRepairs(async (kind, cause) => {
    try {
      if (closed) return;
      const report = await inTurn(kind === 'all' ? () => repairNow() : followNow);
      if (report.operations.length > 0) options.onRepair?.(cause, report);
    } catch (error) {
      options.onError?.(error);
    }
  });

  const watch = kernel.watch({
    onFacts: (device) => {
      // Routes through a device vanish without a word when it goes down or loses an address.
      const underlay = context?.devices.some((each) => each.name === device) === true;
      repairs.want(underlay ? 'all' : 'facts', `device ${device} changed`);
    },
    onDevice: (name) => {
      const target = wanted.objects.get(`link ${name}`) ?? wanted.objects.get(`device ${name}`);
      if (target === undefined) return;
      const found = kernel.readDevice(name);
      if (found === undefined || !sameObject(found, target)) repairs.want('all', `device ${name} changed`);
    },
    onObject: (object, gone) => {
      const known = held.get(identity(object));
      const drifted = gone ? known !== undefined : known === undefined || !sameObject(known, object);
      // What the kernel learns on our devices (multicast groups) is nobody's.
      const mine = known !== undefined || object.kind === 'route' || object.kind === 'forwarding';
      if (drifted && mine) repairs.want('all', `${identity(object)} changed`);
    },
    onLost: () => repairs.want('all', 'notifications were lost'),
  });

  return {
    name: 'netlink',
    apply: (change) => inTurn(() => applyNow(change)),
    resync: () => inTurn(() => repairNow()),
    cleanup: () =>
      inTurn(async () => {
        await kernel.removeAll();
        complete = false;
        whole = false;
      }),
    close: async () => {
      closed = true;
      repairs.close();
      await tail;
      watch.close();
      kernel.close();
    },
    podMtu: (mode) => {
      const mtu = context === undefined ? undefined : podMtu(context, mode);
      if (mtu !== undefined) return mtu;
      throw new Error(
        selfProblems[0]?.reason ?? `the node's network is not known yet, nor the MTU of ${mode} pods`,
      );
    },
  };
}

/** A route whose successor was refused must not go on leading to where the address no longer is. */
function leadsElsewhere(before: NetlinkObject, target: NetlinkObject): boolean {
  if (before.kind !== 'route' || target.kind !== 'route') return false;
  return before.device !== target.device || before.via !== target.via;
}

type Records = { [D in LoweredDomain]: Record<string, NodeIntent[D][string]> };

function emptyRecords(): Records {
  const none = () => Object.create(null) as Record<string, never>;
  return { self: none(), subnets: none(), peers: none(), endpoints: none() };
}

function* allEntries(intent: Records): Generator<string> {
  for (const domain of loweredDomains)
    for (const name of Object.keys(intent[domain])) yield `${domain}/${name}`;
}

/** Takes a change in; the entries that it names or, when it replaces, drops. */
function merge(intent: Records, change: IntentChange): Set<string> {
  const changed = new Set<string>();
  for (const domain of loweredDomains) {
    const records: Record<string, unknown> = intent[domain];
    const put: Readonly<Record<string, unknown>> = change.put[domain] ?? {};
    const removed =
      change.replace && domain !== 'endpoints' ? Object.keys(records) : (change.remove[domain] ?? []);
    for (const name of removed) {
      delete records[name];
      changed.add(`${domain}/${name}`);
    }
    for (const [name, entry] of Object.entries(put)) {
      records[name] = entry;
      changed.add(`${domain}/${name}`);
    }
  }
  return changed;
}

/** Lets the event loop turn when this work has held it for a slice. */
function createPace(): () => Promise<void> | undefined {
  let since = performance.now();
  return () => {
    if (performance.now() - since < slice) return undefined;
    return nextTurn().then(() => {
      since = performance.now();
    });
  };
}

type RepairKind = 'facts' | 'all';

function createRepairs(work: (kind: RepairKind, cause: string) => Promise<void>) {
  let wantedKind: RepairKind | undefined;
  let cause = '';
  let timer: NodeJS.Timeout | undefined;
  let last = -repairInterval;
  let closed = false;
  const run = async () => {
    const kind = wantedKind!;
    wantedKind = undefined;
    await work(kind, cause);
    last = performance.now();
    timer = undefined;
    if (wantedKind !== undefined) arm();
  };
  const arm = () => {
    if (closed) return;
    const wait = Math.max(gather, last + repairInterval - performance.now());
    timer = setTimeout(() => void run(), wait);
    timer.unref();
  };
  return {
    want: (kind: RepairKind, why: string) => {
      if (wantedKind === undefined) cause = why;
      if (wantedKind !== 'all') wantedKind = kind;
      if (timer === undefined) arm();
    },
    close: () => {
      closed = true;
      clearTimeout(timer);
    },
  };
}
