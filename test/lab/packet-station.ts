/**
 * Sends and answers packets in the network namespaces of one machine's pods: a program that runs on each machine of a lab, takes requests as
 * JSON lines and answers them so. One process serves all pods, so a pod costs no process but its own.
 */
import { get } from 'node:http';
import { createInterface } from 'node:readline';
import type { EndpointStatus } from '#intent/handover.ts';
import { paths } from '#system/registry.ts';
import { type Kept, keep, probe, stillAnswers } from './packet-probe.ts';
import { serve } from './packet-server.ts';
import type { StationAnswer, StationRequest } from './packets.ts';

const servers = new Map<string, { readonly close: () => void; users: number }>();
const kept = new Map<string, Kept>();

const pathOf = (netns: string | undefined) => (netns === undefined ? undefined : `/run/netns/${netns}`);

async function answer(request: StationRequest): Promise<unknown> {
  switch (request.verb) {
    case 'serve': {
      // Pods of the host's network, and the machine itself, may serve the same ports.
      for (const port of request.ports) {
        const key = `${request.netns ?? ''} ${port.protocol}/${port.port}`;
        const known = servers.get(key);
        if (known === undefined) {
          const close = await serve(pathOf(request.netns), port, request.name);
          servers.set(key, { close, users: 1 });
        } else known.users += 1;
      }
      return undefined;
    }
    case 'release': {
      for (const port of request.ports) {
        const key = `${request.netns ?? ''} ${port.protocol}/${port.port}`;
        const known = servers.get(key);
        if (known === undefined) continue;
        known.users -= 1;
        if (known.users > 0) continue;
        known.close();
        servers.delete(key);
      }
      return undefined;
    }
    case 'probe':
      return probe(pathOf(request.netns), request);
    case 'keep': {
      const connection = await keep(pathOf(request.netns), request);
      if ('connection' in connection) kept.set(request.name, connection.connection);
      return connection.outcome;
    }
    case 'ask': {
      const connection = kept.get(request.name);
      if (connection === undefined) throw new Error(`no connection ${request.name}`);
      return (await stillAnswers(connection)) ? { outcome: 'allowed' } : { outcome: 'dropped' };
    }
    case 'pods':
      return podNamespaces();
    case 'drop':
      kept.get(request.name)?.close();
      kept.delete(request.name);
      return undefined;
  }
}

/** What the node's datapath says of its pods. */
function podNamespaces(): Promise<Readonly<Record<string, string>>> {
  const { promise, resolve, reject } = Promise.withResolvers<Readonly<Record<string, string>>>();
  get({ socketPath: paths.datapathSocket.value, path: '/v1/endpoints', timeout: 5000 }, (response) => {
    let text = '';
    response.setEncoding('utf8');
    response.on('data', (part: string) => {
      text += part;
    });
    response.on('end', () => {
      const endpoints = JSON.parse(text) as readonly EndpointStatus[];
      resolve(Object.fromEntries(endpoints.map(({ pod, containerID }) => [pod.uid, containerID])));
    });
  }).on('error', reject);
  return promise;
}

createInterface({ input: process.stdin }).on('line', (line) => {
  const request = JSON.parse(line) as StationRequest;
  answer(request).then(
    (value) => process.stdout.write(`${JSON.stringify({ id: request.id, value } satisfies StationAnswer)}\n`),
    (error: unknown) =>
      process.stdout.write(
        `${JSON.stringify({ id: request.id, error: String(error) } satisfies StationAnswer)}\n`,
      ),
  );
});
process.stdin.on('close', () => process.exit(0));
