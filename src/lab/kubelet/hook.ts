/** Runs what a container wants done after its start and before its end (Kubernetes: container lifecycle hooks). */
import type { Container, LifecycleHandler } from '../objects/container.ts';
import type { NodeHost } from './nodehost.ts';
import { httpGet } from './prober.ts';
import { execInContainer } from './runtime.ts';

export type HookedContainer = {
  readonly host: NodeHost;
  readonly container: Container;
  readonly containerID: string;
  readonly podIP: string;
  /** Resolves at that time (Unix ms), or when the container has ended. */
  readonly runsUntil: (time: number) => Promise<void>;
};

/** Whether the hook succeeded by `deadline` (Unix ms); never rejects. */
export async function runHook(
  hook: LifecycleHandler,
  target: HookedContainer,
  deadline: number,
): Promise<boolean> {
  const milliseconds = Math.max(1, deadline - Date.now());
  try {
    if (hook.exec !== undefined) {
      const command = hook.exec.command ?? [];
      return (await execInContainer(target.host, target.containerID, command, milliseconds)).code === 0;
    }
    if (hook.httpGet !== undefined) return (await httpGet(target, hook.httpGet, milliseconds)).success;
    if (hook.sleep !== undefined) {
      await target.runsUntil(Math.min(deadline, Date.now() + hook.sleep.seconds * 1000));
      return true;
    }
  } catch {
    return false;
  }
  return false;
}
