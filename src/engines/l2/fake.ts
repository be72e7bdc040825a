/** A kernel in memory, with the rules that matter: nothing may dangle or be there twice, and all of a transaction holds or nothing. */
import { NftError } from '../nftables/commands.ts';
import type { Kernel, Saying } from './kernel.ts';
import type { L2Link } from './links.ts';
import { identity, type L2Object, type Operation, type Responder } from './objects.ts';

export type FakeKernel = Kernel & {
  setLink(name: string, link: Partial<L2Link> | undefined): void;
  /** The process dies at the next commit after `count`, before or after it takes effect. */
  killAfter(count: number, when: 'before' | 'after'): void;
  /** As `nft delete table` by somebody else. */
  flush(): void;
  /** Somebody else takes this away. */
  take(id: string): void;
  /** The time of what was renewed last is over. */
  expire(): void;
  refuseAll(message: string | undefined): void;
  /** What was told unasked, as `address device`. */
  readonly said: string[];
  /** Everything that is there, sorted. */
  dump(): string[];
};

export class Killed extends Error {}

type State = { objects: Map<string, L2Object>; strays: Set<string>; answering: boolean };

export function createFakeKernel(): FakeKernel {
  const links = new Map<string, L2Link>();
  const said: string[] = [];
  let table: State | undefined;
  let left = Number.POSITIVE_INFINITY;
  let when: 'before' | 'after' = 'before';
  let refusal: string | undefined;
  let index = 1;

  const refuse = (message: string): never => {
    throw new NftError('refused', message);
  };
  const step = (state: State | undefined, operation: Operation): State | undefined => {
    if (operation.verb === 'drop') return undefined;
    if (operation.verb === 'make')
      return state ?? { objects: new Map(), strays: new Set(), answering: false };
    const there = state ?? refuse('no such table');
    if (operation.verb === 'renew' || operation.verb === 'silence')
      there.answering = operation.verb === 'renew';
    else if (operation.verb === 'sweep') {
      for (const chain of operation.chains) if (!there.strays.delete(chain)) refuse(`no chain ${chain}`);
    } else change(there, operation.verb, operation.object);
    return there;
  };
  const change = ({ objects }: State, verb: 'put' | 'delete', object: L2Object): void => {
    const id = identity(object);
    if (verb === 'delete') {
      if (!objects.delete(id)) refuse(`${id} is not there`);
      return;
    }
    if (objects.has(id)) refuse(`${id} is there`);
    if (object.kind === 'responder' && links.get(object.device)?.ifindex !== object.ifindex)
      refuse(`no device ${object.device}`);
    objects.set(id, object);
  };
  const check = (state: State): void => {
    for (const object of state.objects.values())
      if (object.kind === 'held' && !state.objects.has(`responder ${object.device}`))
        refuse(`nobody answers on ${object.device}`);
  };

  return {
    said,
    links: () => [...links.values()],
    async read() {
      if (table === undefined) return undefined;
      const responders = new Map<string, Responder>();
      const held = new Map();
      for (const [id, object] of table.objects)
        if (object.kind === 'held') held.set(id, object);
        else responders.set(id, object);
      return {
        table: { responders, held, strays: [...table.strays], answering: table.answering },
        counts: new Map(),
      };
    },
    async commit(operations) {
      if (operations.length === 0) return;
      const dies = left-- <= 0;
      if (dies && when === 'before') throw new Killed('killed');
      if (refusal !== undefined && operations.some(({ verb }) => verb !== 'drop')) refuse(refusal);
      let next =
        table === undefined
          ? undefined
          : { ...table, objects: new Map(table.objects), strays: new Set(table.strays) };
      for (const operation of operations) next = step(next, operation);
      if (next !== undefined) check(next);
      table = next;
      if (dies) throw new Killed('killed');
    },
    say(sayings: readonly Saying[]) {
      for (const { address, ifindex } of sayings) {
        const device = [...links.values()].find((link) => link.ifindex === ifindex)?.name;
        if (device !== undefined) said.push(`${address} ${device}`);
      }
    },
    listen: () => {},
    watch: () => ({ isCurrent: () => false, close: () => {} }),
    close: async () => {},
    setLink(name, link) {
      const before = links.get(name);
      links.delete(name);
      // What stood on the device is gone or leads nowhere: chains of nothing whole.
      const object = table?.objects.get(`responder ${name}`);
      if (table !== undefined && object !== undefined && before?.mac !== link?.mac) {
        table.objects.delete(`responder ${name}`);
        table.strays.add(`arp-${name}`);
      }
      if (link === undefined) return;
      links.set(name, {
        ifindex: index++,
        name,
        mac: '02:00:00:00:00:01',
        up: true,
        broadcasts: true,
        master: 0,
        kind: '',
        group: 0,
        ...link,
      });
    },
    killAfter(count, moment) {
      left = count;
      when = moment;
    },
    flush() {
      table = undefined;
    },
    take(id) {
      table?.objects.delete(id);
    },
    expire() {
      if (table !== undefined) table.answering = false;
    },
    refuseAll(message) {
      refusal = message;
    },
    dump: () =>
      table === undefined
        ? []
        : [
            ...[...table.objects.values()].map((object) => JSON.stringify(object)),
            ...table.strays,
            `answering ${table.answering}`,
          ].sort(),
  };
}
