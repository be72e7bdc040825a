/** Which endpoints of backends don't answer their health checks, as the pods of a gateway say, by way of the API server. */
import { podType } from '#api/core.ts';
import type { KubeObject } from '#api/object.ts';
import { instanceObject } from '#compile/gateway/instances/origin.ts';
import type { GatewayIntent } from '#intent/gateway.ts';
import { formatOrigin } from '#intent/origin.ts';
import { type Client, createClient } from '#kube/client.ts';
import { loadKubeconfig } from '#kube/kubeconfig.ts';
import { ports } from '#system/registry.ts';
import type { Invocation } from '../command.ts';
import { kubeconfigPath } from './source.ts';

type Instance = { readonly key: string; readonly intent: GatewayIntent };

/** Sentences by instance; of files, and where nothing is checked, nobody is asked. A pod that can't be asked is told as progress. */
export async function unhealthyEndpoints(
  invocation: Invocation,
  instances: readonly Instance[],
): Promise<ReadonlyMap<string, readonly string[]>> {
  const checked = instances.filter(({ intent }) =>
    Object.values(intent.backends).some(({ health }) => health !== undefined),
  );
  if (checked.length === 0 || invocation.values.files !== undefined) return new Map();
  const path = await kubeconfigPath(invocation);
  const client = createClient(await loadKubeconfig(path === undefined ? {} : { path }));
  try {
    const all = checked.map(
      async (one) => [one.key, await askPods(client, one, invocation.progress)] as const,
    );
    return new Map(await Promise.all(all));
  } finally {
    client.close();
  }
}

/** One sentence an endpoint, whoever of the pods says so. */
export async function askPods(
  client: Client,
  { key, intent }: Instance,
  progress: Invocation['progress'],
): Promise<readonly string[]> {
  const { kind, namespace, name } = instanceObject(key);
  const label = kind === 'Gateway' ? gatewayLabel : `netloom.dev/${kind.toLowerCase()}`;
  const labelSelector = `${label}=${name}`;
  const { items } = await client.list<KubeObject>(podType, { namespace, labelSelector });
  const said = await Promise.all(
    items.map(async ({ metadata }) => {
      const path = `/api/v1/namespaces/${namespace}/pods/${metadata.name}:${ports.gatewayMetrics.value}/proxy/metrics`;
      try {
        const text = await client.request<string>({ method: 'GET', path, timeoutSeconds: 5, retries: 0 });
        return readUnhealthy(text);
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        progress(`pod ${namespace}/${metadata.name} can't be asked for the health of endpoints: ${reason}`);
        return [];
      }
    }),
  );
  const times = new Map<string, number>();
  for (const sentence of said.flatMap((each) => sentences(intent, each)))
    times.set(sentence, (times.get(sentence) ?? 0) + 1);
  return [...times].map(([sentence, count]) =>
    items.length === 1 ? sentence : `${sentence} (${count} of ${items.length} pods)`,
  );
}

/** As the controller puts them on pods (programs/controller/gateways/names.ts). */
const gatewayLabel = 'gateway.networking.k8s.io/gateway-name';

type Unhealthy = { readonly backend: string; readonly endpoint: string };

/** Lines of Prometheus' text, as programs/gateway/health writes them. */
export function readUnhealthy(text: string): readonly Unhealthy[] {
  const line =
    /^netloom_gateway_unhealthy_endpoints\{namespace="([^"\\]*)",service="([^"\\]*)",endpoint="([^"\\]*)"\} 1$/gm;
  return [...text.matchAll(line)].map(([, namespace, service, endpoint]) => ({
    backend: `${namespace}/${service}`,
    endpoint: endpoint ?? '',
  }));
}

function sentences(intent: GatewayIntent, unhealthy: readonly Unhealthy[]): readonly string[] {
  return unhealthy.flatMap(({ backend, endpoint }) => {
    const held = intent.backends[backend];
    return held === undefined
      ? []
      : [`${formatOrigin(held.origin)}: ${endpoint} does not answer its health check`];
  });
}
