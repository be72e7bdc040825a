/** Runs one case of Gateways in a cluster: its objects, real requests by curl, and what the cluster says of them; leaves nothing behind. */
import type { KubeObject } from '#api/object.ts';
import { instanceObject } from '#compile/gateway/instances/origin.ts';
import { eventually } from '#lab/eventually.ts';
import type { Case, Step } from '../corpus/case.ts';
import { type RequestWish, type StatusWish, unlike } from '../corpus/gateway-lines.ts';
import { documents, kindOf, namespaceObject } from '../corpus/objects.ts';
import type { CaseCluster } from './case-cluster.ts';
import { type Names, namesOf } from './case-names.ts';
import type { BackendAnswer } from './gateway-backends.ts';
import { statusIn } from './gateway-case-status.ts';

export type GatewayCaseRun = Pick<CaseCluster, 'cluster' | 'type'> & {
  /** Where backends are: every endpoint of a case is a port of its own there. */
  readonly backends: {
    readonly address: string;
    /** PEM: who signed their certificate. */
    readonly authority: string;
    nextPort(): number;
  };
};

/** Whether a cluster can be asked: ages are its own, and a Gateway without requests may be one that no API server would take. */
export function runsInCluster({ steps }: Case): boolean {
  return (
    steps.some(({ requests }) => requests.length > 0) &&
    steps.every(({ manifests }) => !manifests.includes('creationTimestamp'))
  );
}

/** Gives what did not hold, a line each. */
export async function runGatewayCase(
  run: GatewayCaseRun,
  given: Case,
  prefix: string,
): Promise<readonly string[]> {
  const names = namesOf(given, prefix);
  /** Services by the port of their endpoint. */
  const services = new Map<number, string>();
  const made = new Set<string>();
  try {
    for (const step of given.steps) {
      await takeStep(run, step, names, services, made);
      const wrong = await holds(run, step, names, services);
      if (wrong.length > 0) return wrong.map((each) => `${given.name}.case:${each}`);
    }
    return [];
  } finally {
    await Promise.allSettled([...made].map((name) => run.cluster.client.delete(run.type('Namespace'), name)));
  }
}

async function takeStep(
  run: GatewayCaseRun,
  step: Step,
  names: Names,
  services: Map<number, string>,
  made: Set<string>,
): Promise<void> {
  const { cluster } = run;
  const objects = documents(step.manifests);
  const needed = new Set([
    ...step.namespaces.map(({ name }) => name),
    ...objects.flatMap(({ metadata }) => metadata.namespace ?? []),
  ]);
  for (const name of needed) {
    const wish = step.namespaces.find((each) => each.name === name);
    if (wish === undefined && made.has(names.namespace(name))) continue;
    made.add(names.namespace(name));
    await cluster.apply(names.object(namespaceObject(wish ?? { name, labels: {} })));
  }
  for (const { verb, kind, namespace, name, values } of step.changes) {
    const type = run.type(kindOf(kind));
    const isNamespace = kindOf(kind) === 'Namespace';
    const target = {
      name: isNamespace ? names.namespace(name) : name,
      ...(namespace !== undefined && { namespace: names.namespace(namespace) }),
    };
    if (verb === 'delete') await cluster.client.delete(type, target.name, target);
    else {
      const body = { metadata: { [verb === 'label' ? 'labels' : 'annotations']: values } };
      await cluster.client.patch(type, target, { kind: 'merge', body });
    }
  }
  await cluster.apply(...objects.map((object) => names.object(moved(run, object, services))));
}

type Slice = KubeObject & {
  readonly ports: readonly { readonly name: string; readonly port: number }[];
  readonly endpoints: readonly object[];
};

/** The endpoint of a slice becomes one that answers, at a port that tells which Service was meant; `ca` is who signed for those. */
function moved({ backends }: GatewayCaseRun, object: KubeObject, services: Map<number, string>): KubeObject {
  if (object.kind === 'ConfigMap' && object.metadata.name === 'ca')
    return { ...object, data: { 'ca.crt': backends.authority } } as KubeObject;
  if (object.kind !== 'EndpointSlice') return object;
  const { metadata, ports, endpoints } = object as Slice;
  const service = `${metadata.namespace}/${metadata.labels?.['kubernetes.io/service-name']}`;
  return {
    ...object,
    ports: ports.map((port) => {
      const at = backends.nextPort();
      services.set(at, service);
      return { ...port, port: at };
    }),
    endpoints: endpoints.map((each) => ({ ...each, addresses: [backends.address] })),
  } as KubeObject;
}

/** A pod of a Gateway is started for the first step; an edit is served at once. */
const deadlineMs = 60_000;
/** Requests by which shares are seen. */
const many = 40;

async function holds(
  run: GatewayCaseRun,
  step: Step,
  names: Names,
  services: ReadonlyMap<number, string>,
): Promise<readonly string[]> {
  const requests = step.requests.filter(({ only }) => only !== 'asked');
  const checks: readonly (() => Promise<readonly string[]>)[] = [
    ...requests.map((wish) => () => askAll(run, wish, names, services)),
    // What is wrong with Ingresses has no place in their status.
    ...step.statuses
      .filter(({ object }) => !object.startsWith('Ingress/'))
      .map((wish) => () => statusWrong(run, wish, names)),
  ];
  // One at first: until a pod is there, asking all is a hundred processes each time that wait for seconds.
  const first = Math.max(
    requests.findIndex(({ where }) => where !== 'closed'),
    0,
  );
  let waiting: readonly (() => Promise<readonly string[]>)[] = checks.slice(first, first + 1);
  let wrong: readonly string[] = [];
  const look = async (): Promise<void> => {
    for (;;) {
      const asked = waiting;
      const found = await Promise.all(asked.map((check) => check()));
      wrong = found.flat();
      if (wrong.length > 0) {
        waiting = asked.filter((_, index) => (found[index] ?? []).length > 0);
        throw new Error(wrong.join('\n'));
      }
      if (asked === checks) return;
      // All at once, when each that was wrong has held by itself.
      waiting = checks;
    }
  };
  await eventually(look, deadlineMs, 200).catch((error: unknown) => {
    if (wrong.length === 0) wrong = [`0: ${String(error)}`];
  });
  return wrong;
}

async function askAll(
  run: GatewayCaseRun,
  wish: RequestWish,
  names: Names,
  services: ReadonlyMap<number, string>,
): Promise<readonly string[]> {
  const { kind, namespace, name } = instanceObject(wish.gateway);
  const gateway = await run.cluster.client.get(run.type(kind), name, names.namespace(namespace));
  const { addresses = [], detail } = (gateway['status'] ?? {}) as {
    readonly addresses?: readonly { readonly value: string }[];
    readonly detail?: { readonly address?: { readonly ipv4?: readonly string[] } };
  };
  const address = addresses[0]?.value ?? detail?.address?.ipv4?.[0];
  if (address === undefined) return [`${wish.line}: ${kind} ${namespace}/${name} has no address`];
  const wanted = new Set(
    wish.where.split(', ').map((each) => each.replace(/(?: as \S+)?(?: [\d.]+%)?$/, '')),
  );
  const answers = new Set([await ask(run, wish, address, services)]);
  if (wanted.size > 1 && answers.isSubsetOf(wanted)) {
    const others = Array.from({ length: many - 1 }, () => ask(run, wish, address, services));
    for (const each of await Promise.all(others)) answers.add(each);
  }
  const same = answers.size === wanted.size && [...answers].every((each) => wanted.has(each));
  return same ? [] : [`${wish.line}: not ${wish.where}, but ${[...answers].join(', ')}`];
}

/** In the words of cases, with what of `seeing` and `answered` isn't so. */
async function ask(
  { cluster }: GatewayCaseRun,
  { asked, seeing, answered }: RequestWish,
  address: string,
  services: ReadonlyMap<number, string>,
): Promise<string> {
  const { scheme, host, port, target, method, headers } = asked;
  const usual = port === (scheme === 'https' ? 443 : 80);
  const argv = ['curl', '-sSki', '-m', '6', '--path-as-is', '-X', method];
  argv.push('--resolve', `${host}:${port}:${address.includes(':') ? `[${address}]` : address}`);
  for (const [name, value] of headers) {
    if (name === ':version') argv.push(value === '2' ? '--http2-prior-knowledge' : '--http1.1');
    else argv.push('-H', `${name}: ${value}`);
  }
  argv.push(`${scheme}://${host}${usual ? '' : `:${port}`}${target}`);
  const { code, stdout } = await cluster.lab.exec('outside', argv);
  if (code !== 0) return 'closed';
  const end = stdout.indexOf('\r\n\r\n');
  const [first = '', ...lines] = stdout.slice(0, end).split('\r\n');
  const got = new Map(
    lines.map((line) => [line.split(':')[0]?.toLowerCase() ?? '', line.replace(/^[^:]*: ?/, '')]),
  );
  const wrong = unlikeFields(answered, (name) => got.get(name));
  const status = first.split(' ')[1] ?? '';
  const location = got.get('location');
  if (location !== undefined) return `${status} ${location}${wrong}`;
  const seen = got.get('x-backend') === undefined ? undefined : seenIn(stdout.slice(end + 4));
  if (seen === undefined) return `${status}${wrong}`;
  const service = services.get(seen.port) ?? `port ${seen.port}`;
  const field = (name: string) =>
    name === 'path' || name === 'version' ? seen[name] : seen.headers[name]?.toString();
  return `${service}${wrong}${unlikeFields(seeing, field)}`;
}

/** A page of a policy stands in place of what the backend said. */
function seenIn(body: string): BackendAnswer | undefined {
  try {
    return JSON.parse(body) as BackendAnswer;
  } catch {
    return undefined;
  }
}

/** `TEXT*` stands for whatever begins so. */
function isLike(found: string, wanted: string): boolean {
  return wanted.length > 1 && wanted.endsWith('*') ? found.startsWith(wanted.slice(0, -1)) : found === wanted;
}

/** `NAME=` stands for what isn't there. */
function unlikeFields(
  wanted: ReadonlyMap<string, string> | undefined,
  found: (name: string) => string | undefined,
): string {
  return [...(wanted ?? [])]
    .filter(([name, value]) => !isLike(found(name) ?? '', value))
    .map(([name]) => `, but ${name}=${found(name) ?? ''}`)
    .join('');
}

async function statusWrong(run: GatewayCaseRun, wish: StatusWish, names: Names): Promise<readonly string[]> {
  const [kind = '', first = '', second] = wish.object.split('/');
  const object = await run.cluster.client.get(
    run.type(kind),
    second ?? first,
    second === undefined ? undefined : names.namespace(first),
  );
  const back = (namespace: string) =>
    [...names.namespaces].find((each) => names.namespace(each) === namespace) ?? namespace;
  return unlike(wish, statusIn(object, back)).map((each) => `${wish.line}: ${each}`);
}
