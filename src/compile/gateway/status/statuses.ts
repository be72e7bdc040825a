/** What was said of objects so far: saying the same again is no change, unless of another generation of the object. */
import type { GatewayStatus } from '../types.ts';

export type Statuses = {
  /** By `KIND/namespace/name`. `undefined`: nothing of ours; that is said once, too, since an earlier process may have said something. */
  say(id: string, generation: number | undefined, status: GatewayStatus | undefined): void;
  /** The object is somebody else's as a whole, such as a Gateway of another class: told only if it was ours. */
  leave(id: string): void;
  /** What changed since the last call. */
  take(): ReadonlyMap<string, GatewayStatus | undefined>;
};

export function createStatuses(): Statuses {
  const said = new Map<string, string>();
  let changed = new Map<string, GatewayStatus | undefined>();
  const statuses: Statuses = {
    say(id, generation, status) {
      const text = status === undefined ? '' : JSON.stringify([generation, status]);
      if (said.get(id) === text) return;
      said.set(id, text);
      changed.set(id, status);
    },
    leave(id) {
      const before = said.get(id);
      said.delete(id);
      if (before === undefined || before === '') changed.delete(id);
      else changed.set(id, undefined);
    },
    take() {
      const result = changed;
      changed = new Map();
      return result;
    },
  };
  return statuses;
}
