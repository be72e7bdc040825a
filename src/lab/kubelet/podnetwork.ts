/** A pod's sandbox through its life, and the files that tell the pod of its network. */

import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { isIPv6 } from 'node:net';
import type { Pod } from '../objects/pod.ts';
import { refusedBandwidth } from './attachment.ts';
import { type NodeContext, podEvent } from './context.ts';
import { podDirectory } from './layout.ts';
import type { BindMount } from './mounts.ts';
import type { Blocked } from './podvolumes.ts';
import { podHostname, podHosts, podResolvConf } from './resolv.ts';
import {
  attachNetwork,
  createNamespaces,
  detachNetwork,
  plannedNetwork,
  removeNamespaces,
  type SandboxRecord,
  sandboxAlive,
} from './sandbox.ts';

export type PodNetwork = {
  record(): SandboxRecord | undefined;
  /** The node's first family first; a pod that has ended keeps the addresses that it had. */
  addresses(pod: Pod): readonly string[];
  isReady(pod: Pod): boolean;
  /** Binds of resolv.conf, hosts and hostname. */
  files(): readonly BindMount[];
  /** Makes the sandbox if there is none; `lost` is called when an earlier one is gone with what ran in it. */
  bring(pod: Pod, lost: () => void): Promise<Blocked | undefined>;
  /** Undoes the sandbox. Throws CniError while DEL fails: it is never forgotten before. */
  drop(pod: Pod): Promise<void>;
};

export function createPodNetwork(
  node: NodeContext,
  adopted: SandboxRecord | undefined,
  save: () => void,
): PodNetwork {
  const { host, kubelet } = node;
  let sandbox = adopted;
  let last: readonly string[] = adopted?.addresses ?? [];
  let binds: readonly BindMount[] = [];
  let failures = 0;
  const written = new Map<string, string>();
  const put = (next: SandboxRecord | undefined): void => {
    sandbox = next;
    if (next !== undefined) last = next.addresses;
    save();
  };

  const create = async (pod: Pod): Promise<Blocked | undefined> => {
    const { list, reason } = node.network();
    if (list === undefined) {
      return { reason: 'NetworkNotReady', message: `network is not ready: ${reason}`, retryAfter: 0 };
    }
    const refused = refusedBandwidth(pod);
    if (refused !== undefined) {
      const message = `Failed to create pod sandbox: ${refused}`;
      return { reason: 'FailedCreatePodSandBox', message, retryAfter: 0 };
    }
    const id = randomBytes(32).toString('hex');
    const planned = plannedNetwork({ id, boot: host.boot, addresses: [] }, list, pod);
    put(planned);
    try {
      await createNamespaces(host, id, pod, podHostname(pod, kubelet.config.dns.domain));
      put(await attachNetwork(host, planned));
      failures = 0;
      return undefined;
    } catch (error) {
      failures += 1;
      await self.drop(pod);
      const message = `Failed to create pod sandbox: ${(error as Error).message}`;
      return { reason: 'FailedCreatePodSandBox', message, retryAfter: Math.min(15_000, 125 * 2 ** failures) };
    }
  };
  const writeFiles = (pod: Pod): void => {
    const { dns } = kubelet.config;
    const read = (path: string): string =>
      existsSync(host.file(path)) ? readFileSync(host.file(path), 'utf8') : '';
    const hostname = pod.spec.hostNetwork === true ? host.name : podHostname(pod, dns.domain);
    const files = [
      ['resolv.conf', podResolvConf(pod, dns, read('/etc/resolv.conf'))],
      ['hosts', podHosts(pod, self.addresses(pod), dns.domain, read('/etc/hosts'))],
      ['hostname', `${hostname}\n`],
    ] as const;
    const directory = `${podDirectory(pod.metadata.uid ?? '')}/etc`;
    mkdirSync(host.disk(directory), { recursive: true });
    for (const [name, text] of files) {
      // A file that a container has mounted is written in place: only when it must be, since for a moment it is empty.
      if (written.get(name) !== text) writeFileSync(host.disk(`${directory}/${name}`), text);
      written.set(name, text);
    }
    binds = files.map(([name]) => ({
      source: host.diskInside(`${directory}/${name}`),
      target: `/etc/${name}`,
      readOnly: false,
    }));
  };

  const self: PodNetwork = {
    record: () => sandbox,
    files: () => binds,
    isReady: (pod) => pod.spec.hostNetwork === true || sandbox?.network?.result !== undefined,
    addresses(pod) {
      if (pod.spec.hostNetwork === true) return host.addresses;
      const six = isIPv6(host.addresses[0] ?? '');
      return last.toSorted((a, b) => Number(isIPv6(a) !== six) - Number(isIPv6(b) !== six));
    },
    async bring(pod, lost) {
      if (pod.spec.hostNetwork !== true) {
        if (sandbox !== undefined && !sandboxAlive(host, sandbox)) {
          lost();
          await self.drop(pod);
        }
        // The kubelet was killed in the middle of ADD: nobody knows how far that came.
        if (sandbox !== undefined && sandbox.network?.result === undefined) await self.drop(pod);
        const blocked = sandbox === undefined ? await create(pod) : undefined;
        if (blocked !== undefined) return blocked;
      }
      writeFiles(pod);
      return undefined;
    },
    async drop(pod) {
      if (sandbox === undefined) return;
      try {
        await detachNetwork(host, sandbox);
      } catch (error) {
        podEvent(node, pod, 'Warning', 'FailedKillPodSandBox', (error as Error).message);
        throw error;
      }
      await removeNamespaces(host, sandbox.id);
      put(undefined);
    },
  };
  return self;
}
