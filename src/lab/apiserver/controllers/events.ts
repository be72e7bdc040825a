/** Events are for reading now: they go an hour after they were last written, as on a real server. */
import type { Context } from '../context.ts';

const lifetimeMilliseconds = 3_600_000;
const sweepMilliseconds = 300_000;

export function startEventExpiry({ store }: Context): { close(): void } {
  /** When each event was last written, as far as this process saw. */
  const written = new Map<string, number>();
  store.onChange((table, { type, version }) => {
    if (table !== '/events') return;
    const key = `${version.namespace}/${version.name}`;
    if (type === 'DELETED') written.delete(key);
    else written.set(key, Date.now());
  });
  const sweep = (): void => {
    const oldest = Date.now() - lifetimeMilliseconds;
    for (const { namespace, name, object } of store.table('/events').list()) {
      const time = written.get(`${namespace}/${name}`) ?? Date.parse(object.metadata.creationTimestamp ?? '');
      if (time < oldest) store.remove('/events', namespace, name);
    }
  };
  const timer = setInterval(sweep, sweepMilliseconds);
  timer.unref();
  return { close: () => clearInterval(timer) };
}
