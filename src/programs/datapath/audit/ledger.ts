/** What policies in audit mode would have dropped: told in few lines, counted, and kept for whoever asks. */
import type { WouldDrop } from '#intent/handover.ts';
import { formatOrigin } from '#intent/origin.ts';
import type { Log } from '#telemetry/log.ts';
import type { Registry } from '#telemetry/metrics.ts';
import { createThinned, type Thinned } from '#telemetry/thinned.ts';
import { fieldOf, formatFlow, formatPolicy } from '../../would-drop.ts';
import type { AuditedFlow } from './flow.ts';

export type AuditLedger = {
  add(flow: AuditedFlow): void;
  lost(records: number): void;
  /** By kind of connection, the latest last. */
  recent(): readonly WouldDrop[];
  /** For the agent: of each policy one of its connections, another one at most once a minute. */
  news(): readonly WouldDrop[];
  /** No policy is in audit mode any more: nothing is news. */
  over(): void;
};

export type LedgerOptions = {
  readonly log: Log;
  readonly metrics: Registry;
  /** `news` is another one. */
  readonly onNews: () => void;
  /** Milliseconds of a monotonic clock. */
  readonly now?: () => number;
};

const keptKinds = 200;
/** Of one policy, pod and peer a line is written at once, and another one after so many milliseconds with what came meanwhile. */
const lineEveryMs = 10_000;
/** Of all policies together so many in that time, whoever scans whom. */
const linesAtMost = 20;
const newsEveryMs = 60_000;
/** One kind of connection is news again only after so long: what comes all the time must not hide what comes now and then. */
const sameNewsEveryMs = 5 * 60_000;
const keptNews = 50;

export function createAuditLedger(options: LedgerOptions): AuditLedger {
  const { log, onNews, now = () => performance.now() } = options;
  /** The registry keeps 200 label sets and counts what is more as `other`; a policy is what a reader wants to know, and few have audit on. */
  const audited = options.metrics.counter({
    name: 'netloom_datapath_policy_audited_total',
    help: 'Connections seen that a policy in audit mode would drop; at most 5 a second of each class of pods are looked at.',
    labels: ['policy', 'direction'],
  });
  const missed = options.metrics.counter({
    name: 'netloom_datapath_policy_audit_lost_total',
    help: 'Records of the audit group that were lost before they were read.',
  });
  const kinds = new Map<string, { readonly told: WouldDrop; newsAt: number }>();
  const lines = new Map<string, Thinned>();
  const news = new Map<string, { readonly told: WouldDrop; readonly at: number }>();
  const excess = createThinned(lineEveryMs, now);
  let window = { since: Number.NEGATIVE_INFINITY, lines: 0 };

  const mayWrite = (): boolean => {
    if (now() - window.since >= lineEveryMs) window = { since: now(), lines: 0 };
    window.lines++;
    return window.lines <= linesAtMost;
  };
  const write = (flow: AuditedFlow, times: number): void => {
    if (!mayWrite()) {
      excess.happened(() =>
        log.info('more would be dropped by policies in audit mode: GET /v1/audit has it'),
      );
      return;
    }
    const { direction, pod, peer } = flow;
    log.info(lineOf(flow), { direction, pod: pod.address, peer: peer.address, times });
  };
  return {
    add(flow) {
      const { policy, direction, pod, peer, protocol, port } = flow;
      const label = policy === undefined ? 'unknown' : formatPolicy(policy);
      audited.inc({ policy: label, direction });
      const line = [label, direction, pod.address, peer.address].join(' ');
      const kind = [line, protocol, port, policy && formatOrigin(policy)].join(' ');
      const known = kinds.get(kind);
      const told = { ...flow, at: new Date().toISOString(), times: (known?.told.times ?? 0) + 1 };
      const seen = { told, newsAt: known?.newsAt ?? Number.NEGATIVE_INFINITY };
      putLast(kinds, kind, seen, keptKinds);
      const thinned = lines.get(line) ?? createThinned(lineEveryMs, now);
      putLast(lines, line, thinned, keptKinds);
      thinned.happened((times) => write(flow, times));
      const before = news.get(label);
      if (policy === undefined || now() - seen.newsAt < sameNewsEveryMs) return;
      if (before !== undefined && now() - before.at < newsEveryMs) return;
      seen.newsAt = now();
      putLast(news, label, { told, at: now() }, keptNews);
      onNews();
    },
    lost: (records) => missed.inc({}, records),
    recent: () => Array.from(kinds.values(), ({ told }) => told),
    news: () => Array.from(news.values(), ({ told }) => told),
    over: () => news.clear(),
  };
}

function lineOf(flow: AuditedFlow): string {
  const { policy } = flow;
  const cause =
    policy === undefined ? 'a policy that has changed since' : `${formatPolicy(policy)} ${fieldOf(policy)}`;
  return `would drop ${formatFlow(flow)}: ${cause.trimEnd()} (audit)`;
}

/** What was put longest ago goes when there are more than `most`. */
function putLast<V>(map: Map<string, V>, key: string, value: V, most: number): void {
  map.delete(key);
  map.set(key, value);
  if (map.size > most) map.delete(map.keys().next().value as string);
}
