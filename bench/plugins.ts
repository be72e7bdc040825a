/** Calls CNI plugins on a node as a runtime does, and takes the time of the whole process. */
import { createInterface } from 'node:readline';
import type { Ground } from './nodes.ts';

export type Plugin = {
  /**
   * The pod's network namespace, which has its name, is made beforehand by makePods(). Milliseconds from exec to exit; throws when the
   * plugin fails. `namespace`: the pod's in Kubernetes.
   */
  call(command: 'ADD' | 'DEL', pod: string, namespace?: string): Promise<number>;
  close(): void;
};

/** `name`: also of its configuration file. */
export async function openPlugin(
  ground: Ground,
  options: {
    readonly timer: string;
    readonly netns: string;
    readonly executable: string;
    readonly config: Readonly<Record<string, unknown>>;
  },
): Promise<Plugin> {
  const config = `/tmp/${options.netns}.json`;
  await ground.run(
    `cat >${config} <<'END'\n${JSON.stringify({ cniVersion: '1.0.0', ...options.config })}\nEND`,
  );
  const child = ground.box.spawn([options.timer], { netns: options.netns });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    async call(command, pod, namespace = 'default') {
      child.stdin.write(`${command} ${pod} /run/netns/${pod} ${options.executable} ${config} ${namespace}\n`);
      const { value, done } = await lines.next();
      if (done === true) throw new Error(`the timer of ${options.netns} ended`);
      const [nanoseconds, status, ...output] = value.split(' ');
      if (status !== '0') throw new Error(`${options.executable} ${command} ${pod}: ${output.join(' ')}`);
      return Number(nanoseconds) / 1e6;
    },
    close: () => child.stdin.end(),
  };
}

/** Empty network namespaces with their loopback up, as a runtime makes them. */
export async function makePods(ground: Ground, names: readonly string[]): Promise<void> {
  await ground.run(names.map((name) => `ip netns add ${name}; ip -n ${name} link set lo up`).join('\n'));
}

export async function removePods(ground: Ground, names: readonly string[]): Promise<void> {
  await ground.run(names.map((name) => `ip netns del ${name}`).join('\n'));
}
