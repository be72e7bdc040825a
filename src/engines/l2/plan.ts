/** The table as it is and wanted objects ─► operations of one transaction; pure. */
import { identity, type L2Object, type Objects, type Operation, sameObject, type Table } from './objects.ts';

const empty: Table = { responders: new Map(), strays: [], held: new Map(), answering: false };

/**
 * What must be done to come from `actual` (undefined: no table) to `wanted`, as far as `touched` (default: everything) goes. What is held goes
 * before who answers for it, and comes after. Without anything wanted there is no table.
 */
export function plan(
  actual: Table | undefined,
  wanted: Objects,
  touched?: Iterable<string>,
): readonly Operation[] {
  if (wanted.size === 0) return actual === undefined ? [] : [{ verb: 'drop' }];
  const table = actual ?? empty;
  const found = new Map<string, L2Object>([...table.responders, ...table.held]);
  const ids = touched === undefined ? new Set([...found.keys(), ...wanted.keys()]) : new Set(touched);
  const puts: L2Object[] = [];
  const deletes: L2Object[] = [];
  for (const id of ids) {
    const before = found.get(id);
    const after = wanted.get(id);
    if (before !== undefined && after !== undefined && sameObject(before, after)) continue;
    if (before !== undefined) deletes.push(before);
    if (after !== undefined) puts.push(after);
  }
  const of = (kind: L2Object['kind'], list: readonly L2Object[]) => list.filter((each) => each.kind === kind);
  return [
    ...(actual === undefined ? [{ verb: 'make' } as const] : []),
    ...[...of('held', deletes), ...of('responder', deletes)].map(
      (object) => ({ verb: 'delete', object }) as const,
    ),
    ...(table.strays.length > 0 ? [{ verb: 'sweep', chains: table.strays } as const] : []),
    ...[...of('responder', puts), ...of('held', puts)].map((object) => ({ verb: 'put', object }) as const),
  ];
}

/** What the kernel holds after a transaction succeeded. */
export function afterwards(actual: Table | undefined, operations: readonly Operation[]): Table | undefined {
  let isThere = actual !== undefined;
  let { answering, strays } = actual ?? empty;
  const responders = new Map(actual?.responders);
  const held = new Map(actual?.held);
  for (const operation of operations) {
    if (operation.verb === 'make') isThere = true;
    if (operation.verb === 'drop') {
      [isThere, answering, strays] = [false, false, []];
      responders.clear();
      held.clear();
    }
    if (operation.verb === 'sweep') strays = [];
    if (operation.verb === 'renew' || operation.verb === 'silence') answering = operation.verb === 'renew';
    if (operation.verb !== 'put' && operation.verb !== 'delete') continue;
    const { object } = operation;
    const objects: Map<string, L2Object> = object.kind === 'held' ? held : responders;
    if (operation.verb === 'put') objects.set(identity(object), object);
    else objects.delete(identity(object));
  }
  return isThere ? { responders, held, strays, answering } : undefined;
}
