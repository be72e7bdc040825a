/** The physical network of underlay Subnets, as the datapath needs it: who else has an address, and that ours are here. */
import type { EngineProblem } from '#intent/handover.ts';
import type { NodeIntent } from '#intent/node.ts';
import type { Log } from '#telemetry/log.ts';
import { type PlaceOf, whoHas } from './ask.ts';
import { createPresence, type Presence } from './presence.ts';

export type Wire = Presence & {
  /**
   * Who else has one of these addresses, a sentence each; none when they can be given to a pod. Takes `probe.rounds` ×
   * `probe.waitMs` when nobody answers.
   */
  conflicts(addresses: readonly string[]): Promise<readonly Conflict[]>;
  problems(): readonly EngineProblem[];
};

export type Conflict = {
  readonly address: string;
  readonly mac: string;
  /** For the one who waits for the pod. */
  readonly text: string;
};

/**
 * RFC 5227 waits 4–7 s, for links that come up slowly and hosts that sleep. Here a switch has known both ends for long, and a pod
 * waits: three questions in a quarter of a second.
 */
export const probe = { rounds: 3, waitMs: 80 } as const;

/** Of a conflict only: nodes are asked for their MAC, so that the holder gets a name. More than this many are not. */
const nodesAsked = 256;
const nodeProbe = { rounds: 1, waitMs: 100 } as const;

export function createWire(options: {
  readonly intent: NodeIntent;
  readonly placeOf: PlaceOf;
  readonly log: Log;
}): Wire {
  const { intent, placeOf, log } = options;
  const presence = createPresence(placeOf, log);

  const nodesByMac = async (): Promise<ReadonlyMap<string, string>> => {
    const nodes = new Map(
      Object.entries(intent.peers)
        .slice(0, nodesAsked)
        .flatMap(([name, peer]) => peer.addresses.map((address) => [address, name] as const)),
    );
    const found = await whoHas([...nodes.keys()], placeOf, nodeProbe);
    return new Map([...found].map(([address, mac]) => [mac, nodes.get(address)!]));
  };

  return {
    ...presence,
    async conflicts(addresses) {
      const found = await whoHas(addresses, placeOf, probe);
      if (found.size === 0) return [];
      const nodes = await nodesByMac();
      return [...found].map(([address, mac]) => {
        const node = nodes.get(mac);
        const holder = node === undefined ? `the host ${mac}` : `node ${node} (${mac})`;
        return { address, mac, text: `${holder} on the physical network has ${address}` };
      });
    },
    problems: () =>
      [...presence.rivals()].map(([address, mac]) => ({
        engine: 'datapath',
        entry: `address ${address}`,
        reason: `the host ${mac} on the physical network claims the pod's address ${address}, too`,
      })),
  };
}
