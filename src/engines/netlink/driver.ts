/** The engine: holds links, addresses, neighbours, forwarding entries, routes and sysctls of one node in the kernel. */
import type { Engine, Report } from '#engines/engine.ts';
import type { IntentChange, SubnetMode } from '#intent/node.ts';
import { parseAddr } from '#net/addr.ts';
import { hostPrefix } from '#net/prefix.ts';
import { type Context, contextOf, type Facts, type Problem, podMtu } from './context.ts';
import { type Kernel, openKernel } from './kernel.ts';
import { lowerEntry } from './lower.ts';
import { identity, type NetlinkObject, type Operation, printOperation, sameObject } from './objects.ts';
import { afterwards, plan } from './plan.ts';
import { allEntries, emptyRecords, merge } from './records.ts';
import { type Cause, createPace, createRepairs } from './repairs.ts';
import { wireOf } from './underlay.ts';
import { createWanted } from './wanted.ts';

export type NetlinkEngineOptions = {
  /** Path of the node's network namespace; default: this process's own. */
  readonly namespace?: string | undefined;
  /** After the engine has repaired by itself what others changed, or followed the underlay: what it did and what it could not do. */
  readonly onRepair?: ((cause: Cause, report: Report) => void) | undefined;
  /** A repair that failed; the next one comes with the next change or resync. */
  readonly onError?: ((error: unknown) => void) | undefined;
};

export type NetlinkEngine = Engine & {
  /** MTU of a pod's interface, both ends. Throws while the engine has no intent or no device has the node's address. */
  podMtu(mode: SubnetMode): number;
  /** Where an address of an underlay Subnet is on the wire, as of now; undefined while no device has the node's address. */
  wireOf(address: string): WirePlace | undefined;
};

/** A device on the wire, and the node there. */
export type WirePlace = {
  readonly device: string;
  readonly ifindex: number;
  readonly mac: string;
  /** The node's own address there, of the same family as was asked for. */
  readonly own: string | undefined;
};

/** Needs CAP_NET_ADMIN in the namespace. Watches it from now on; acts on it after the first whole intent. */
export function createNetlinkEngine(options: NetlinkEngineOptions = {}): NetlinkEngine {
  return createEngine(openKernel(options.namespace), options);
}

/** Operations handed to the kernel at a time: some 2 ms. */
const chunk = 50;

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
    // Where the pod's device is missing, that it is says it all.
    const told = new Set<string>();
    const refused = [...ids].filter((id) => refusals.has(id));
    refused.sort((a, b) => Number(b.startsWith('device ')) - Number(a.startsWith('device ')));
    for (const id of refused) {
      for (const entry of wanted.claimants(id)) {
        if (told.has(entry)) continue;
        if (id.startsWith('device ')) told.add(entry);
        problems.push({ entry, reason: `${id}: ${refusals.get(id)}` });
      }
    }
    return problems;
  };

  const applyNow = async (change: IntentChange): Promise<Report> => {
    const changed = merge(intent, change);
    // Which of the node's own blocks are announced depends on their Subnets.
    if ([...changed].some((entry) => entry.startsWith('subnets/')))
      for (const name of Object.keys(intent.self)) changed.add(`self/${name}`);
    if (change.replace) whole = true;
    // A change of Services is nothing to this engine, and comes most often.
    if (changed.size === 0 && whole && complete && !change.replace)
      return { operations: [], problems: selfProblems };
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
    held = await kernel.read(sysctls, createPace());
    complete = true;
    refusals.clear();
    const done = await execute(plan(held, wanted.objects, await differing()));
    forget(held.keys());
    return { operations: done, problems: problemsOf(wanted.entries(), refusals.keys()) };
  };

  const differing = async (): Promise<Set<string>> => {
    const ids = new Set<string>();
    const pace = createPace();
    for (const [id, object] of wanted.objects) {
      const found = held.get(id);
      if (found === undefined || !sameObject(found, object)) ids.add(id);
      await pace();
    }
    for (const id of held.keys()) if (!wanted.objects.has(id)) ids.add(id);
    return ids;
  };

  /** Devices and sysctls of entries that are gone are left as they are, so nothing is known of them from here on. */
  const forget = (ids: Iterable<string>): void => {
    for (const id of ids) {
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

  let told = '';
  const repairs = createRepairs(async (kind, cause) => {
    try {
      if (closed) return;
      const report = await inTurn(kind === 'all' ? () => repairNow() : followNow);
      const problems = JSON.stringify(report.problems);
      if (report.operations.length > 0 || problems !== told) options.onRepair?.(cause, report);
      told = problems;
    } catch (error) {
      options.onError?.(error);
    }
  });

  const foreign = (text: string) => repairs.want('all', { text, foreign: true });
  const watch = kernel.watch({
    onFacts: (device) => {
      // Routes through a device vanish without a word when it goes down or loses an address.
      const underlay = context?.devices.some((each) => each.name === device) === true;
      repairs.want(underlay ? 'all' : 'facts', { text: `device ${device} changed`, foreign: false });
    },
    onDevice: (name) => {
      const target = wanted.objects.get(`link ${name}`) ?? wanted.objects.get(`device ${name}`);
      if (target === undefined) return;
      const found = kernel.readDevice(name);
      if (found === undefined || !sameObject(found, target)) foreign(`device ${name} changed`);
    },
    onObject: (object, gone) => {
      const known = held.get(identity(object));
      const drifted = gone ? known !== undefined : known === undefined || !sameObject(known, object);
      // What the kernel learns on our devices (multicast groups) is nobody's.
      const mine = known !== undefined || object.kind === 'route' || object.kind === 'forwarding';
      if (drifted && mine) foreign(`${identity(object)} changed`);
    },
    onLost: () => repairs.want('all', { text: 'notifications were lost', foreign: false }),
  });

  return {
    name: 'netlink',
    apply: (change) => inTurn(() => applyNow(change)),
    resync: () => inTurn(() => repairNow()),
    cleanup: () =>
      inTurn(async () => {
        await kernel.removeAll();
        held.clear();
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
    wireOf: (address) => {
      const addr = parseAddr(address);
      const wire =
        addr === undefined || context === undefined ? undefined : wireOf(hostPrefix(addr), context);
      const link = wire === undefined ? undefined : kernel.readLink(wire.device);
      if (wire === undefined || link === undefined) return undefined;
      return { device: wire.device, ...link, own: wire.own };
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
