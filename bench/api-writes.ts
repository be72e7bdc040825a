/** What our programs wrote to the API in a while, beside the renewals of their leases. */
import { leaseType } from '#api/core.ts';
import type { Client } from '#kube/client.ts';
import type { Lab } from '#lab/client.ts';
import { systemNamespace } from '#programs/node-lease.ts';
import { ports } from '#system/registry.ts';

/** Requests of agents and controller that change something, every attempt, while `work` runs. */
export async function writesDuring(
  machine: Lab,
  client: Client,
  nodes: readonly string[],
  work: () => Promise<void>,
): Promise<number> {
  const leases = new AbortController();
  let renewals = 0;
  const { resourceVersion } = await client.list(leaseType, { namespace: systemNamespace });
  const watching = (async () => {
    const options = { namespace: systemNamespace, resourceVersion, signal: leases.signal };
    for await (const event of client.watch(leaseType, options)) if (event.type === 'MODIFIED') renewals++;
  })().catch((error: unknown) => {
    if (!leases.signal.aborted) throw error;
  });
  const before = await writes(machine, nodes);
  const renewalsBefore = renewals;
  await work();
  const made = (await writes(machine, nodes)) - before - (renewals - renewalsBefore);
  leases.abort();
  await watching;
  return Math.max(0, made);
}

/** The text of a program's /metrics on a node. */
export async function scrape(machine: Lab, node: string, port: number): Promise<string> {
  const result = await machine.exec(node, ['curl', '-sf', `http://localhost:${port}/metrics`]);
  if (result.code !== 0) throw new Error(`no metrics on port ${port} of ${node}: curl ${result.code}`);
  return result.stdout;
}

async function writes(machine: Lab, nodes: readonly string[]): Promise<number> {
  const texts = await Promise.all(
    nodes.flatMap((node) => [
      scrape(machine, node, ports.agentMetrics.value),
      // The controller runs on one node.
      scrape(machine, node, ports.controllerMetrics.value).catch(() => ''),
    ]),
  );
  const attempts = texts.flatMap((text) => [
    ...text.matchAll(/^rest_client_requests_total\{.*method="(\w+)".*\} (\S+)$/gm),
  ]);
  return attempts.reduce((sum, [, method, value]) => sum + (method === 'GET' ? 0 : Number(value)), 0);
}
