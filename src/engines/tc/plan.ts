/** Actual objects and wanted objects ─► operations, in an order in which nothing leads into the void; pure. */
import { identity, type Objects, type Operation, sameDevice, sameObject } from './objects.ts';

/** Order of making: what packets are led to is there and shaped before they are led there. Taking away goes the other way round. */
const rank = { ifb: 0, shaper: 1, redirect: 2 } as const;

/** What must be done to come from `actual` to `wanted`, as far as `touched` (default: everything) goes. */
export function plan(actual: Objects, wanted: Objects, touched?: Iterable<string>): Operation[] {
  const ids = new Set(touched ?? [...actual.keys(), ...wanted.keys()]);
  const puts: Operation[] = [];
  const deletes: Operation[] = [];
  for (const id of ids) {
    const found = actual.get(id);
    const target = wanted.get(id);
    if (target === undefined) {
      if (found !== undefined && !goesWithItsDevice(found, wanted))
        deletes.push({ verb: 'delete', object: found });
    } else if (found === undefined || !sameDevice(found, target)) {
      puts.push({ verb: 'put', object: target, before: undefined });
    } else if (!sameObject(found, target)) {
      puts.push({ verb: 'put', object: target, before: found });
    }
  }
  puts.sort((a, b) => rank[a.object.kind] - rank[b.object.kind]);
  deletes.sort((a, b) => rank[b.object.kind] - rank[a.object.kind]);
  return [...puts, ...deletes];
}

/** What the kernel holds after an operation succeeded. */
export function afterwards(objects: Map<string, Operation['object']>, { verb, object }: Operation): void {
  if (verb === 'put') objects.set(identity(object), object);
  else {
    objects.delete(identity(object));
    if (object.kind === 'ifb') objects.delete(`shaper ${object.name}`);
  }
}

/** The queue of an ifb that is taken away itself. */
function goesWithItsDevice(object: Operation['object'], wanted: Objects): boolean {
  return object.kind === 'shaper' && object.ifindex === undefined && !wanted.has(`ifb ${object.device}`);
}
