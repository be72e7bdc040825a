/** The objects that a case speaks of, and what its changes make of them; pure. */
import { parseAllDocuments } from 'yaml';
import type { KubeObject } from '#api/object.ts';
import type { Change, NamespaceWish, PodWish } from './case.ts';

/** By `Kind namespace/name`, or `Kind name`. */
export type Objects = ReadonlyMap<string, KubeObject>;

type Metadata = { -readonly [K in keyof KubeObject['metadata']]: KubeObject['metadata'][K] };

export const keyOf = ({ kind, metadata }: Pick<KubeObject, 'kind' | 'metadata'>): string =>
  nameOf(kind, metadata.namespace, metadata.name);

export const nameOf = (kind: string, namespace: string | undefined, name: string): string =>
  namespace === undefined ? `${kind} ${name}` : `${kind} ${namespace}/${name}`;

/** Throws what is wrong with the YAML. */
export function documents(text: string): KubeObject[] {
  return parseAllDocuments(text).flatMap((document) => {
    const [error] = document.errors;
    if (error !== undefined) throw error;
    const object = document.toJS() as KubeObject | null;
    return object === null ? [] : [object];
  });
}

/** `$(x/a.4)`: an address of a pod, a node or the machine outside, of that family. */
export const placeholder = /\$\(([^()]+)\.([46])\)/g;

export function substitute(text: string, addressOf: (end: string, family: 4 | 6) => string): string {
  return text.replaceAll(placeholder, (_, end: string, family: string) =>
    addressOf(end, family === '6' ? 6 : 4),
  );
}

export function namespaceObject({ name, labels }: NamespaceWish): KubeObject {
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } };
}

export function podObject(wish: PodWish): KubeObject {
  // One container may have a name once; a pod may have it for several protocols.
  const isAgain = ({ name }: PodWish['ports'][number], index: number) =>
    name !== undefined && wish.ports.findIndex((each) => each.name === name) < index;
  const first = wish.ports.filter((port, index) => !isAgain(port, index));
  const others = wish.ports.filter(isAgain);
  return podDefaults({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: wish.name, namespace: wish.namespace, labels: wish.labels },
    spec: {
      nodeName: wish.node,
      ...(wish.hostNetwork ? { hostNetwork: true } : {}),
      ...(wish.ended ? { restartPolicy: 'Never' } : {}),
      ...(wish.lingers ? { terminationGracePeriodSeconds: 30 } : {}),
      containers: [
        containerOf('main', first, commandOf(wish)),
        ...others.map((port, index) => containerOf(`other${index}`, [port], undefined)),
      ],
    },
  });
}

function commandOf({ ended, lingers }: PodWish): readonly string[] | undefined {
  if (ended) return ['true'];
  return lingers ? ['sh', '-c', 'trap "" TERM; sleep 600 & wait; wait'] : undefined;
}

function containerOf(name: string, ports: PodWish['ports'], command: readonly string[] | undefined): object {
  const declared = ports.map(({ name: called, protocol, port }) => ({
    ...(called === undefined ? {} : { name: called }),
    containerPort: port,
    protocol: protocol.toUpperCase(),
  }));
  return {
    name,
    image: 'netloom/client',
    ...(command === undefined ? {} : { command }),
    ...(declared.length === 0 ? {} : { ports: declared }),
  };
}

/** What a pod of a case needn't say. */
export function podDefaults(pod: KubeObject): KubeObject {
  const spec = (pod['spec'] ?? {}) as object;
  return {
    ...pod,
    spec: {
      terminationGracePeriodSeconds: 0,
      tolerations: [{ operator: 'Exists' }],
      containers: [{ name: 'main', image: 'netloom/client' }],
      ...spec,
    },
  };
}

/** Objects after a change; one that is not there stays so. */
export function changed(objects: Objects, change: Change): Objects {
  const key = nameOf(kindOf(change.kind), change.namespace, change.name);
  const next = new Map(objects);
  const object = objects.get(key);
  if (object === undefined) return next;
  // It is still there while it ends.
  if (change.verb === 'end') return next;
  if (change.verb === 'delete') {
    next.delete(key);
    return next;
  }
  const field = change.verb === 'label' ? 'labels' : 'annotations';
  const metadata: Metadata = { ...object.metadata };
  const values = Object.entries({ ...metadata[field], ...change.values });
  metadata[field] = Object.fromEntries(
    values.filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
  next.set(key, { ...object, metadata });
  return next;
}

/** `pod` as kubectl takes it. */
export const kindOf = (word: string): string => word.charAt(0).toUpperCase() + word.slice(1);
