/** Reads references to backends. */
import type { Refuse } from '../problem.ts';
import { rawOf, shown } from '../raw.ts';
import { type Entry, readInteger, readList, readPort, readReference } from './fields.ts';
import type { BackendReference } from './types.ts';

/** A reference with the entry that it stands in, which may say more. */
export type WrittenBackend = { readonly reference: BackendReference; readonly entry: Entry };

/** One that can't be read stays, as a reference to nothing: its share of requests or connections is refused. */
export function readBackends(
  value: unknown,
  field: string,
  namespace: string,
  refuse: Refuse,
): readonly WrittenBackend[] {
  return readList(value, field, refuse).map((each, index) => {
    const at = `${field}[${index}]`;
    const raw = rawOf(each) ?? refuse(at, 'InvalidValue', `${shown(each)} is no object`) ?? {};
    const entry = { raw, field: at };
    return { reference: readBackend(entry, namespace, refuse), entry };
  });
}

export function readBackend(entry: Entry, namespace: string, refuse: Refuse): BackendReference {
  const { raw, field } = entry;
  const reference = readReference(entry, { group: '', kind: 'Service', namespace }, refuse);
  const port = readPort(raw['port'], `${field}.port`, refuse);
  const weight = readInteger(raw['weight'], `${field}.weight`, [0, 1_000_000], refuse);
  return { ...reference, ...(port === undefined ? {} : { port }), weight: weight ?? 1 };
}
