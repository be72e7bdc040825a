/** Pods that the API has no more while they still run here (deleted by force): what held for them holds until they are unplugged. */
import type { EndpointStatus } from '#intent/handover.ts';

export type LeavingPods = {
  /** The pod is gone from the API. */
  leave(key: string, uid: string): void;
  /** A pod of this name is there again. */
  returned(key: string): void;
  /** The datapath may have unplugged some. */
  readonly look: () => void;
};

/** `unplugged` is told once for each pod that left and has no interface here, or never had one. */
export function createLeavingPods(
  endpoints: () => Promise<readonly EndpointStatus[]>,
  unplugged: (key: string) => void,
): LeavingPods {
  /** UID, as the runtime says it, by `namespace/name`. */
  const leaving = new Map<string, string>();
  let looking = false;
  let again = false;

  const look = async (): Promise<void> => {
    if (leaving.size === 0) return;
    if (looking) {
      again = true;
      return;
    }
    looking = true;
    // One that leaves while the answer is on its way waits for the next one.
    const asked = [...leaving];
    try {
      const found = await endpoints();
      for (const [key, uid] of asked) {
        const isHere = ({ pod }: EndpointStatus) =>
          pod.uid === '' || uid === '' ? `${pod.namespace}/${pod.name}` === key : pod.uid === uid;
        if (leaving.get(key) !== uid || found.some(isHere)) continue;
        leaving.delete(key);
        unplugged(key);
      }
    } catch {
      // The datapath is away, and what it wired stays; its next status makes us look again.
    }
    looking = false;
    if (again) {
      again = false;
      void look();
    }
  };
  return {
    leave(key, uid) {
      leaving.set(key, uid);
      void look();
    },
    returned: (key) => void leaving.delete(key),
    look: () => void look(),
  };
}
