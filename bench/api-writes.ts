/** What our programs wrote to the API in a while, beside what they write at a pace of its own: leases, and a Subnet's counts. */
import { leaseType } from '#api/core.ts';
import { subnetKind } from '#api/kinds/subnet.ts';
import type { ResourceType } from '#api/object.ts';
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
  const end = new AbortController();
  let paced = 0;
  const follow = async (type: ResourceType, where: { readonly namespace?: string }) => {
    const { resourceVersion } = await client.list(type, where);
    const events = client.watch(type, { ...where, resourceVersion, signal: end.signal });
    const done = (async () => {
      for await (const event of events) if (event.type === 'MODIFIED') paced++;
    })().catch((error: unknown) => {
      if (!end.signal.aborted) throw error;
    });
    return { done };
  };
  const watching = [await follow(leaseType, { namespace: systemNamespace }), await follow(subnetKind, {})];
  const before = await writes(machine, nodes);
  const pacedBefore = paced;
  await work();
  const made = (await writes(machine, nodes)) - before - (paced - pacedBefore);
  end.abort();
  await Promise.all(watching.map(({ done }) => done));
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
