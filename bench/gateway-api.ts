/** How soon a change that is written to the API is served, and what a thousand routes at once cost: a whole lab, with a busy gateway in it. */
import { createInterface } from 'node:readline';
import { gatewayKind } from '#api/kinds/gateway.ts';
import { httpRouteKind } from '#api/kinds/httproute.ts';
import type { KubeObject } from '#api/object.ts';
import { type Client, createClient } from '#kube/client.ts';
import { loadKubeconfig } from '#kube/kubeconfig.ts';
import type { Lab } from '#lab/client.ts';
import { eventually } from '#lab/eventually.ts';
import { labDown } from '#lab/lifecycle.ts';
import { type BenchOptions, type Row, row } from '#programs/cli/bench/row.ts';
import { median, percentile } from '#programs/cli/bench/statistics.ts';
import { applyObjects, clusterUp } from '#programs/cli/cluster.ts';

const name = 'bench-gateway';
const namespace = 'default';
const address = '192.168.66.245';
const host = 'changes.bench.example';
/** Between requests beside the changes. */
const requestsEachMs = 5;
/** Questions without a pause would take a whole processor from those who are measured. */
const askEachMs = 1;

export async function measureFromAPI({ quick, progress }: BenchOptions): Promise<Row[]> {
  const size = quick ? 1_000 : 10_000;
  await labDown(name);
  const lab = await clusterUp({ name, nodes: 2, family: 'ipv4', mode: 'overlay', mtu: 1500, progress });
  const client = createClient({
    ...(await loadKubeconfig({ path: lab.kubeconfigPath })),
    requestsPerSecond: 2_000,
    burst: 2_000,
  });
  try {
    await applyObjects(client, field());
    await eventually(() => programmed(client), 60_000, 100);
    const attached = await attach(client, size);
    progress(`${size} routes attached after ${(attached.milliseconds / 1000).toFixed(1)} s`);
    const changes = await change(lab, client, quick ? 100 : 500);
    progress(
      `seen ${median(changes.seen).toFixed(1)} ms after the write to the API, p99 ${percentile(changes.seen, 99).toFixed(1)}`,
    );
    const against = (of: (samples: readonly number[]) => number) => ({
      what: "the API's own answer",
      value: of(changes.answered),
    });
    return [
      row({
        name: 'API write → effect: median',
        size,
        unit: 'ms',
        value: median(changes.seen),
        against: against(median),
      }),
      row({
        name: 'API write → effect: p99',
        size,
        unit: 'ms',
        value: percentile(changes.seen, 99),
        against: against((samples) => percentile(samples, 99)),
        goal: { of: 'value', atMost: 30 },
      }),
      row({
        name: 'requests failed meanwhile',
        size,
        unit: '',
        value: changes.failed,
        against: { what: 'changes', value: changes.seen.length },
        goal: { of: 'value', atMost: 0 },
      }),
      row({
        name: "writes of a Gateway's status while routes attach, a thousand",
        size,
        unit: '',
        value: (attached.writes * 1_000) / size,
        against: { what: 'routes', value: 1_000 },
        goal: { of: 'value', atMost: 20 },
      }),
      row({
        name: 'routes attached and told so',
        size,
        unit: 's',
        value: attached.milliseconds / 1_000,
        against: { what: 'their creation alone', value: attached.created / 1_000 },
      }),
    ];
  } finally {
    client.close();
    await labDown(name);
  }
}

async function programmed(client: Client): Promise<void> {
  const { conditions = [] } = ((await client.get(gatewayKind, 'bench', namespace))['status'] ?? {}) as {
    conditions?: readonly { readonly type: string; readonly status: string }[];
  };
  if (!conditions.some(({ type, status }) => type === 'Programmed' && status === 'True'))
    throw new Error('the Gateway is not programmed');
}

type Attached = { readonly milliseconds: number; readonly created: number; readonly writes: number };

/** Writes of the Gateway are its versions: nobody else writes to it. */
async function attach(client: Client, size: number): Promise<Attached> {
  const stopped = new AbortController();
  const { metadata } = await client.get(gatewayKind, 'bench', namespace);
  let writes = 0;
  let attachedRoutes = 0;
  const watching = (async () => {
    const options = { namespace, resourceVersion: metadata.resourceVersion, signal: stopped.signal };
    for await (const { object } of client.watch<KubeObject>(gatewayKind, options)) {
      const { status } = object as KubeObject & {
        readonly status?: { readonly listeners?: readonly { readonly attachedRoutes: number }[] };
      };
      writes += 1;
      attachedRoutes = status?.listeners?.[0]?.attachedRoutes ?? 0;
    }
  })().catch(() => {});
  const started = performance.now();
  const names = Array.from({ length: size }, (_, at) => `bench-${at}`);
  const work = async (): Promise<void> => {
    for (let each = names.pop(); each !== undefined; each = names.pop())
      await client.create(httpRouteKind, route(each, `${each}.bench.example`));
  };
  await Promise.all(Array.from({ length: 32 }, work));
  const created = performance.now() - started;
  await eventually(
    () => {
      // And the one that is changed later.
      if (attachedRoutes < size + 1) throw new Error(`${attachedRoutes} of ${size} routes are attached`);
    },
    300_000,
    20,
  );
  // Of the Gateway's count a route is told before its own status is.
  await eventually(() => allTold(client), 300_000, 500);
  const milliseconds = performance.now() - started;
  stopped.abort();
  await watching;
  return { milliseconds, created, writes };
}

async function allTold(client: Client): Promise<void> {
  const { items } = await client.list<KubeObject>(httpRouteKind, { namespace });
  const waiting = items.filter((each) => {
    const { parents = [] } = (each['status'] ?? {}) as { readonly parents?: readonly unknown[] };
    return parents.length === 0;
  });
  if (waiting.length > 0) throw new Error(`${waiting.length} routes are told nothing yet`);
}

type Changes = { readonly answered: number[]; readonly seen: number[]; failed: number };

/** Milliseconds from before the write to the server's answer, and to when a client outside had seen it. */
async function change(lab: Lab, client: Client, rounds: number): Promise<Changes> {
  const program = ['node', '/opt/netloom/bench/gateway-client.ts', address, '80', '9003'];
  const child = await lab.spawn('outside', program);
  const lines = createInterface({ input: child.stdout });
  const ask = (line: string): Promise<string> =>
    new Promise((resolve, reject) => {
      lines.once('line', (text) => (text.startsWith('never') ? reject(new Error(text)) : resolve(text)));
      child.stdin.write(`${line}\n`);
    });
  const result: Changes = { answered: [], seen: [], failed: 0 };
  try {
    await ask(`load bench-1.bench.example / ${requestsEachMs}`);
    for (let round = 0; round < rounds; round += 1) {
      const isThere = round % 2 === 0;
      const seen = ask(`until ${host} / ${isThere ? 200 : 404} ${askEachMs}`);
      const body = { spec: { hostnames: [isThere ? host : 'elsewhere.bench.example'] } };
      const started = process.hrtime.bigint();
      const since = (): number => Number(process.hrtime.bigint() - started) / 1e6;
      const written = client
        .patch(httpRouteKind, { name: 'change', namespace }, { kind: 'merge', body })
        .then(() => result.answered.push(since()));
      result.seen.push(Math.max(0, Number(BigInt(await seen) - started) / 1e6));
      await written;
    }
    result.failed = Number(await ask('failed'));
  } finally {
    child.stdin.end();
  }
  return result;
}

function route(each: string, hostname: string): KubeObject {
  return {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'HTTPRoute',
    metadata: { name: each, namespace },
    spec: {
      parentRefs: [{ name: 'bench' }],
      hostnames: [hostname],
      rules: [{ backendRefs: [{ name: 'bench-echo', port: 80 }] }],
    },
  };
}

function field(): KubeObject[] {
  const metallb = (kind: string, spec: object): KubeObject => ({
    apiVersion: 'metallb.io/v1beta1',
    kind,
    metadata: { name: 'bench', namespace: 'metallb-system' },
    spec,
  });
  const labels = { app: 'bench-echo' };
  return [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'metallb-system' } },
    metallb('IPAddressPool', { addresses: [`${address}/32`] }),
    metallb('L2Advertisement', { ipAddressPools: ['bench'] }),
    {
      apiVersion: 'gateway.networking.k8s.io/v1',
      kind: 'Gateway',
      metadata: { name: 'bench', namespace },
      spec: { gatewayClassName: 'netloom', listeners: [{ name: 'http', port: 80, protocol: 'HTTP' }] },
    },
    route('change', 'elsewhere.bench.example'),
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'bench-echo', namespace },
      spec: { selector: labels, ports: [{ port: 80, targetPort: 8080 }] },
    },
    {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'bench-echo', namespace, labels },
      spec: { containers: [{ name: 'main', image: 'netloom/echo' }] },
    },
  ];
}
