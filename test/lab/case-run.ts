/** Runs one case in a cluster: each step's objects and changes, then its checks until all hold; leaves nothing behind. */
import type { KubeObject } from '#api/object.ts';
import { eventually } from '#lab/eventually.ts';
import type { Case, Change, Step } from '../corpus/case.ts';
import {
  documents,
  kindOf,
  namespaceObject,
  placeholder,
  podDefaults,
  podObject,
  substitute,
} from '../corpus/objects.ts';
import { checkStep } from './case-checks.ts';
import { type CaseCluster, keyOfObject } from './case-cluster.ts';
import { endsOf, type Running } from './case-ends.ts';
import { namesOf } from './case-names.ts';
import { podGone, stopServing, waitForPods } from './case-pods.ts';

/** Gives what did not hold, a line each. */
export async function runCase(shared: CaseCluster, given: Case, prefix: string): Promise<readonly string[]> {
  const run: Running = {
    ...shared,
    given,
    prefix,
    names: namesOf(given, prefix),
    wishes: new Map(),
    serving: new Map(),
    kept: new Set(),
    before: new Map(),
    undo: [],
  };
  const made = new Map<string, KubeObject>();
  try {
    for (const step of given.steps) {
      await takeStep(run, step, made);
      const wrong = await checkStep(run, step);
      if (wrong.length > 0)
        return wrong.map((each) => (step.title === '' ? each : `${each} (${step.title})`));
    }
    return [];
  } finally {
    await cleanUp(run, made);
  }
}

async function takeStep(run: Running, step: Step, made: Map<string, KubeObject>): Promise<void> {
  const { names, cluster } = run;
  const apply = async (objects: readonly KubeObject[]): Promise<void> => {
    for (const object of objects) made.set(keyOfObject(object), object);
    await cluster.apply(
      ...objects.map((object) => withoutStatus(isBalanced(object) ? byHand(object) : object)),
    );
    await Promise.all(objects.filter(isBalanced).map((object) => setStatus(run, object)));
  };
  const texts = step.manifests.split(/^---$/m);
  const late = texts.filter((text) => text.search(placeholder) >= 0);
  const early = texts.filter((text) => !late.includes(text)).flatMap(documents);
  const told = new Set([
    ...step.namespaces.map(({ name }) => name),
    ...early.filter(({ kind }) => kind === 'Namespace').map(({ metadata }) => metadata.name),
  ]);
  const needed = new Set([
    ...step.pods.map(({ namespace }) => namespace),
    ...early.flatMap(({ metadata }) => metadata.namespace ?? []),
  ]);
  const absent = [...needed].filter(
    (name) => !told.has(name) && !made.has(`Namespace /${names.namespace(name)}`),
  );
  const namespaces = [
    ...absent.map((name) => namespaceObject({ name, labels: {} })),
    ...step.namespaces.map(namespaceObject),
    ...early.filter(({ kind }) => kind === 'Namespace'),
  ];
  await apply(namespaces.map(names.object));
  await Promise.all(namespaces.map(({ metadata }) => serviceAccount(run, names.namespace(metadata.name))));
  for (const change of step.changes) await makeChange(run, change);
  const pods = step.pods.map(podObject);
  const pools = early.filter(({ kind }) => kind === 'IPAddressPool').map(names.object);
  await apply(pools);
  await Promise.all(pools.map((pool) => poolKnown(run, pool)));
  const rest = early.filter(({ kind }) => kind !== 'Namespace' && kind !== 'IPAddressPool');
  await apply(
    [...rest.map((each) => (each.kind === 'Pod' ? podDefaults(each) : each)), ...pods].map(names.object),
  );
  for (const pod of step.pods) run.wishes.set(`${pod.namespace}/${pod.name}`, pod);
  await waitForPods(run, step);
  const addressOf = (end: string, family: 4 | 6): string => {
    const [address] = endsOf(run, end, family);
    if (address === undefined) throw new Error(`${end} has no IPv${family} address`);
    return address;
  };
  await apply(late.flatMap((text) => documents(substitute(text, addressOf))).map(names.object));
}

async function makeChange(run: Running, change: Change): Promise<void> {
  const { cluster, names } = run;
  const kind = kindOf(change.kind);
  const type = run.type(kind);
  const target = nameIn(run, kind, change.namespace, change.name);
  if (change.verb === 'delete' || change.verb === 'end') {
    await cluster.client.delete(
      type,
      target.name,
      target.namespace === undefined ? {} : { namespace: target.namespace },
    );
    if (kind === 'Pod' && change.verb === 'delete') await podGone(run, `${change.namespace}/${change.name}`);
    return;
  }
  const field = change.verb === 'label' ? 'labels' : 'annotations';
  const values = Object.fromEntries(
    Object.entries(change.values).map(([key, value]) => [key, value ?? null]),
  );
  const patch = (body: object) =>
    cluster.client.patch(type, target, { kind: 'merge', body: { metadata: { [field]: body } } });
  if (kind === 'Node') {
    run.undo.push(
      async () => void (await patch(Object.fromEntries(Object.keys(values).map((key) => [key, null])))),
    );
  }
  await patch(names.value(values));
}

function nameIn(
  run: Running,
  kind: string,
  namespace: string | undefined,
  name: string,
): { readonly name: string; readonly namespace?: string } {
  if (kind === 'Namespace') return { name: run.names.namespace(name) };
  if (namespace === undefined) return { name: run.names.cluster(kind, name) };
  return { name, namespace: run.names.namespace(namespace) };
}

/** Pods need it, and it comes a moment after its namespace. */
async function serviceAccount({ cluster }: Running, namespace: string): Promise<void> {
  const type = {
    group: '',
    version: 'v1',
    kind: 'ServiceAccount',
    plural: 'serviceaccounts',
    namespaced: true,
  };
  await eventually(() => cluster.client.get(type, 'default', namespace));
}

/** A Service that is seen before its pool gets, and keeps, an address of another. */
async function poolKnown({ cluster, type }: Running, { kind, metadata }: KubeObject): Promise<void> {
  await eventually(async () => {
    const { metadata: now, status } = await cluster.client.get<Pool>(
      type(kind),
      metadata.name,
      metadata.namespace,
    );
    const ready = status?.conditions?.find((condition) => condition.type === 'Ready');
    if (ready?.observedGeneration !== now.generation) throw new Error(`${metadata.name} is not known yet`);
  });
}

type Pool = KubeObject & {
  readonly status?: {
    readonly conditions?: readonly { readonly type: string; readonly observedGeneration?: number }[];
  };
};

type Balanced = { readonly loadBalancer?: object };

const isBalanced = (object: KubeObject): boolean =>
  object.kind === 'Service' && (object['status'] as Balanced | undefined)?.loadBalancer !== undefined;

/** Where the case says what a Service's status is, nobody else does: it is of another's class. */
function byHand(object: KubeObject): KubeObject {
  const spec = object['spec'] as object | undefined;
  return { ...object, spec: { ...spec, loadBalancerClass: 'corpus.netloom.dev/by-hand' } } as KubeObject;
}

/** What a load balancer's controller would write. */
async function setStatus({ cluster, type }: Running, object: KubeObject): Promise<void> {
  const { name, namespace } = object.metadata;
  const found = await cluster.client.get(type(object.kind), name, namespace);
  await cluster.client.updateStatus(type(object.kind), { ...found, status: object['status'] });
}

function withoutStatus(object: KubeObject): KubeObject {
  const { status: _, ...rest } = object;
  return rest as KubeObject;
}

/** Policies first: what a dying pod still does is no concern of theirs. */
async function cleanUp(run: Running, made: ReadonlyMap<string, KubeObject>): Promise<void> {
  const { cluster } = run;
  await Promise.allSettled([...run.kept].map((name) => dropKept(run, name)));
  await Promise.allSettled([...run.serving.keys()].map((end) => stopServing(run, end)));
  await Promise.allSettled(run.undo.map((each) => each()));
  const without = [...made.values()].filter(
    ({ kind, metadata }) => metadata.namespace === undefined && kind !== 'Namespace',
  );
  const namespaces = [...made.values()].filter(({ kind }) => kind === 'Namespace');
  // A pool that goes with its namespace would give the next case's Services their addresses.
  const first = [...made.values()].filter(({ apiVersion }) => apiVersion.startsWith('metallb.io/'));
  await Promise.allSettled(
    first.map(({ kind, metadata: { name, namespace } }) =>
      cluster.client.delete(run.type(kind), name, namespace === undefined ? {} : { namespace }),
    ),
  );
  const remove = (objects: readonly KubeObject[]) =>
    Promise.allSettled(
      objects.map(({ kind, metadata }) => cluster.client.delete(run.type(kind), metadata.name)),
    );
  const addresses = without.filter(({ kind }) => kind === 'Subnet' || kind === 'IPPool');
  await remove(without.filter((object) => !addresses.includes(object)));
  await remove(namespaces);
  await remove(addresses);
}

async function dropKept(run: Running, name: string): Promise<void> {
  const [end = '', id = ''] = name.split(' ');
  const from = run.serving.get(end)?.place;
  if (from !== undefined) await run.packets.drop(from, id);
}
