/** The intent as this engine keeps it, and whether a change is any of FRR's business. */
import { classText } from '#intent/announcement-class.ts';
import type { AnnouncementIntent } from '#intent/loadbalancer.ts';
import type { IntentChange, NodeIntent } from '#intent/node.ts';
import type { LoweredIntent } from './lower.ts';

export type Intake = {
  readonly intent: LoweredIntent;
  /** Takes a change in; false when nothing in it is for FRR. */
  readonly take: (change: IntentChange) => boolean;
};

const domains = ['self', 'subnets', 'bgpNeighbors', 'announcements'] as const;

export function createIntake(): Intake {
  const intent: { [D in keyof LoweredIntent]: Record<string, NodeIntent[D][string]> } = {
    self: {},
    subnets: {},
    bgpNeighbors: {},
    announcements: {},
  };
  /** How many announcements say the same: only the first and the last one of a class matter, not what comes and goes between. */
  const classes = new Map<string, number>();
  const count = (entry: AnnouncementIntent | undefined, by: 1 | -1): void => {
    if (entry === undefined) return;
    const text = classText(entry);
    const next = (classes.get(text) ?? 0) + by;
    if (next === 0) classes.delete(text);
    else classes.set(text, next);
  };
  /** Of the node's own entry only the addresses count: not its blocks, which come and go. */
  const relevant = (): string =>
    JSON.stringify([
      Object.values(intent.self).map(({ addresses }) => addresses),
      intent.subnets,
      intent.bgpNeighbors,
      [...classes.keys()].sort(),
    ]);

  return {
    intent,
    take(change) {
      const before = relevant();
      for (const domain of domains) {
        const records: Record<string, unknown> = intent[domain];
        const put: Readonly<Record<string, unknown>> = change.put[domain] ?? {};
        const removed = change.replace ? Object.keys(records) : (change.remove[domain] ?? []);
        if (domain === 'announcements') {
          for (const name of new Set([...removed, ...Object.keys(put)])) count(intent[domain][name], -1);
          for (const entry of Object.values(put)) count(entry as AnnouncementIntent, 1);
        }
        for (const name of removed) delete records[name];
        Object.assign(records, put);
      }
      return change.replace || relevant() !== before;
    },
  };
}
