/** The URLs of the Kubernetes API; pure. */
import type { ResourceType } from '#api/object.ts';

export type ObjectPath = {
  readonly name?: string | undefined;
  readonly namespace?: string | undefined;
  readonly subresource?: string | undefined;
};

export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

/**
 * Path of a collection, an object or a subresource. Without a namespace a namespaced type means all namespaces.
 * Throws when a name is given for a namespaced type without its namespace, or a segment could leave its place in the path.
 */
export function resourcePath(type: ResourceType, { name, namespace, subresource }: ObjectPath = {}): string {
  const root = type.group === '' ? `/api/${type.version}` : `/apis/${type.group}/${type.version}`;
  if (type.namespaced && name !== undefined && (namespace === undefined || namespace === '')) {
    throw new Error(`${type.kind} ${name}: a namespaced kind needs a namespace`);
  }
  const scope =
    type.namespaced && namespace !== undefined && namespace !== '' ? `/namespaces/${segment(namespace)}` : '';
  const object = name === undefined ? '' : `/${segment(name)}`;
  const below = subresource === undefined ? '' : `/${segment(subresource)}`;
  return `${root}${scope}/${type.plural}${object}${below}`;
}

/** `?a=b&c=d`, leaving out what is undefined; empty when nothing is left. */
export function queryString(query: Query): string {
  const parameters = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) {
    if (value !== undefined) parameters.set(key, String(value));
  }
  const text = parameters.toString();
  return text === '' ? '' : `?${text}`;
}

function segment(value: string): string {
  if (value === '' || value === '.' || value === '..' || value.includes('/')) {
    throw new Error(`${JSON.stringify(value)} can't be part of a path`);
  }
  return encodeURIComponent(value);
}
