/** What the printers of manifests have in common: where losses are told, references, metadata, times. */
import type { KubeObject } from '#api/object.ts';
import type { GatewayObject, ObjectReference } from '#model/gateway/types.ts';
import type { Report } from '../fields.ts';
import { validName } from './names.ts';

export type Printing = {
  readonly report: Report;
  /** Names that routes got, by `KIND/namespace/name` of the model: one may have become several. */
  readonly renamed: Map<string, readonly { readonly name: string; readonly sections: readonly string[] }[]>;
};

/** `Kind namespace/name` of the user's object that a model comes of. */
export function sourceOf({ origin: { kind, namespace, name } }: Pick<GatewayObject, 'origin'>): string {
  return namespace === undefined ? `${kind} ${name}` : `${kind} ${namespace}/${name}`;
}

export function manifest(
  apiVersion: string,
  kind: string,
  { namespace, name }: { readonly namespace: string; readonly name: string },
  spec: object,
): KubeObject {
  return { apiVersion, kind, metadata: { name: validName(name), namespace }, spec };
}

/** Its namespace only where it isn't the referrer's own, its group only where it isn't the usual one. */
export function referenceTo(
  { group, kind, namespace, name }: ObjectReference,
  own: string,
  usual: { readonly group: string; readonly kind: string },
): object {
  return {
    ...(group === usual.group ? {} : { group }),
    ...(kind === usual.kind && group === usual.group ? {} : { kind }),
    ...(namespace === own ? {} : { namespace }),
    name: validName(name),
  };
}

/** Milliseconds as Gateway API writes them: `1m30s`. */
export function duration(milliseconds: number): string {
  if (milliseconds === 0) return '0s';
  const parts: string[] = [];
  let rest = Math.min(Math.round(milliseconds), 99_999 * 3_600_000);
  for (const [unit, size] of units) {
    const count = Math.floor(rest / size);
    if (count > 0) parts.push(`${count}${unit}`);
    rest -= count * size;
  }
  return parts.join('');
}

const units = [
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
  ['ms', 1],
] as const;

/** The list in pieces of at most `size`. */
export function pieces<T>(list: readonly T[], size: number): readonly (readonly T[])[] {
  const found: (readonly T[])[] = [];
  for (let at = 0; at < list.length; at += size) found.push(list.slice(at, at + size));
  return found;
}
