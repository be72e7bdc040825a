/** Makes UDP flows forget backends that are gone: UDP has no end, so a stale entry would keep a client on a dead address. */

import { isIP } from 'node:net';
import type { ServiceIntent } from '#intent/node.ts';
import { must, run } from '#system/process.ts';
import { paths } from '#system/registry.ts';
import { frontendKey, placesOfService } from './lower-service.ts';

/** One UDP frontend and where its flows must not go any more; `backend` undefined: flows that were never translated. */
export type StaleFlow = {
  readonly address: string;
  readonly port: number;
  readonly backend: { readonly address: string; readonly port: number } | undefined;
};

export interface Conntrack {
  /** Deletes these flows. Cost: a walk of the kernel's table for each of a few; of many one a family, and one for each that is there. */
  forget(flows: readonly StaleFlow[]): Promise<void>;
  /** Deletes the UDP flows to a frontend whose backend is none of the service's; `serviceAt` takes a `frontendKey`. */
  prune(serviceAt: (frontend: string) => ServiceIntent | undefined): Promise<void>;
}

/** Which flows a change of a service makes stale. Empty for all but UDP. */
export function staleFlows(
  before: ServiceIntent | undefined,
  after: ServiceIntent | undefined,
): readonly StaleFlow[] {
  const flows: StaleFlow[] = [];
  const has = (
    list: readonly { address: string; port: number }[] | undefined,
    one: { address: string; port: number },
  ) => list?.some((each) => each.address === one.address && each.port === one.port) ?? false;
  if (before?.protocol === 'udp') {
    for (const frontend of before.frontends) {
      const stays = after?.protocol === 'udp' && has(after.frontends, frontend);
      for (const backend of placesOfService(before)) {
        if (!stays || !has(placesOfService(after), backend)) flows.push({ ...frontend, backend });
      }
    }
  }
  if (after?.protocol === 'udp' && placesOfService(after).length > 0) {
    for (const frontend of after.frontends) {
      const wasServed =
        before?.protocol === 'udp' && placesOfService(before).length > 0 && has(before.frontends, frontend);
      if (!wasServed) flows.push({ ...frontend, backend: undefined });
    }
  }
  return flows;
}

/** As many walks as a listing of both families costs. */
const few = 2;
/** A walk of a full table takes seconds. */
const timeoutMs = 30_000;

/** Drives the conntrack program (conntrack-tools) behind `command`. */
export function createConntrack(command: readonly string[] = []): Conntrack {
  const remove = async (lines: readonly string[]) => {
    if (lines.length === 0) return;
    const { code, stderr } = await run([...command, 'sh', '-c', loadFile, 'sh', paths.runDirectory.value], {
      input: `${lines.join('\n')}\n`,
      timeoutMs,
    });
    // Exit code 1 is also "nothing matched".
    if (code !== 0 && !/flow entries have been deleted/.test(stderr))
      throw new Error(`conntrack: exit ${code}: ${stderr.trim()}`);
  };
  const listed = async (): Promise<readonly StaleFlow[]> => {
    const flows: StaleFlow[] = [];
    for (const family of ['ipv4', 'ipv6']) {
      const list = [...command, 'conntrack', '-L', '-p', 'udp', '-f', family];
      const listing = await must(list, { timeoutMs });
      for (const line of listing.split('\n')) {
        const flow = readFlow(line);
        if (flow !== undefined) flows.push(flow);
      }
    }
    return flows;
  };
  return {
    async forget(flows) {
      // What is no address never became a flow, and must not become an argument.
      const lines = flows.filter(isPlain).map(deleteLine);
      if (lines.length <= few) return remove(lines);
      // A thousand new Services are as many frontends, and hardly any of them has a flow.
      const there = new Set((await listed()).map(deleteLine));
      await remove(lines.filter((line) => there.has(line)));
    },
    async prune(serviceAt) {
      const lines: string[] = [];
      for (const flow of await listed()) {
        const service = serviceAt(frontendKey(flow.address, 'udp', flow.port));
        const { backend } = flow;
        if (service === undefined || backend === undefined) continue;
        const places = placesOfService(service);
        if (places.length === 0) continue;
        const known = places.some((each) => each.address === backend.address && each.port === backend.port);
        if (!known) lines.push(deleteLine(flow));
      }
      await remove([...new Set(lines)]);
    },
  };
}

/** conntrack opens its input by name, and /dev/stdin can't be opened when it is a socket, as it is for a child of Node. */
const loadFile = 'f="$1/conntrack.$$"; cat > "$f" && conntrack --load-file "$f"; c=$?; rm -f "$f"; exit $c';

function isPlain({ address, port, backend }: StaleFlow): boolean {
  const plain = (text: string, number: number) => isIP(text) !== 0 && Number.isInteger(number);
  return plain(address, port) && (backend === undefined || plain(backend.address, backend.port));
}

function deleteLine(flow: StaleFlow): string {
  const family = flow.address.includes(':') ? 'ipv6' : 'ipv4';
  const { address, port } = flow.backend ?? flow;
  return `-D -f ${family} -p udp --orig-dst ${flow.address} --orig-port-dst ${flow.port} --reply-src ${address} --reply-port-src ${port}`;
}

/** `udp 17 29 src=A dst=B sport=1 dport=2 [UNREPLIED] src=C dst=D sport=3 dport=4 …` */
function readFlow(line: string): StaleFlow | undefined {
  const sources = [...line.matchAll(/\bsrc=(\S+) dst=(\S+) sport=(\d+) dport=(\d+)/g)];
  const [original, reply] = sources;
  if (original === undefined || reply === undefined) return undefined;
  return {
    address: original[2]!,
    port: Number(original[4]),
    backend: { address: reply[1]!, port: Number(reply[3]) },
  };
}
