/** Watches a node's CNI configuration and tells whether its network takes pods. */
import { existsSync, mkdirSync, readdirSync, readFileSync, watch } from 'node:fs';
import type { Log } from '#telemetry/log.ts';
import { type NetworkList, networkStatus } from './cni.ts';
import { chooseNetworkList } from './cniconfig.ts';
import type { NodeHost } from './nodehost.ts';
import { pluginCall } from './sandbox.ts';

export type NodeNetwork = {
  /** Resolves when the state is known for the first time. */
  readonly looked: Promise<void>;
  /** With a list, the network takes pods. */
  readonly state: () => { readonly list: NetworkList | undefined; readonly reason: string };
  stop(): void;
};

const configDirectory = '/etc/cni/net.d';
/** Plugins are asked for their STATUS this often while they refuse, and much less often while all is well. */
const refusedMilliseconds = 1000;
const fineMilliseconds = 30_000;

export function watchNetwork(host: NodeHost, log: Log, onChange: () => void): NodeNetwork {
  const directory = host.file(configDirectory);
  mkdirSync(directory, { recursive: true });
  let list: NetworkList | undefined;
  let reason = 'cni plugin not initialized';
  let text = '';
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;
  let looking = false;
  let again = false;

  const read = (): readonly { readonly name: string; readonly text: string }[] =>
    (existsSync(directory) ? readdirSync(directory) : []).flatMap((name) => {
      try {
        return [{ name, text: readFileSync(`${directory}/${name}`, 'utf8') }];
      } catch {
        return [];
      }
    });
  const look = async (): Promise<void> => {
    if (looking) {
      again = true;
      return;
    }
    looking = true;
    do {
      again = false;
      clearTimeout(timer);
      const chosen = chooseNetworkList(read());
      for (const problem of chosen.problems)
        log.warn('a CNI configuration can not be used', { node: host.name, problem });
      const refusal = chosen.value === undefined ? noList(chosen.problems) : await refused(chosen.value);
      const next = JSON.stringify([chosen.value, refusal]);
      if (next !== text && !stopped) {
        text = next;
        list = refusal === undefined ? chosen.value : undefined;
        reason = refusal ?? '';
        log.info('the network of a node changed', { node: host.name, network: list?.name ?? 'none', reason });
        onChange();
      }
      if (!stopped)
        timer = setTimeout(() => void look(), refusal === undefined ? fineMilliseconds : refusedMilliseconds);
    } while (again && !stopped);
    looking = false;
  };
  const refused = async (chosen: NetworkList): Promise<string | undefined> => {
    try {
      await networkStatus(chosen, pluginCall(host));
      return undefined;
    } catch (error) {
      return (error as Error).message;
    }
  };
  const watcher = watch(directory, () => void look());
  watcher.on('error', (error) => log.warn('a CNI directory can not be watched', { node: host.name, error }));
  const looked = Promise.resolve().then(look);
  return {
    looked,
    state: () => ({ list, reason }),
    stop() {
      stopped = true;
      clearTimeout(timer);
      watcher.close();
    },
  };
}

function noList(problems: readonly string[]): string {
  return problems.length === 0
    ? 'cni plugin not initialized: no network configuration in /etc/cni/net.d'
    : `no valid network configuration in /etc/cni/net.d: ${problems.join('; ')}`;
}
